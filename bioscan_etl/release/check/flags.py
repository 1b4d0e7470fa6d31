"""Are the flags of the released specimens known, in the change log where they change a value, and admitted?

Belongs here: what holds for flags by their name, and the flag by which a specimen without labels is out of scope. Does
not belong here: flags that follow from released values (`settings_rows`, `labels`, `places`, `barcodes`, `boxes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from bioscan_etl.barcodes import rules as barcode_rules
from bioscan_etl.decisions import rules as decision_rules
from bioscan_etl.geography import rules as geography_rules
from bioscan_etl.release import rules as release_rules
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.recomputed import CHANGES
from bioscan_etl.rules import Severity, registry
from bioscan_etl.taxonomy import rules as taxonomy_rules
from bioscan_etl.vocabulary import Rank

# Rules that change a value and leave no flag.
_SILENT = ("COUNTRY_NORMALISED", "COUNTRY_FROM_ISO", "PROVINCE_TRIMMED", "PROVINCE_UNIFIED")
# Rules of places that can raise their flag without changing a value: an unknown code beside a known name, a fix that
# is only proposed, a status beside a code. `places` computes them again.
_LOGGED = (*barcode_rules.RULES, *taxonomy_rules.RULES, *release_rules.RULES, *decision_rules.RULES)


def check(data: Rows, log: pl.DataFrame, *, known: bool) -> Iterator[Fault]:
    """Check the flags by name.

    Args:
        data: the released rows.
        log: `schema.CHANGES`, sorted.
        known: whether the rules are those of this package: then each flag must be one of them.
    """
    rules = registry()
    both = [rule.id for rule in _LOGGED if rule.severity is Severity.CHANGE and rule.id not in _SILENT]
    left = [*both, *(r.id for r in geography_rules.RULES if r.severity is Severity.CHANGE and r.id not in _SILENT)]
    logged = log.filter(pl.col("rule").is_in(left)).select("processid", "rule").unique(maintain_order=True)
    flags = pl.col("flags")
    listing, found = Listing(), [pl.DataFrame(schema={"processid": pl.String, "rule": pl.String})]
    for piece in data.pieces(("flags",)):
        tidy = flags.list.unique().list.sort()
        listing.add(data.name, piece.filter(flags != tidy), "its flags are not sorted, or one is there twice")
        rows = piece.explode("flags", empty_as_null=True).drop_nulls("flags").rename({"flags": "rule"})
        if known:
            strange = rows.filter(~pl.col("rule").is_in(list(rules)))
            listing.add(data.name, strange, "has the flag {rule}, which is no rule")
        found.append(rows.filter(pl.col("rule").is_in(left)))
    yield from listing.faults()
    if not known:
        return
    flagged = pl.concat(found)
    without = logged.join(flagged, on=["processid", "rule"], how="anti", maintain_order="left")
    yield from faulty_rows(data.name, without, f"lacks the flag {{rule}}, by which {CHANGES} changes a value")
    alone = flagged.filter(pl.col("rule").is_in(both)).join(logged, on=["processid", "rule"], how="anti")
    yield from faulty_rows(CHANGES, alone.sort("processid"), "has no change by {rule}, which data has as a flag")


def out_of_scope(data: Rows, log: pl.DataFrame, scope: Mapping[Rank, Sequence[str]]) -> Iterator[Fault]:
    """Specimens without a label in the scope that share their barcode with one outside it: the gate holds them.

    Curation can clear a label after the gate. So specimens of which a label of the scope was changed are left out.

    Args:
        data: the released rows.
        log: `schema.CHANGES`.
        scope: taxa by rank, of `gates.scope`.
    """
    if not scope:
        return
    relabelled = log.filter(pl.col("field").is_in(list(scope)))["processid"].unique()
    flag = "BARCODE_OUT_OF_SCOPE"
    empty = pl.all_horizontal(pl.col(rank).is_null() for rank in scope)
    listing = Listing()
    for piece in data.pieces(("flags", *scope)):
        accepted = pl.col("flags").list.contains("CURATOR_ACCEPTED")
        wrong = piece.filter(empty & pl.col("flags").list.contains(flag) & ~accepted)
        wrong = wrong.filter(~pl.col("processid").is_in(relabelled.implode()))
        listing.add(data.name, wrong, f"has the flag {flag} and no {' or '.join(scope)}, against gates.scope")
    yield from listing.faults()
