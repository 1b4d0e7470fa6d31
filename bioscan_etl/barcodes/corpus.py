"""Flags that depend on the whole corpus: barcodes with contradictory labels, BINs or neighbours."""

from __future__ import annotations

import polars as pl

from bioscan_etl.barcodes.neighbours import misplaced
from bioscan_etl.barcodes.numbering import same_barcode
from bioscan_etl.flags import flags_from
from bioscan_etl.settings import BarcodeSettings


def corpus_flags(specimens: pl.DataFrame, settings: BarcodeSettings | None = None) -> pl.DataFrame:
    """Flag barcodes that contradict others of the corpus.

    Three rules: the barcode occurs under several species, in several BINs, or its nearest neighbours belong to
    another order. Barcodes are compared without N at both ends. A missing species, BIN or order contradicts nothing.

    Args:
        specimens: a row per specimen with processid, barcode, species, dna_bin and, with settings, order (all text).
        settings: settings of the neighbour search; if None, BARCODE_MISPLACED is not checked.

    Returns:
        processid and flags (list of text, sorted; empty if nothing contradicts), a row per specimen,
        sorted by processid.
    """
    specimens = specimens.rechunk()
    hits = specimens.select("processid", "species", "dna_bin", same_barcode(specimens["barcode"]))
    found = _is_misplaced(specimens, hits["barcode"], settings) if settings else pl.lit(False)
    hits = hits.with_columns(found.alias("BARCODE_MISPLACED"))
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
    flags = flags_from({rule: pl.col(rule) for rule in rules})
    return (
        hits.lazy().join(several, on="barcode", how="left").select("processid", flags=flags).sort("processid").collect()
    )


def _is_misplaced(specimens: pl.DataFrame, numbers: pl.Series, settings: BarcodeSettings) -> pl.Series:
    # Computed once per barcode and order, then joined by the barcode's number: texts are neither joined nor copied.
    nodes = specimens.select("order", number=numbers).drop_nulls().unique().sort("number", "order")
    nodes = nodes.with_columns(barcode=specimens["barcode"].gather(nodes["number"]))
    found = nodes.join(misplaced(nodes, settings), on=["barcode", "order"], how="semi")
    rows = specimens.select("order", number=numbers)
    marked = rows.join(
        found.select("number", "order", found=pl.lit(True)), on=["number", "order"], how="left", maintain_order="left"
    )
    return marked["found"].fill_null(False)
