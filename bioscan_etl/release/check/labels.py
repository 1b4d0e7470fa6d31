"""Do the released labels follow from the delivered ones?

Belongs here: the hierarchy of the released names, and the curation of the whole corpus again, from the labels as they
were delivered: the change log, undone, restores them. Does not belong here: the votes in the evidence of a change
(`settings_logs`).

What a delivered label was, only the change log says. So a label that was changed in all tables alike, with all that
follows from it, is a label like any other: only its agreement with the names, barcodes and partitions of other
specimens can be verified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.errors import BioscanError
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, faulty_rows
from bioscan_etl.release.check.recomputed import CHANGES, first_before, restored
from bioscan_etl.release.rules import RULES as RELEASE_RULES
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.names import normalise_names
from bioscan_etl.taxonomy.rules import RULES
from bioscan_etl.vocabulary import RANKS, RELABELLED

_NAMES = ("NAME_DOUBTFUL", "SPECIES_GENUS_MISMATCH")
# Rules on one name alone. Curation takes them from the table of names, which other stages make.
_ON_NAMES = tuple(rule.id for rule in RULES if rule.id.startswith("NAME_") and "_TYPO_" not in rule.id)
_WRITTEN = tuple(rule.id for rule in RELEASE_RULES)
_CURATED = tuple(rule.id for rule in RULES if rule.id not in (*_ON_NAMES, *_NAMES))
_INFERRED = tuple(f"inferred_{rank}" for rank in RANKS)
_COLUMNS = ("dna_bin", "identification_method", "genus_name_type", "species_name_type", "flags", "inferred_ranks")
_BASES = {str(digit): "ACGT"[digit // 4] + "ACGT"[digit % 4] for digit in range(10)}
_FAILURES = (BioscanError, pl.exceptions.PolarsError, ValueError, IndexError, KeyError)


def read(data: Rows) -> pl.DataFrame:
    """What the checks of labels need of all specimens, once each; a hash stands for the barcode."""
    columns = ["dna_barcode", *_COLUMNS, *RANKS, *_INFERRED]
    identity = barcode_identity(pl.col("dna_barcode"))
    pieces = [piece.with_columns(dna_barcode=_letters(identity)) for piece in data.pieces(columns)]
    return pl.concat(pieces).unique("processid", keep="first", maintain_order=True) if pieces else pl.DataFrame()


def _letters(identity: pl.Expr) -> pl.Expr:
    """A hash of a text as bases, two for each decimal digit: the barcodes of millions of rows are not held."""
    digits = identity.hash().cast(pl.String).str.replace_many(list(_BASES), list(_BASES.values()))
    return pl.when(identity.is_not_null()).then(digits)


def hierarchy(rows: pl.DataFrame, log: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Gaps in lineages, and names with several parents.

    Args:
        rows: from `read`.
        log: `schema.CHANGES`, sorted.
        name: what the faults name.
    """
    labels = rows.select("processid", *curated_labels(rows, log).values())
    for upper, lower in pairwise(RANKS):
        gap = labels.filter(pl.col(upper).is_null() & pl.col(lower).is_not_null())
        shown = gap.select("processid", label=lower)
        yield from faulty_rows(name, shown, f"has the {lower} {{label}} and no {upper}")
        # Homonyms are distinguished by order; only genera and their species can be homonyms.
        key = [lower] if lower not in {"genus", "species"} else [lower, "order"]
        pairs = labels.filter(pl.col(lower).is_not_null()).group_by(*key, parent=pl.col(upper)).agg(records=pl.len())
        ranked = pairs.with_columns(
            parents=pl.col("parent").n_unique().over(key),
            most=pl.col("records").max().over(key),
            leaders=(pl.col("records") == pl.col("records").max().over(key)).sum().over(key),
            usual=pl.col("parent").sort_by("records", "parent", descending=[True, False]).first().over(key),
        ).filter(pl.col("parents") > 1)
        # Of equally frequent parents, none is the usual one: the records of all of them are named.
        odd = ranked.filter((pl.col("records") < pl.col("most")) | (pl.col("leaders") > 1))
        wrong = (
            labels.with_columns(parent=pl.col(upper))
            .join(odd.select(*key, "parent", "usual", "most"), on=[*key, "parent"], how="inner", nulls_equal=True)
            .select("processid", "parent", "usual", "most", label=pl.col(lower))
            .sort("processid")
        )
        message = f"has the {lower} {{label}} in the {upper} {{parent}}; {{most}} records have it in {{usual}}"
        yield from faulty_rows(name, wrong, message)


