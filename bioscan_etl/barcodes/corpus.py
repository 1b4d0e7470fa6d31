"""What the whole corpus says of a barcode: labels and BINs that contradict each other."""

from __future__ import annotations

import polars as pl


def corpus_flags(specimens: pl.DataFrame) -> pl.DataFrame:
    """Flag barcodes that occur under several species or in several BINs.

    Barcodes are the same where their letters are, stripped of N at both ends. A missing species or BIN
    contradicts nothing.

    Args:
        specimens: a row per specimen with processid, barcode, species, dna_bin (all text).

    Returns:
        processid and flags (list of text, sorted; empty where nothing contradicts), a row per specimen,
        sorted by processid.
    """
    several = (
        specimens.lazy()
        .filter(pl.col("barcode").is_not_null())
        .group_by("barcode")
        .agg(
            species=pl.col("species").drop_nulls().n_unique() > 1,
            bins=pl.col("dna_bin").drop_nulls().n_unique() > 1,
        )
        .filter(pl.col("species") | pl.col("bins"))
        .select(
            "barcode",
            flags=pl.concat_list(
                pl.when("bins").then(pl.lit("BARCODE_SEVERAL_BINS")),
                pl.when("species").then(pl.lit("BARCODE_SEVERAL_SPECIES")),
            ).list.drop_nulls(),
        )
    )
    empty = pl.lit([], pl.List(pl.String))
    return (
        specimens.lazy()
        .select("processid", "barcode")
        .join(several, on="barcode", how="left")
        .select("processid", pl.col("flags").fill_null(empty))
        .sort("processid")
        .collect()
    )
