"""Do the released barcodes follow from the delivered nucleotides?

Belongs here: cleaning and checking `dna_barcode_verbatim` again, and barcodes that occur in several BINs. Does not
belong here: flags that only lengths and letters of the released barcode decide (`settings_rows`), and partitions and
labels of equal barcodes (`corpus`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.barcodes.identity import as_released, barcode_identity
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.recomputed import first_before, restored
from bioscan_etl.settings import BarcodeSettings

# Flags that nucleotides and lineage alone decide. BASECOUNT_MISMATCH and BIN_INVALID rest on what is not released.
_FLAGS = (
    "BARCODE_AMBIGUOUS",
    "BARCODE_LONG",
    "BARCODE_SHORT",
    "GAP_BREAKS_FRAME",
    "GAP_REMOVED",
    "HOMOPOLYMER",
    "INVALID_LETTERS",
    "LOW_COMPLEXITY",
    "NO_OPEN_READING_FRAME",
    "REVERSE_COMPLEMENT",
)
_LINEAGE = ("phylum", "class")
_COLUMNS = ("dna_barcode_verbatim", "dna_barcode", "dna_bin", "flags", "batch", *_LINEAGE)
_BINS = {"processid": pl.String, "dna_bin": pl.String, "barcode": pl.UInt64, "flag": pl.Boolean}


def check(data: Rows, log: pl.DataFrame, settings: BarcodeSettings) -> Iterator[Fault]:
    """Check the barcodes against the nucleotides as delivered.

    Args:
        data: the released rows, read in pieces.
        log: `schema.CHANGES`, sorted.
        settings: as stated.
    """
    delivered = {rank: first_before(log, rank) for rank in _LINEAGE}
    listing = Listing()
    bins = [pl.DataFrame(schema=_BINS)]
    for piece in data.pieces(_COLUMNS):
        rows = piece.unique("processid", keep="first", maintain_order=True)
        # The genetic code is chosen by the lineage as delivered.
        rows = rows.with_columns(restored(rows, delivered[rank], rank) for rank in _LINEAGE)
        absent = rows.filter(pl.col("dna_barcode_verbatim").is_null())
        listing.add(data.name, absent, "has a barcode, but no nucleotides as delivered")
        again = check_barcodes(_records(rows).lazy(), settings)
        both = rows.join(again.select("processid", again="dna_barcode", raised="flags"), on="processid", how="left")
        wrong = both.filter(as_released(pl.col("again")).ne_missing(pl.col("dna_barcode")))
        listing.add(data.name, wrong, "its barcode {dna_barcode} is not that of its nucleotides, {again}")
        for flag in _FLAGS:
            has, should = (pl.col(column).list.contains(flag) for column in ("flags", "raised"))
            listing.add(data.name, both.filter(should & ~has), f"lacks the flag {flag}, which its nucleotides give")
            listing.add(
                data.name, both.filter(has & ~should), f"has the flag {flag}, which its nucleotides do not give"
            )
        several = pl.col("flags").list.contains("BARCODE_SEVERAL_BINS")
        hashed = barcode_identity(pl.col("dna_barcode")).hash()
        bins.append(rows.select("processid", "dna_bin", barcode=hashed, flag=several).drop_nulls("dna_bin"))
    yield from listing.faults()
    yield from _bins(pl.concat(bins), data.name)


def _records(rows: pl.DataFrame) -> pl.DataFrame:
    """The released specimens as records: what is not released is missing."""
    given = rows.select("processid", "batch", *_LINEAGE, nuc="dna_barcode_verbatim", bin_uri="dna_bin")
    others = [column for column in schema.RECORDS.columns if column.name not in given.columns]
    return given.with_columns(pl.lit(None, column.dtype).alias(column.name) for column in others)


def _bins(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Barcodes in several BINs that are not flagged. Quarantined specimens can be why others are."""
    several = rows.group_by("barcode").agg(bins=pl.col("dna_bin").n_unique()).filter(pl.col("bins") > 1)
    wrong = rows.filter(~pl.col("flag")).join(several, on="barcode", how="semi").sort("processid")
    message = "is in {dna_bin} and lacks the flag BARCODE_SEVERAL_BINS: its barcode is in other BINs too"
    yield from faulty_rows(name, wrong, message)
