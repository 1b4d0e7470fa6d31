"""The invariants of curated labels, which must hold before a release.

Belongs here: the four invariants, their violations and the result of each. Does not belong here: repair; a violation
is a defect of the code: curators' lines that would break one are left out (`decided`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from bioscan_etl.barcodes.numbering import same_identity
from bioscan_etl.errors import InvariantError
from bioscan_etl.findings import SAMPLES, Finding
from bioscan_etl.rules import Severity
from bioscan_etl.taxonomy.changes import undo
from bioscan_etl.taxonomy.rules import RULES
from bioscan_etl.taxonomy.varied import varied
from bioscan_etl.vocabulary import MERGED, RANKS, RELABELLED

_BY_CURATORS = (MERGED, RELABELLED)


@dataclass(frozen=True, slots=True)
class Breach:
    """A violation of an invariant, at one rank.

    Attributes:
        rule: id of the blocking rule.
        rank: rank at which it was found; empty if it concerns no single rank.
        detail: what is wrong, with an example.
        count: names, barcodes or labels that are wrong.
        processids: some of the specimens concerned, sorted, at most ten.
    """

    rule: str
    rank: str
    detail: str
    count: int
    processids: tuple[str, ...] = ()


def check(
    curated: pl.DataFrame | pl.LazyFrame,
    changes: pl.DataFrame,
    specimens: pl.DataFrame | pl.LazyFrame,
    barcodes: pl.Series | None = None,
) -> list[Breach]:
    """Check curated labels against the four invariants (spec: taxonomy, invariants).

    Args:
        curated: `schema.CURATED`, or at least `processid`, `dna_barcode` and the ranks; of lazy frames only these
            columns are read.
        changes: `schema.CHANGES`; changes of fields other than ranks are ignored.
        specimens: the specimens before curation: `processid`, the ranks and `<rank>_verbatim`.
        barcodes: a number for each barcode, by row of `curated`, so that no sequence is read; None: from the sequences.

    Returns:
        The violations, in the order of the invariants; empty if all hold.
    """
    if barcodes is None:
        barcodes = same_identity(curated.lazy().select("dna_barcode").collect().to_series())
    labels = curated.lazy().select("processid", *RANKS).collect().with_columns(barcodes.alias("barcode"))
    return [
        *label_breaches(labels),
        *_source_breaches(labels, changes, specimens.lazy()),
        *_undo_breaches(labels, changes, specimens.lazy()),
    ]


def outcome(breaches: Iterable[Breach]) -> list[Finding]:
    """Convert violations to the result of each invariant, including those that hold.

    Args:
        breaches: from `check`.

    Returns:
        One blocking finding per invariant, in the order of `taxonomy.rules`. `count` is the sum over ranks: a barcode
        with two labels at two ranks counts twice; `samples` are process IDs.
    """
    found: dict[str, list[Breach]] = {}
    for breach in breaches:
        found.setdefault(breach.rule, []).append(breach)
    findings = []
    for rule in RULES:
        if rule.severity is not Severity.BLOCKING:
            continue
        own = found.get(rule.id, [])
        details = [breach.detail for breach in own]
        findings.append(
            Finding(
                check=rule.id,
                passed=not own,
                count=sum(breach.count for breach in own),
                statement=rule.statement,
                samples=tuple(sorted({processid for breach in own for processid in breach.processids})),
                detail="; ".join(details),
            )
        )
    return findings


def label_breaches(curated: pl.DataFrame) -> list[Breach]:
    """Violations of invariants 1 and 2, which concern only the labels.

    Args:
        curated: `processid`, `barcode` (the sequence, or a number for each barcode) and the ranks.
    """
    return [*_barcode_breaches(curated), *_gap_breaches(curated), *_parent_breaches(curated)]


def _barcode_breaches(curated: pl.DataFrame) -> Iterator[Breach]:
    shared = varied(curated, "barcode", RANKS)
    groups = shared.group_by("barcode").agg(
        *((pl.col(rank).min() != pl.col(rank).max()).fill_null(False).alias(rank) for rank in RANKS),
        *(pl.col(rank).null_count().is_between(1, pl.len() - 1).alias(f"{rank}_partly") for rank in RANKS),
    )
    for rank in RANKS:
        wrong = groups.filter(pl.col(rank) | pl.col(f"{rank}_partly"))
        if wrong.height:
            ids = _ids(shared.join(wrong, on="barcode", how="semi"))
            detail = f"{wrong.height} barcodes carry more than one {rank} label, or one for some records only"
            yield Breach("INVARIANT_BARCODE_LABELS", rank, f"{detail}: {', '.join(ids)}", wrong.height, ids)


def _gap_breaches(curated: pl.DataFrame) -> Iterator[Breach]:
    lineages = curated.select(RANKS).unique()
    for upper, lower in pairwise(RANKS):
        is_gap = pl.col(upper).is_null() & pl.col(lower).is_not_null()
        # All specimens are looked at where a lineage has a gap: there should be none.
        wrong = curated.filter(is_gap) if lineages.select(is_gap.any()).item() else curated.clear()
        if wrong.height:
            ids = _ids(wrong)
            detail = f"{wrong.height} specimens have a {lower} and no {upper}: {', '.join(ids)}"
            yield Breach("INVARIANT_LINEAGE", upper, detail, wrong.height, ids)


def _parent_breaches(curated: pl.DataFrame) -> Iterator[Breach]:
    lineages = curated.group_by(RANKS).agg(pl.col("processid").min())
    for upper, lower in pairwise(RANKS):
        # Homonyms are distinguished by order; only genera and their species can be homonyms.
        name = [lower] if lower not in {"genus", "species"} else [lower, "order"]
        wrong = (
            lineages.filter(pl.col(lower).is_not_null())
            .group_by(name)
            .agg(pl.col(upper).drop_nulls().unique().sort().alias("parents"), pl.col("processid").sort())
            .filter(pl.col("parents").list.len() > 1)
            .sort(name)
        )
        if wrong.height:
            first = wrong.row(0, named=True)
            ids = tuple(sorted(wrong["processid"].explode().to_list())[:SAMPLES])
            detail = f"{wrong.height} names at {lower} have several parents: {first[lower]} in {first['parents']}"
            yield Breach("INVARIANT_LINEAGE", lower, detail, wrong.height, ids)


def _source_breaches(curated: pl.DataFrame, changes: pl.DataFrame, specimens: pl.LazyFrame) -> Iterator[Breach]:
    # One rank at a time: the labels of millions of records do not fit into memory several times.
    named = {rank: specimens.select(rank).unique().collect().to_series().drop_nulls() for rank in RANKS}
    for rank in RANKS:
        supplied = [named[rank]]
        if rank == "genus":
            supplied.append(named["species"].str.split(" ").list.first())
        filler = (pl.col("rule") == "UNASSIGNED_FILLER") & pl.col("after").str.starts_with("unassigned")
        set_by_rule = changes.filter((pl.col("field") == rank) & (pl.col("rule").is_in(_BY_CURATORS) | filler))["after"]
        supplied.append(set_by_rule.drop_nulls().unique())
        unknown = (
            curated[rank]
            .unique()
            .drop_nulls()
            .to_frame("name")
            .join(pl.DataFrame({"name": pl.concat(supplied)}), on="name", how="anti")
        )
        wrong = curated.select("processid", name=rank).filter(pl.col("name").is_in(unknown["name"].implode()))
        if wrong.height:
            ids = _ids(wrong)
            names = wrong["name"].unique().sort()
            detail = f"{len(names)} {rank} labels were supplied by no record, curator or filler: {names[0]}"
            yield Breach("INVARIANT_LABEL_SOURCE", rank, detail, len(names), ids)


def _undo_breaches(curated: pl.DataFrame, changes: pl.DataFrame, specimens: pl.LazyFrame) -> Iterator[Breach]:
    try:
        restored = undo(curated.select("processid", *RANKS), changes)
    except InvariantError as error:
        yield Breach("INVARIANT_UNDO", "", str(error), 1)
        return
    delivered = specimens.select("processid").collect()
    if restored.height != delivered.height:
        odd = pl.concat(
            [
                delivered.join(restored, on="processid", how="anti"),
                restored.select("processid").join(delivered, on="processid", how="anti"),
            ]
        )
        detail = f"{restored.height} specimens are left of {delivered.height}"
        yield Breach("INVARIANT_UNDO", "", detail, abs(restored.height - delivered.height), _ids(odd))
    same = restored["processid"].equals(delivered["processid"])
    for rank in RANKS:
        then = specimens.select("processid", then=f"{rank}_verbatim").collect()
        now = restored.select("processid", rank)
        compared = now.hstack(then.select("then")) if same else now.join(then, on="processid", how="inner")
        wrong = compared.filter(pl.col(rank).ne_missing(pl.col("then")))
        if wrong.height:
            ids = _ids(wrong)
            detail = f"undoing the log does not give back {rank} of {wrong.height} specimens: {', '.join(ids)}"
            yield Breach("INVARIANT_UNDO", rank, detail, wrong.height, ids)


def _ids(rows: pl.DataFrame) -> tuple[str, ...]:
    return tuple(rows["processid"].unique().bottom_k(SAMPLES).sort().to_list())
