"""Evaluated barcodes that a model has seen in training, sequenced to another extent (spec: partitioning, leakage).

Belongs here: counting them for the partitions as they are. Does not belong here: what makes two barcodes the same
(`barcodes.same`), and barcodes and images that are merely similar (`near_duplicates`, `near_images`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.barcodes.framed import framed
from bioscan_etl.barcodes.same import same_pairs
from bioscan_etl.errors import InvariantError
from bioscan_etl.vocabulary import LEAKAGE_PAIRS

LEAKAGE = pl.Schema(
    {
        "known": pl.String(),
        "evaluated": pl.String(),
        "barcodes": pl.Int64(),
        "same": pl.Int64(),
        "records": pl.Int64(),
        "same_records": pl.Int64(),
    }
)


def leakage(barcodes: pl.DataFrame, ids: pl.DataFrame, partitions: pl.DataFrame, least: int) -> pl.DataFrame:
    """Count evaluated barcodes that are the same as a trained one over their shared columns.

    Args:
        barcodes: `schema.BARCODES`.
        ids: `schema.BARCODE_IDS`.
        partitions: columns processid, split; the same process IDs.
        least: columns that two barcodes must share (setting `barcodes.min_shared_columns`).

    Returns:
        `LEAKAGE`, one row per pair of `vocabulary.LEAKAGE_PAIRS`, in that order: known (training or key partition),
        evaluated (partition), barcodes (distinct ones of `evaluated`), same (how many of them are the same as one in
        `known`), records and same_records (the specimens of these).

    Raises:
        InvariantError: the tables do not hold the same process IDs.
    """
    split = barcode_splits(ids, partitions)
    found = _leaking(barcodes, split, least)
    rows = []
    for known, evaluated in LEAKAGE_PAIRS:
        held = split.filter(pl.col("split") == evaluated)
        of_pair = found.filter(pl.col("known") == known, pl.col("evaluated") == evaluated)
        same = held.join(of_pair, on="barcode_id", how="semi")
        rows.append((known, evaluated, held.height, same.height, held["specimens"].sum(), same["specimens"].sum()))
    return pl.DataFrame(rows, schema=LEAKAGE, orient="row")


def leaking(barcodes: pl.DataFrame, ids: pl.DataFrame, partitions: pl.DataFrame, least: int) -> pl.DataFrame:
    """The evaluated specimens whose barcode is the same as a trained one: processid, evaluated, known; sorted.

    Args: as of `leakage`.
    """
    found = _leaking(barcodes, barcode_splits(ids, partitions), least)
    return ids.join(found, on="barcode_id").select("processid", "evaluated", "known").sort("processid", "known")


def barcode_splits(ids: pl.DataFrame, partitions: pl.DataFrame) -> pl.DataFrame:
    """barcode_id, split and the number of specimens of each barcode in each partition."""
    if ids.height != partitions.height or ids.join(partitions, on="processid", how="anti").height:
        raise InvariantError("barcodes and partitions are of different specimens; make both from one curated table")
    return (
        ids.join(partitions.select("processid", "split"), on="processid")
        .drop_nulls("barcode_id")
        .group_by("barcode_id", "split")
        .agg(specimens=pl.len().cast(pl.Int64))
    )


def _leaking(barcodes: pl.DataFrame, split: pl.DataFrame, least: int) -> pl.DataFrame:
    """barcode_id, evaluated and known: which barcodes of an evaluated partition are the same as one of a known one."""
    names = sorted({name for pair in LEAKAGE_PAIRS for name in pair})
    compared = split.filter(pl.col("split").is_in(names)).select("barcode_id").unique()
    placed = barcodes.join(compared, on="barcode_id", how="semi").sort("barcode_id")
    one, other = same_pairs(framed(placed), least)
    number = placed["barcode_id"]
    pairs = pl.DataFrame({"one": number.gather(one), "other": number.gather(other)})
    # A barcode is the same as itself, wherever a protocol puts its records.
    both = pl.concat([pairs, pairs.select(one="other", other="one"), pl.DataFrame({"one": number, "other": number})])
    found = []
    for known, evaluated in LEAKAGE_PAIRS:
        trained = split.filter(pl.col("split") == known).select(other="barcode_id")
        held = split.filter(pl.col("split") == evaluated).select(one="barcode_id")
        same = both.join(trained, on="other", how="semi").join(held, on="one", how="semi").select(barcode_id="one")
        found.append(same.unique().with_columns(evaluated=pl.lit(evaluated), known=pl.lit(known)))
    return pl.concat(found)
