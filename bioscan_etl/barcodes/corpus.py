"""What the whole corpus says of a barcode: labels and BINs that contradict each other."""

from __future__ import annotations

import numpy as np
import polars as pl

from bioscan_etl.barcodes.neighbours import misplaced
from bioscan_etl.settings import BarcodeSettings


def corpus_flags(specimens: pl.DataFrame, settings: BarcodeSettings | None = None) -> pl.DataFrame:
    """Flag barcodes that contradict others of the corpus.

    Three rules: the barcode occurs under several species, in several BINs, or its nearest neighbours are of
    another order. Barcodes are the same where their letters are, stripped of N at both ends. A missing species,
    BIN or order contradicts nothing.

    Args:
        specimens: a row per specimen with processid, barcode, species, dna_bin and, with settings, order (all text).
        settings: numbers of the search for neighbours; without them BARCODE_MISPLACED is not looked for.

    Returns:
        processid and flags (list of text, sorted; empty where nothing contradicts), a row per specimen,
        sorted by processid.
    """
    hits = specimens.select(
        "processid",
        "species",
        "dna_bin",
        same_barcode(specimens["barcode"]),
        BARCODE_MISPLACED=_is_misplaced(specimens, settings) if settings else pl.lit(False),
    )
    known = pl.col("barcode").is_not_null()
    several = (
        hits.lazy()
        .filter(known)
        .group_by("barcode")
        .agg(
            BARCODE_SEVERAL_SPECIES=pl.col("species").drop_nulls().n_unique() > 1,
            BARCODE_SEVERAL_BINS=pl.col("dna_bin").drop_nulls().n_unique() > 1,
        )
        .filter(pl.col("BARCODE_SEVERAL_SPECIES") | pl.col("BARCODE_SEVERAL_BINS"))
    )
    rules = ("BARCODE_MISPLACED", "BARCODE_SEVERAL_BINS", "BARCODE_SEVERAL_SPECIES")
    flags = pl.concat_list(pl.when(rule).then(pl.lit(rule)) for rule in rules).list.drop_nulls()
    return (
        hits.lazy().join(several, on="barcode", how="left").select("processid", flags=flags).sort("processid").collect()
    )


def _is_misplaced(specimens: pl.DataFrame, settings: BarcodeSettings) -> pl.Series:
    found = misplaced(specimens.select("barcode", "order"), settings).select("barcode", "order", found=pl.lit(True))
    marked = specimens.select("barcode", "order").join(
        found, on=["barcode", "order"], how="left", maintain_order="left"
    )
    return marked["found"].fill_null(False)


def same_barcode(barcodes: pl.Series) -> pl.Series:
    """Number barcodes, so that equal ones have equal numbers: what is grouped by numbers copies no letters.

    Args:
        barcodes: text, nulls allowed.

    Returns:
        `barcode`, UInt32: the position of the first row with the same barcode; null for null.
    """
    barcodes = barcodes.rechunk()  # texts are gathered without a copy from one chunk only
    hashes = barcodes.hash().to_numpy()
    order = np.argsort(hashes, kind="stable")
    starts = np.diff(hashes[order], prepend=~hashes[order[:1]]) != 0
    first = order[starts][np.cumsum(starts) - 1]
    numbers = np.empty(len(order), np.uint32)
    numbers[order] = first
    if not (barcodes.ne_missing(barcodes.gather(pl.Series(numbers)))).any():
        return pl.select(pl.when(barcodes.is_not_null()).then(pl.Series(numbers)).alias("barcode")).to_series()
    # Two barcodes have one hash: one corpus in millions.
    frame = barcodes.to_frame("barcode").with_row_index("row")
    same = pl.when(pl.col("barcode").is_not_null()).then(pl.col("row").min().over("barcode"))
    return frame.select(same.cast(pl.UInt32).alias("barcode")).to_series()
