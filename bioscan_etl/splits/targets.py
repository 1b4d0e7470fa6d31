"""How close partitions are to the targets of their protocol.

Belongs here: target and actual sizes, by partition and by class of species. Does not belong here: whether the
partitions are valid (`checks`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from bioscan_etl.findings import Finding
from bioscan_etl.splits.checks import findings, held_out, records_of
from bioscan_etl.splits.select import TEST, VAL, VAL_FROM, VAL_SHARE, VAL_UNSEEN, Quota
from bioscan_etl.vocabulary import SEEN, SPLITS, UNSEEN

_CLASSES = (("1", 1, 1), ("2-7", 2, 7), ("8-19", 8, 19), ("20+", 20, 2**31))  # records of a species


@dataclass(frozen=True, slots=True)
class Review:
    """All checks and reports of partitions, from one pass over the records.

    Attributes:
        findings: of `checks.check`.
        held_out: of `checks.species_also_held_out`.
        partitions: one row per partition in the order of `vocabulary.SPLITS`: split; samples, barcodes, species
            (distinct, int64); target_samples (what the protocol wants of the evaluation partitions given the species of
            this table, float, null for the others, which take what is left); share (samples of all samples, float).
        classes: one row per kind ("seen", "unseen"), class of species ("1", "2-7", "8-19", "20+") and partition of the
            kind, in this order: kind, records (the class), split; species (of the class), samples, barcodes, int64;
            target_samples (null for train and key_unseen, which take what is left); share (samples of all samples of
            the class, 0 where there is none) and target_share, float. A species' class is its number of records in the
            seen, or in the unseen partitions. Below 8 records the protocols want nothing of it, up to 19 nothing for
            val but the long tail.
    """

    findings: list[Finding]
    held_out: Finding
    partitions: pl.DataFrame
    classes: pl.DataFrame


def review(table: pl.DataFrame, partitions: pl.DataFrame) -> Review:
    """Check partitions and compare them with their targets.

    Args:
        table: columns processid, species, dna_barcode (identities), text; one row per record.
        partitions: columns processid, split; the same process IDs in any order.

    Raises:
        InvariantError: the two tables do not hold the same process IDs.
    """
    records = records_of(table, partitions)
    return Review(findings(records, table), held_out(records), _report(records), _by_class(records))


def _report(records: pl.DataFrame) -> pl.DataFrame:
    counts = records.group_by("split").agg(
        samples=pl.len().cast(pl.Int64),
        barcodes=pl.col("barcode_hash").drop_nulls().n_unique().cast(pl.Int64),
        species=pl.col("species").drop_nulls().n_unique().cast(pl.Int64),
    )
    targets = pl.DataFrame(
        list(_targets(records).items()), schema={"split": pl.String, "target_samples": pl.Float64}, orient="row"
    )
    return (
        pl.DataFrame({"split": SPLITS})
        .join(counts, on="split", how="left", maintain_order="left")
        .join(targets, on="split", how="left", maintain_order="left")
        .with_columns(pl.col("samples", "barcodes", "species").fill_null(0))
        .with_columns(share=pl.col("samples") / max(len(records), 1))
    )


def _by_class(every: pl.DataFrame) -> pl.DataFrame:
    records = every.filter(pl.col("species").is_not_null())
    rows: list[tuple[str, str, str, int, int, int, float | None]] = []
    for kind, splits in (("seen", SEEN), ("unseen", UNSEEN)):
        own = records.filter(pl.col("split").is_in(splits)).with_columns(size=pl.len().over("species"))
        for name, low, high in _CLASSES:
            group = own.filter(pl.col("size").is_between(low, high))
            targets = _targets(group)
            for split in splits:
                part = group.filter(pl.col("split") == split)
                barcodes = part["barcode_hash"].drop_nulls().n_unique()
                rows.append((kind, name, split, group["species"].n_unique(), len(part), barcodes, targets.get(split)))
    names = ("kind", "records", "split", "species", "samples", "barcodes", "target_samples")
    types = (pl.String, pl.String, pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Float64)
    total = pl.max_horizontal(pl.col("samples").sum().over("kind", "records"), 1)
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row").with_columns(
        share=pl.col("samples") / total, target_share=pl.col("target_samples") / total
    )


def _targets(records: pl.DataFrame) -> dict[str, float]:
    """Target number of records of each evaluation partition, summed over species."""
    per_species = (
        records.filter(pl.col("species").is_not_null())
        .group_by("species")
        .agg(
            seen=pl.col("split").is_in(SEEN).sum(),
            untested=pl.col("split").is_in(_without(SEEN, "test")).sum(),
            unseen=pl.col("split").is_in(UNSEEN).sum(),
            unseen_untested=pl.col("split").is_in(_without(UNSEEN, "test_unseen")).sum(),
        )
    )

    def wanted(column: str, quota: Quota) -> float:
        sizes = per_species[column].value_counts(name="species").rows()
        # The counts come in any order; the exact sum does not depend on it.
        return math.fsum(quota.target(records) * species for records, species in sizes)

    small = per_species.filter(pl.col("untested") < VAL_FROM)["untested"].sum()
    return {
        "val": wanted("untested", VAL) + VAL_SHARE * float(small),
        "test": wanted("seen", TEST),
        "val_unseen": wanted("unseen_untested", VAL_UNSEEN),
        "test_unseen": wanted("unseen", TEST),
    }


def _without(splits: tuple[str, ...], taken: str) -> list[str]:
    return [split for split in splits if split != taken]