def check(
    rows: pl.DataFrame,
    log: pl.DataFrame,
    settings: TaxonomySettings,
    name: str,
    decisions: pl.DataFrame | None = None,
) -> Iterator[Fault]:
    """Labels, name types, inferences, flags and changes that are not those that curation gives.

    Args:
        rows: from `read`.
        log: `schema.CHANGES`, sorted.
        settings: as stated.
        name: what the faults of released rows name.
        decisions: usable lines of `schema.DECISIONS`; None: the release does not list them, and the labels that
            curators set are not compared.
    """
    own = log.filter(pl.col("field").is_in(RANKS)).join(rows.select("processid"), on="processid", how="semi")
    normalised = normalised_labels(rows, own)
    delivered = {rank: _as_curated(rows, own, rank, None) for rank in RANKS}
    try:
        names = _normalised_again(rows, normalised)
        yield from _names(names, own, name)
        specimens = _specimens(rows, names, delivered)
        curated = curate(specimens, settings, decisions)
        labels = rows.select("processid").join(curated.labels, on="processid", how="left", maintain_order="left")
    except _FAILURES as error:
        yield Fault(name, None, f"the labels cannot be curated again: {str(error).splitlines()[0]}")
        return
    compared = _CURATED if decisions is not None else tuple(rule for rule in _CURATED if rule != RELABELLED)
    yield from _labels(rows, own, labels, name, listed=decisions is not None)
    yield from _flags(rows, labels, name, compared)
    yield from _log(own, curated.changes, compared)


def normalised_labels(rows: pl.DataFrame, log: pl.DataFrame) -> dict[str, pl.Series]:
    """The labels after normalising and before all other rules, by rank.

    Args:
        rows: from `read`.
        log: `schema.CHANGES`, sorted.
    """
    return {rank: _as_curated(rows, log, rank, ~pl.col("rule").is_in(_ON_NAMES)) for rank in RANKS}


def curated_labels(rows: pl.DataFrame, log: pl.DataFrame) -> dict[str, pl.Series]:
    """The labels after curation, before values are rewritten for the release, by rank; arguments as above."""
    return {rank: _as_curated(rows, log, rank, pl.col("rule").is_in(_WRITTEN)) for rank in RANKS}


def _as_curated(rows: pl.DataFrame, log: pl.DataFrame, rank: str, where: pl.Expr | None) -> pl.Series:
    """A rank before the first of its changes for which a condition holds."""
    return restored(rows, first_before(log, rank, where), rank)


def _specimens(rows: pl.DataFrame, names: pl.DataFrame, delivered: dict[str, pl.Series]) -> pl.DataFrame:
    """The specimens before curation, as far as the release holds them; other columns are missing.

    One name that is no name, such as a filler that the log does not explain, must not become a label of others.
    """
    none = pl.lit([], dtype=pl.List(pl.String))
    given = rows.select("processid", "dna_barcode", "dna_bin", "identification_method", flags=none).with_columns(
        *(names[f"{rank}_again"].alias(rank) for rank in RANKS),
        *(values.alias(f"{rank}_verbatim") for rank, values in delivered.items()),
    )
    columns = [column for column in schema.SPECIMENS.columns if column.name not in {*given.columns, "gates"}]
    return given.with_columns(pl.lit(None, column.dtype).alias(column.name) for column in columns)


def _normalised_again(rows: pl.DataFrame, normalised: dict[str, pl.Series]) -> pl.DataFrame:
    """Normalised names, normalised again (`<rank>_again`), with their types and flags; distinct ones once."""
    frame = rows.select("processid", "genus_name_type", "species_name_type", "flags").with_columns(*normalised.values())
    distinct = frame.select(RANKS).unique(maintain_order=True).with_row_index("number")
    others = [c for c in schema.RECORDS.columns if c.name not in {*RANKS, "processid", "batch"}]
    records = distinct.select(
        *RANKS,
        *(pl.lit(None, column.dtype).alias(column.name) for column in others),
        processid=pl.col("number").cast(pl.String).str.zfill(10),
        batch=pl.lit(""),
    )
    again = normalise_names(records.lazy()).sort("processid")
    ours = distinct.hstack(
        again.select(
            *(pl.col(rank).alias(f"{rank}_again") for rank in RANKS),
            pl.col("genus_name_type").alias("genus_type_again"),
            pl.col("species_name_type").alias("species_type_again"),
            pl.col("flags").alias("flags_again"),
        )
    )
    return frame.join(ours, on=RANKS, how="left", nulls_equal=True, maintain_order="left")


