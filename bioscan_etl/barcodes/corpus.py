"""Flags that depend on the whole corpus: barcodes with contradictory labels, BINs or neighbours."""

from __future__ import annotations

import polars as pl

from bioscan_etl.barcodes.framed import framed
from bioscan_etl.barcodes.neighbours import misplaced
from bioscan_etl.barcodes.numbering import same_barcode
from bioscan_etl.barcodes.same import same_pairs
from bioscan_etl.flags import flags_from
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.settings import BarcodeSettings


def corpus_flags(
    specimens: pl.DataFrame, placements: pl.LazyFrame, settings: BarcodeSettings | None = None
) -> pl.DataFrame:
    """Flag barcodes that contradict others of the corpus.

    Three rules: the barcode occurs under several species, in several BINs, or its nearest neighbours belong to
    another order. For species, barcodes are compared over shared columns, as far as they are placed (spec: DNA
    barcodes, the same over shared columns); for BINs, which BOLD gives to sequences, without N at both ends. A missing
    species, BIN or order contradicts nothing, and joins no two barcodes that are the same as its own.

    Args:
        specimens: a row per specimen with processid, barcode, species, dna_bin and, with settings, order (all text).
        placements: columns of `schema.PLACEMENTS`, of barcodes with a species at least; a barcode may occur in several
            rows, which are the same.
        settings: uses min_shared_columns and the neighbour search; if None, BARCODE_MISPLACED is not checked.

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
        .agg(BARCODE_SEVERAL_BINS=pl.col("dna_bin").drop_nulls().n_unique() > 1)
        .filter("BARCODE_SEVERAL_BINS")
    )
    least = (settings or BarcodeSettings()).min_shared_columns
    species = _of_several_species(hits, specimens["barcode"], placements, least)
    rules = ("BARCODE_MISPLACED", "BARCODE_SEVERAL_BINS", "BARCODE_SEVERAL_SPECIES")
    flags = flags_from({rule: pl.col(rule) for rule in rules})
    return (
        hits.lazy()
        .join(several, on="barcode", how="left")
        .join(species.select("barcode", BARCODE_SEVERAL_SPECIES=pl.lit(True)).lazy(), on="barcode", how="left")
        .select("processid", flags=flags)
        .sort("processid")
        .collect()
    )


def _of_several_species(hits: pl.DataFrame, texts: pl.Series, placements: pl.LazyFrame, least: int) -> pl.DataFrame:
    """The barcodes (their numbers) with a species that occur under another one, too, over shared columns.

    Only barcodes with a species are compared: one in ten of a large corpus, so that this costs little.
    """
    named = (
        hits.select("barcode", "species")
        .drop_nulls()
        .group_by("barcode")
        .agg(species=pl.col("species").min(), several=pl.col("species").n_unique() > 1)
        .sort("barcode")
    )
    wanted = named.select(number="barcode", barcode=texts.gather(named["barcode"]))
    placed = (
        placements.select(PLACEMENTS.names())
        .join(wanted.lazy(), on="barcode")
        .collect(engine="streaming")
        .unique("number", keep="any")
        .sort("number")
    )
    one, other = (placed["number"].gather(positions) for positions in same_pairs(framed(placed), least))
    labels = named.rename({"barcode": "number"})
    pairs = (
        pl.DataFrame({"one": one, "other": other})
        .join(labels, left_on="one", right_on="number")
        .join(labels, left_on="other", right_on="number", suffix="_other")
        .filter((pl.col("species") != pl.col("species_other")) | pl.col("several") | pl.col("several_other"))
    )
    found = pl.concat([named.filter("several")["barcode"], pairs["one"], pairs["other"]])
    return found.unique().to_frame("barcode")


def _is_misplaced(specimens: pl.DataFrame, numbers: pl.Series, settings: BarcodeSettings) -> pl.Series:
    # Computed once per barcode and order, then joined by the barcode's number: texts are neither joined nor copied.
    nodes = specimens.select("order", number=numbers).drop_nulls().unique().sort("number", "order")
    nodes = nodes.with_columns(barcode=specimens["barcode"].gather(nodes["number"]))
    found = misplaced(nodes, settings)
    # Few are found: a join of all texts would copy them.
    nodes = nodes.filter(pl.col("barcode").is_in(found["barcode"].implode()))
    found = nodes.join(found, on=["barcode", "order"], how="semi")
    rows = specimens.select("order", number=numbers)
    marked = rows.join(
        found.select("number", "order", found=pl.lit(True)), on=["number", "order"], how="left", maintain_order="left"
    )
    return marked["found"].fill_null(False)
