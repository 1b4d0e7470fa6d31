"""What must hold of curated labels before anything is released.

Belongs here: the four invariants and their findings. Does not belong here: repair; a breach is a defect of
the code or of an override.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from bioscan_etl.barcodes.identity import same_barcode
from bioscan_etl.barcodes.sequences import identity
from bioscan_etl.errors import InvariantError
from bioscan_etl.schema import RANKS
from bioscan_etl.taxonomy.changes import undo


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of an invariant.

    Attributes:
        rule: id of the blocking rule.
        rank: rank it was found at; empty where it concerns none.
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
    curated: pl.DataFrame | pl.LazyFrame, changes: pl.DataFrame, specimens: pl.DataFrame | pl.LazyFrame
) -> list[Finding]:
    """Hold curated labels against the four invariants (spec: taxonomic labels, invariants).

    Args:
        curated: `schema.CURATED`, or at least `processid`, `dna_barcode` and the ranks; of lazy frames only these
            columns are read.
        changes: `schema.CHANGES`; changes of fields that are no ranks are passed over.
        specimens: what was curated: `processid`, the ranks and `<rank>_verbatim`.

    Returns:
        The breaches, in the order of the invariants; empty if all hold.
    """
    barcode = same_barcode(curated.lazy().select(identity(pl.col("dna_barcode"))).collect().to_series())
    labels = curated.lazy().select("processid", *RANKS).collect().with_columns(barcode)
    delivered = specimens.lazy().select("processid", *RANKS, *(f"{rank}_verbatim" for rank in RANKS)).collect()
    return [
        *label_findings(labels),
        *_source_findings(labels, changes, delivered),
        *_undo_findings(labels, changes, delivered),
    ]


def require(
    curated: pl.DataFrame | pl.LazyFrame, changes: pl.DataFrame, specimens: pl.DataFrame | pl.LazyFrame
) -> None:
    """Stop where an invariant is broken; the arguments are those of `check`.

    Raises:
        InvariantError: the first finding of `check`, and how many there are.
    """
    findings = check(curated, changes, specimens)
    if findings:
        first = findings[0]
        more = f" (and {len(findings) - 1} more findings)" if len(findings) > 1 else ""
        raise InvariantError(f"{first.rule}: {first.detail}{more}; nothing is released")


def label_findings(curated: pl.DataFrame) -> list[Finding]:
    """Breaches of invariants 1 and 2, which concern the labels alone.

    Args:
        curated: `processid`, `barcode` (the letters, or a number of each barcode) and the ranks.
    """
    return [*_barcode_findings(curated), *_gap_findings(curated), *_parent_findings(curated)]


def _barcode_findings(curated: pl.DataFrame) -> Iterator[Finding]:
    shared = curated.filter(pl.col("barcode").is_not_null() & (pl.len().over("barcode") > 1))
    groups = shared.group_by("barcode").agg(
        *((pl.col(rank).min() != pl.col(rank).max()).fill_null(False).alias(rank) for rank in RANKS),
        *(pl.col(rank).null_count().is_between(1, pl.len() - 1).alias(f"{rank}_partly") for rank in RANKS),
    )
    for rank in RANKS:
        wrong = groups.filter(pl.col(rank) | pl.col(f"{rank}_partly"))
        if wrong.height:
            ids = _ids(shared.join(wrong, on="barcode", how="semi"))
            detail = f"{wrong.height} barcodes carry more than one {rank} label, or one for some records only"
            yield Finding("INVARIANT_BARCODE_LABELS", rank, f"{detail}: {', '.join(ids)}", wrong.height, ids)


def _gap_findings(curated: pl.DataFrame) -> Iterator[Finding]:
    for upper, lower in pairwise(RANKS):
        wrong = curated.filter(pl.col(upper).is_null() & pl.col(lower).is_not_null())
        if wrong.height:
            ids = _ids(wrong)
            detail = f"{wrong.height} specimens have a {lower} and no {upper}: {', '.join(ids)}"
            yield Finding("INVARIANT_LINEAGE", upper, detail, wrong.height, ids)


def _parent_findings(curated: pl.DataFrame) -> Iterator[Finding]:
    lineages = curated.group_by(RANKS).agg(pl.col("processid").min())
    for upper, lower in pairwise(RANKS):
        # Homonyms are told apart by order, which only genera and their species can be.
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
            ids = tuple(sorted(wrong["processid"].explode().to_list())[:10])
            detail = f"{wrong.height} names at {lower} have several parents: {first[lower]} in {first['parents']}"
            yield Finding("INVARIANT_LINEAGE", lower, detail, wrong.height, ids)


def _source_findings(curated: pl.DataFrame, changes: pl.DataFrame, specimens: pl.DataFrame) -> Iterator[Finding]:
    for rank in RANKS:
        supplied = [specimens[rank].drop_nulls().unique()]
        if rank == "genus":
            supplied.append(specimens["species"].drop_nulls().unique().str.split(" ").list.first())
        filler = (pl.col("rule") == "UNASSIGNED_FILLER") & pl.col("after").str.starts_with("unassigned")
        set_by_rule = changes.filter((pl.col("field") == rank) & ((pl.col("rule") == "CURATOR_OVERRIDE") | filler))[
            "after"
        ]
        supplied.append(set_by_rule.drop_nulls().unique())
        final = curated.select("processid", name=rank).drop_nulls()
        wrong = final.join(pl.DataFrame({"name": pl.concat(supplied)}), on="name", how="anti")
        if wrong.height:
            ids = _ids(wrong)
            names = wrong["name"].unique().sort()
            detail = f"{len(names)} {rank} labels were supplied by no record, override or filler: {names[0]}"
            yield Finding("INVARIANT_LABEL_SOURCE", rank, detail, len(names), ids)


def _undo_findings(curated: pl.DataFrame, changes: pl.DataFrame, specimens: pl.DataFrame) -> Iterator[Finding]:
    try:
        restored = undo(curated.select("processid", *RANKS), changes)
    except InvariantError as error:
        yield Finding("INVARIANT_UNDO", "", str(error), 1)
        return
    delivered = specimens.select("processid", *(pl.col(f"{rank}_verbatim").alias(f"{rank}_then") for rank in RANKS))
    if restored.height != specimens.height:
        yield Finding("INVARIANT_UNDO", "", f"{restored.height} specimens are left of {specimens.height}", 1)
    if restored["processid"].equals(delivered["processid"]):
        compared = restored.hstack(delivered.drop("processid"))
    else:
        compared = restored.join(delivered, on="processid", how="inner")
    for rank in RANKS:
        wrong = compared.filter(pl.col(rank).ne_missing(pl.col(f"{rank}_then")))
        if wrong.height:
            ids = _ids(wrong)
            detail = f"undoing the log does not give back {rank} of {wrong.height} specimens: {', '.join(ids)}"
            yield Finding("INVARIANT_UNDO", rank, detail, wrong.height, ids)


def _ids(rows: pl.DataFrame) -> tuple[str, ...]:
    return tuple(rows["processid"].unique().bottom_k(10).sort().to_list())