def _names(both: pl.DataFrame, log: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Normalised names that normalising changes, and types and flags that do not follow from them."""
    for rank in RANKS:
        wrong = both.filter(pl.col(rank).is_not_null(), pl.col(rank).ne_missing(pl.col(f"{rank}_again")))
        shown = wrong.select("processid", label=rank, again=f"{rank}_again")
        yield from faulty_rows(name, shown, f"has the {rank} {{label}}, of which normalising makes {{again}}")
    for rank in ("genus", "species"):
        touched = log.filter(pl.col("field") == rank, pl.col("rule").is_in(_ON_NAMES))["processid"].unique()
        # A name that normalising took away had a type of its own.
        silent = pl.col(rank).is_null() & pl.col("processid").is_in(touched.implode())
        wrong = both.filter(~silent, pl.col(f"{rank}_name_type") != pl.col(f"{rank}_type_again"))
        shown = wrong.select("processid", label=rank, found=f"{rank}_name_type", expected=f"{rank}_type_again")
        yield from faulty_rows(name, shown, f"the {rank} {{label}} has the name type {{found}}, not {{expected}}")
    for flag in _NAMES:
        has, should = (pl.col(column).list.contains(flag) for column in ("flags", "flags_again"))
        shown = both.select("processid", "genus", "species", has=has, should=should)
        message = f"the flag {flag}: genus {{genus}}, species {{species}}"
        yield from faulty_rows(name, shown.filter(pl.col("should") & ~pl.col("has")), f"lacks {message}")
        yield from faulty_rows(name, shown.filter(~pl.col("should") & pl.col("has")), f"has {message}")


def _labels(
    rows: pl.DataFrame, log: pl.DataFrame, expected: pl.DataFrame, name: str, *, listed: bool
) -> Iterator[Fault]:
    """Labels and inferences that curation does not give; what curators set is left out where it is not listed."""
    unlisted = () if listed else (RELABELLED,)
    afterwards = pl.col("rule").is_in([*_WRITTEN, *unlisted])
    for rank in RANKS:
        mine = pl.DataFrame(
            {
                "processid": rows["processid"],
                "found": _as_curated(rows, log, rank, afterwards),
                "expected": expected[rank],
                "inferred": rows[f"inferred_{rank}"],
                "inferable": expected[f"inferred_{rank}"],
            }
        )
        curators = log.filter(pl.col("field") == rank, pl.col("rule").is_in(unlisted))["processid"].implode()
        wrong = mine.filter(pl.col("found").ne_missing(pl.col("expected")), ~pl.col("processid").is_in(curators))
        message = f"has the {rank} {{found}}; curation of the delivered labels gives {{expected}}"
        yield from faulty_rows(name, wrong, message)
        wrong = mine.filter(pl.col("inferred") != pl.col("inferable"), ~pl.col("processid").is_in(curators))
        message = f"inferred_{rank} is {{inferred}}; curation of the delivered labels gives {{inferable}}"
        yield from faulty_rows(name, wrong, message)


def inferred_ranks(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Numbers of the highest inferred rank that do not follow from the ranks that are stated as inferred."""
    # Counted from species upward; there is no number for phylum.
    numbers = {rank: number for number, rank in enumerate(reversed(RANKS[1:]), start=1)}
    highest = pl.max_horizontal(
        pl.when(f"inferred_{rank}").then(pl.lit(number)).otherwise(pl.lit(0)) for rank, number in numbers.items()
    )
    wrong = rows.select("processid", "inferred_ranks", expected=highest)
    wrong = wrong.filter(pl.col("inferred_ranks").cast(pl.Int64) != pl.col("expected"))
    yield from faulty_rows(name, wrong, "inferred_ranks is {inferred_ranks}; the columns inferred_* give {expected}")


def _flags(rows: pl.DataFrame, expected: pl.DataFrame, name: str, compared: Sequence[str]) -> Iterator[Fault]:
    """Flags of the rules of curation that it does not raise, and raised ones that are not there."""
    both = pl.DataFrame({"processid": rows["processid"], "found": rows["flags"], "again": expected["flags"]})
    for flag in compared:
        has, should = (pl.col(column).list.contains(flag) for column in ("found", "again"))
        shown = both.filter(has != should)
        if shown.height:
            message = f"the flag {flag}, against curation of the delivered labels"
            yield from faulty_rows(name, shown.filter(should), f"lacks {message}")
            yield from faulty_rows(name, shown.filter(has), f"has {message}")


def _log(log: pl.DataFrame, expected: pl.DataFrame, compared: Sequence[str]) -> Iterator[Fault]:
    """Changes that curation does not make, and changes of its that the log lacks."""
    columns = ["processid", "field", "before", "after", "rule", "evidence"]
    ours, theirs = (frame.filter(pl.col("rule").is_in(compared)).select(columns) for frame in (log, expected))
    message = "{field} from {before} to {after} by {rule} ({evidence})"
    extra = ours.join(theirs, on=columns, how="anti", nulls_equal=True, maintain_order="left")
    yield from faulty_rows(CHANGES, extra, f"has the change of {message}, which curation does not make")
    lost = theirs.join(ours, on=columns, how="anti", nulls_equal=True, maintain_order="left")
    yield from faulty_rows(CHANGES, lost, f"lacks the change of {message}, which curation makes")
