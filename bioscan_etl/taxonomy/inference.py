"""Missing labels from records of the same barcode or BIN.

Belongs here: filling a rank from other records. Does not belong here: filling upward from a name's lineage
(`lineage`), and the filler.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.taxonomy.changes import NOTES, differences, overlaid
from bioscan_etl.taxonomy.varied import varied
from bioscan_etl.vocabulary import RANKS


def infer_from_barcode(labels: pl.DataFrame, enabled: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give all records of a barcode the labels that some of them have.

    If inference is off, the records are made equal the other way: a label that some records of the barcode
    lack is cleared (rule BARCODE_PARTLY_LABELLED).

    Args:
        labels: `row`, `group` and the ranks after conflicts were resolved: per group and rank one label or null.
        enabled: the setting `infer_from_barcode`.

    Returns:
        The labels in the same order, and `changes.LOG`.
    """
    partly = (
        varied(labels, "group", RANKS)
        .group_by("group")
        .agg(
            *(pl.col(rank).max() for rank in RANKS),
            *(pl.col(rank).count().alias(f"{rank}_labelled") for rank in RANKS),
            records=pl.len(),
        )
    )
    mixed = [(pl.col(f"{rank}_labelled") > 0) & (pl.col(f"{rank}_labelled") < pl.col("records")) for rank in RANKS]
    partly = partly.filter(pl.any_horizontal(mixed))
    rule = "INFERRED_FROM_BARCODE" if enabled else "BARCODE_PARTLY_LABELLED"
    notes = pl.concat(
        partly.select(
            key="group",
            field=pl.lit(rank),
            rule=pl.lit(rule),
            evidence=pl.format("{} of {} records of the barcode carry it", f"{rank}_labelled", "records"),
        )
        for rank in RANKS
    )
    chosen = partly.select(
        "group",
        *(
            (pl.col(rank) if enabled else pl.when(~mix).then(rank)).alias(f"{rank}_new")
            for rank, mix in zip(RANKS, mixed, strict=True)
        ),
        touched=pl.lit(True),
    )
    return _replaced(labels, chosen, notes)


def bin_groups(labels: pl.DataFrame, bins: pl.Series) -> pl.Series:
    """The BIN that each record follows: its own, or if it shares its barcode, the only BIN of its barcode.

    A barcode in two BINs follows none, so that the labels of its records remain equal.

    Args:
        labels: `row` and `group`.
        bins: BIN of each row, nulls allowed.

    Returns:
        `bin` (String), in the order of the rows.
    """
    frame = labels.select("group", bin=bins)
    one = pl.when(pl.col("bin").drop_nulls().n_unique() == 1).then(pl.col("bin").max())
    of_barcode = frame.filter(pl.col("group").is_not_null()).group_by("group").agg(bin_of_barcode=one)
    return (
        frame.join(of_barcode, on="group", how="left", maintain_order="left")
        .select(bin=pl.when(pl.col("group").is_null()).then("bin").otherwise("bin_of_barcode"))
        .to_series()
    )


def infer_from_bin(labels: pl.DataFrame, bins: pl.Series, conflicts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fill missing labels from a BIN whose labelled records all agree.

    `bin_groups` decides which BIN a record follows. A record gets labels from phylum down, as long as its own labels
    agree with those of the BIN. Labels that were cleared as a conflict of its barcode remain cleared.

    Args:
        labels: `row`, `group` and the ranks, uniform within a group.
        bins: BIN of each row, nulls allowed.
        conflicts: `group` and `rank` of the barcodes in conflict.

    Returns:
        The labels in the same order, and `changes.LOG`.
    """
    members = labels.with_columns(bin_groups(labels, bins)).filter(pl.col("bin").is_not_null())
    agreed = members.group_by("bin").agg(
        *(
            pl.when(pl.col(rank).min() == pl.col(rank).max()).then(pl.col(rank).max()).alias(f"{rank}_bin")
            for rank in RANKS
        ),
        *((pl.col(rank).min() != pl.col(rank).max()).fill_null(False).alias(f"{rank}_split") for rank in RANKS),
        *(pl.col(rank).count().alias(f"{rank}_labelled") for rank in RANKS),
        records=pl.len(),
    )
    depth = pl.col("rank").replace_strict({rank: number for number, rank in enumerate(RANKS)}, return_dtype=pl.Int64)
    members = (
        members.select("row", "group", "bin", *RANKS)
        .join(agreed, on="bin", how="left")
        .join(conflicts.select("group", cleared_from=depth), on="group", how="left")
    )
    follows = pl.lit(True)
    chosen = []
    for number, rank in enumerate(RANKS):
        follows = follows & (pl.col("cleared_from").is_null() | (pl.col("cleared_from") > number))
        own, theirs = pl.col(rank), pl.col(f"{rank}_bin")
        follows = follows & ~pl.col(f"{rank}_split") & (own.is_null() | theirs.is_null() | (own == theirs))
        chosen.append(pl.when(own.is_null() & follows).then(theirs).otherwise(own).alias(f"{rank}_new"))
    notes = pl.concat(
        members.select(
            key="row",
            field=pl.lit(rank),
            rule=pl.lit("INFERRED_FROM_BIN"),
            evidence=pl.format("{} of {} records of {} carry it", f"{rank}_labelled", "records", "bin"),
        )
        for rank in RANKS
    )
    return _replaced(labels, members.select("row", *chosen, touched=pl.lit(True)), notes)


def bin_conflicts(labels: pl.DataFrame, bins: pl.Series) -> pl.DataFrame:
    """Rows whose BIN has more than one label at class, order, family or genus.

    Species are not compared: a BIN may contain two closely related species (spec: taxonomy, conflicts).

    Args:
        labels: `row` and the ranks.
        bins: BIN of each row, nulls allowed.

    Returns:
        `row`, `bin` and one Boolean per rank, `<rank>_split`.
    """
    frame = labels.with_columns(bin=bins).filter(pl.col("bin").is_not_null())
    compared = ("class", "order", "family", "genus")
    split = (
        varied(frame, "bin", compared)
        .group_by("bin")
        .agg((pl.col(rank).min() != pl.col(rank).max()).fill_null(False).alias(f"{rank}_split") for rank in compared)
    )
    split = split.filter(pl.any_horizontal(pl.selectors.ends_with("_split")))
    return frame.select("row", "bin").join(split, on="bin", how="inner").sort("row")


def _replaced(labels: pl.DataFrame, chosen: pl.DataFrame, notes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    key = "group" if "group" in chosen.columns else "row"
    subset = labels.join(chosen, on=key, how="inner", maintain_order="left")
    after = subset.select(pl.col(f"{rank}_new").alias(rank) for rank in RANKS)
    log = differences(subset, after, notes.cast(NOTES), key)
    new = chosen.select(key, *(pl.col(f"{rank}_new").alias(rank) for rank in RANKS))
    return overlaid(labels, new, key).select("row", "group", *RANKS), log
