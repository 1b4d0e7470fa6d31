"""Are the partitions those of the stated protocol?

Belongs here: assigning the released specimens again by the protocol's own code, and the memory that `stable` leaves.
Does not belong here: what must hold for partitions of every protocol (`corpus`).

Both protocols look only at labelled specimens and at those that share a barcode with one; all others are in pretrain.
What `bioscan-5m` chooses among barcodes of one species and size depends on numpy's sorting, and so on the machine:
so only the numbers of barcodes by species, size and partition are compared, for which no barcode texts are held.
`stable` does not depend on the machine, but on what earlier releases assigned: a first release is assigned again; if
there was an earlier one, only the memory is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.errors import BioscanError
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.settings_logs import Logs
from bioscan_etl.release.check.settings_stated import Stated, log_pieces
from bioscan_etl.release.manifest import Manifest
from bioscan_etl.release.scan import MOVES
from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits.leakage import leaking
from bioscan_etl.splits.overlaps import barcode_groups
from bioscan_etl.splits.partition import partition
from bioscan_etl.vocabulary import LEAKAGE_PAIRS

VERIFIED = MappingProxyType(
    {
        "splits.protocol": "bioscan-5m: the partitions are assigned anew; stable: they are those of the memory",
        "splits.seed": "stable, in a first release: the partitions are assigned anew",
        "splits.keep_bins_together": "where true: no BIN is in two partitions; in a first release: as splits.seed",
        "splits.keep_overlaps_together": "where true: no evaluated barcode is the same as a trained one over shared "
        "columns; in a first release: as splits.seed",
    }
)
"""Settings that are verified here, and how."""

MEMORY = "partition_memory.parquet"
_FIRST = "v1"
_TEXTS = ("genus", "species")
_COLUMNS = ("split", "genus", "species", "dna_bin", "dna_barcode")
_STATED = ("splits.seed", "splits.keep_bins_together", "splits.keep_overlaps_together")
_COMPARED = sorted({name for pair in LEAKAGE_PAIRS for name in pair})
# What the protocols' code may raise on labels and barcodes that no pipeline makes.
_FAILURES = (BioscanError, pl.exceptions.PolarsError, ValueError, IndexError, OverflowError)


def check(
    root: Path, manifest: Manifest, stated: Stated, data: Rows, rows: pl.DataFrame, logs: Logs
) -> Iterator[Fault]:
    """Check the partitions against the stated protocol.

    Args:
        root: the release's folder.
        manifest: its version.
        stated: the settings.
        data: the released rows, read in pieces.
        rows: processid, split of the released specimens, once each.
        logs: labels that were rewritten after the specimens were partitioned.
    """
    if "splits.protocol" not in stated:
        return
    # A release that was made before there was this setting kept no overlaps together.
    overlaps = "splits.keep_overlaps_together" in stated and stated["splits.keep_overlaps_together"]
    remembers = is_plain(root, MEMORY)
    rewritten = pl.concat(logs.rewritten).sort("step").unique(["processid", "field"], keep="first")
    if stated["splits.protocol"] == "stable":
        if stated["splits.keep_bins_together"]:
            yield from _bins(data)
        # Placing barcodes takes longest, so those that are placed here are not placed again below.
        placed = schema.PLACEMENTS.empty()
        if overlaps:
            table, least = _compared(data), stated.settings.barcodes.min_shared_columns
            numbers = numbered(table.lazy(), placed.lazy(), least)
            yield from _overlaps(data.name, table, numbers, least)
            placed = numbers[0]
        if remembers:
            yield from _stable(root, manifest, stated, data, rows, rewritten, placed)
        else:
            yield Fault(MEMORY, None, "is missing: splits.protocol stable leaves it for the next release")
        return
    if remembers:
        yield Fault(MEMORY, None, "is there: splits.protocol bioscan-5m remembers nothing")
    yield from _published(stated, data, rewritten)


def _restored(piece: pl.DataFrame, rewritten: pl.DataFrame) -> pl.DataFrame:
    """Genus and species as they were when the specimens were partitioned."""
    for name in _TEXTS:
        before = rewritten.filter(pl.col("field") == name)
        if before.height:
            before = before.select("processid", "before", found=pl.lit(value=True))
            joined = piece.join(before, on="processid", how="left", maintain_order="left")
            piece = joined.with_columns(pl.when("found").then("before").otherwise(name).alias(name)).drop(
                "before", "found"
            )
    return piece


def _published(stated: Stated, data: Rows, rewritten: pl.DataFrame) -> Iterator[Fault]:
    """Species with another number of barcodes of one size in a partition than the protocol puts there."""
    labelled = [
        _restored(piece, rewritten)
        .filter(pl.col("species").is_not_null())
        # Only the number of records of each barcode matters, not its letters.
        .with_columns(dna_barcode=pl.col("dna_barcode").str.strip_chars("N").hash().cast(pl.String))
        for piece in data.pieces(("split", "genus", "species", "dna_barcode"))
    ]
    table = pl.concat(labelled) if labelled else pl.DataFrame()
    if table.is_empty():
        return
    try:
        expected = partition(table.drop("split"), stated.settings.splits)
    except _FAILURES as error:
        yield Fault(data.name, None, f"splits.protocol bioscan-5m cannot be followed: {str(error).splitlines()[0]}")
        return
    both = table.join(expected.rename({"split": "expected"}), on="processid", how="left")
    wrong = _census(both, "split").join(
        _census(both, "expected"), on=["species", "size", "split"], how="full", coalesce=True, suffix="_expected"
    )
    found, wanted = pl.col("barcodes").fill_null(0), pl.col("barcodes_expected").fill_null(0)
    differing = wrong.with_columns(found=found, wanted=wanted).filter(pl.col("found") != pl.col("wanted"))
    message = (
        "{found} barcodes of {species} with {size} records each are in {split}; splits.protocol bioscan-5m puts "
        "{wanted} there"
    )
    yield from faulty_rows(data.name, differing.sort("species", "size", "split"), message)
    # Where there are too many, one of these is in the wrong place: those that the protocol puts elsewhere come first.
    sizes = both.with_columns(size=pl.len().over("species", "dna_barcode", "split"))
    many = differing.filter(pl.col("found") > pl.col("wanted")).select("species", "size", "split", "found", "wanted")
    suspects = sizes.join(many, on=["species", "size", "split"], how="inner")
    suspects = suspects.sort(pl.col("split") == pl.col("expected"), "species", "processid")
    message = "is one of {found} barcodes of {species} in {split}, where splits.protocol bioscan-5m puts {wanted}"
    yield from faulty_rows(data.name, suspects, message)


def _census(rows: pl.DataFrame, split: str) -> pl.DataFrame:
    """species, size, split and the number of barcodes of so many records."""
    sizes = rows.group_by("species", "dna_barcode", pl.col(split).alias("split")).agg(size=pl.len())
    return sizes.group_by("species", "size", "split").agg(barcodes=pl.len())


def _stable(
    root: Path,
    manifest: Manifest,
    stated: Stated,
    data: Rows,
    rows: pl.DataFrame,
    rewritten: pl.DataFrame,
    placed: pl.DataFrame,
) -> Iterator[Fault]:
    """Where memory and moves disagree with the partitions, and these with those of a first release."""
    listing = Listing()
    split = rows.select("processid", "split")
    remembered, gone = 0, 0
    for piece in log_pieces(root, MEMORY, schema.PARTITION_MEMORY, ("processid", "split")):
        both = piece.join(split, on="processid", how="inner", suffix="_here")
        remembered, gone = remembered + both.height, gone + piece.height - both.height
        message = "is remembered in {split}, and is in {split_here} of data, against splits.protocol stable"
        listing.add(MEMORY, both.filter(pl.col("split") != pl.col("split_here")), message)
    yield from listing.faults()
    yield from _remembered(root, data, rewritten)
    if remembered != rows.height:
        message = f"remembers {remembered} of {rows.height} specimens; splits.protocol stable remembers all"
        yield Fault(MEMORY, None, message)
    moved, listing = 0, Listing()
    for piece in log_pieces(root, MOVES, schema.PARTITION_MOVES, ("processid", "after")):
        moved += piece.height
        both = piece.join(split, on="processid", how="left")
        message = "has moved to {after}, but is in {split} of data, against splits.protocol stable"
        listing.add(MOVES, both.filter(pl.col("after").ne_missing(pl.col("split"))), message)
    yield from listing.faults()
    if manifest.version == _FIRST and not moved and not gone and remembered == rows.height:
        yield from _first(stated, data, rewritten, placed)


def _remembered(root: Path, data: Rows, rewritten: pl.DataFrame) -> Iterator[Fault]:
    """Labels, BINs and barcodes that the memory has otherwise than the released rows."""
    kept = ("genus", "species", "dna_bin")
    hashed = barcode_identity(pl.col("dna_barcode")).hash()
    pieces = [
        piece.select("processid", *kept, barcode=hashed)
        for piece in log_pieces(root, MEMORY, schema.PARTITION_MEMORY, ("processid", *kept, "dna_barcode"))
    ]
    if not pieces:
        return
    memory, listing = pl.concat(pieces), Listing()
    for piece in data.pieces((*kept, "dna_barcode")):
        rows = _restored(piece, rewritten).select("processid", *kept, barcode=hashed)
        both = rows.join(memory, on="processid", how="inner", suffix="_there")
        for name in kept:
            wrong = both.filter(pl.col(name).ne_missing(pl.col(f"{name}_there")))
            shown = wrong.select("processid", here=name, there=f"{name}_there")
            listing.add(MEMORY, shown, f"has the {name} {{there}}, data has {{here}}")
        listing.add(
            MEMORY, both.filter(pl.col("barcode").ne_missing(pl.col("barcode_there"))), "has another barcode than data"
        )
    yield from listing.faults()


def _first(stated: Stated, data: Rows, rewritten: pl.DataFrame, placed: pl.DataFrame) -> Iterator[Fault]:
    """Specimens that are not where the protocol puts them when nothing was assigned before."""
    chosen = ("splits.protocol", *_STATED)
    splits = SplitSettings.model_validate(
        {"keep_overlaps_together": False}
        | {name.removeprefix("splits."): stated[name] for name in chosen if name in stated}
    )
    # Unlabelled specimens matter by the barcodes that they share, and by the BINs and overlapping barcodes they join.
    overlaps = splits.keep_overlaps_together
    with_species = [
        _restored(piece, rewritten).filter(pl.col("species").is_not_null()) for piece in data.pieces(_COLUMNS)
    ]
    if not with_species:
        return
    table = pl.concat(with_species)
    barcodes = table.select(hash=_stripped().hash()).unique().to_series().implode()
    others = [
        piece.filter(pl.col("species").is_null())
        .with_columns(hash=_stripped().hash(), shared=_stripped().hash().is_in(barcodes))
        .filter(pl.col("shared") | pl.lit(splits.keep_bins_together or overlaps))
        .with_columns(
            dna_barcode=pl.when(pl.col("shared") | pl.lit(overlaps))
            .then("dna_barcode")
            .otherwise(pl.col("hash").cast(pl.String))
        )
        .drop("hash", "shared")
        for piece in data.pieces(_COLUMNS)
    ]
    table = pl.concat([table, *others]).with_columns(dna_barcode=_stripped())
    if table.is_empty():
        return
    try:
        least = stated.settings.barcodes.min_shared_columns
        groups = barcode_groups(table, None, least, placed) if overlaps else None
        expected = partition(table.drop("split"), splits, groups)
    except _FAILURES as error:
        yield Fault(data.name, None, f"splits.protocol stable cannot be followed: {str(error).splitlines()[0]}")
        return
    both = table.select("processid", "split").join(expected.rename({"split": "expected"}), on="processid", how="left")
    wrong = both.filter(pl.col("split").ne_missing(pl.col("expected"))).sort("processid")
    shown = ", ".join(stated.shown(name) for name in _STATED if name in stated)
    yield from faulty_rows(
        data.name, wrong, f"is in {{split}}; splits.protocol stable puts it in {{expected}} ({shown})"
    )


def _stripped() -> pl.Expr:
    return pl.col("dna_barcode").str.strip_chars("N")


def _bins(data: Rows) -> Iterator[Fault]:
    """BINs in several partitions."""
    pairs = [piece.select("dna_bin", "split").drop_nulls().unique() for piece in data.pieces(("dna_bin", "split"))]
    if not pairs:
        return
    several = pl.concat(pairs).unique().sort("dna_bin", "split").group_by("dna_bin", maintain_order=True)
    found = several.agg(splits=pl.col("split").str.join(", "), many=pl.len()).filter(pl.col("many") > 1)
    message = "{dna_bin} is in several partitions ({splits}), against splits.keep_bins_together True"
    yield from faulty_rows(data.name, found, message)


def _compared(data: Rows) -> pl.DataFrame:
    """processid, split and dna_barcode of the specimens of the partitions that are compared, once each."""
    empty = pl.DataFrame(schema=dict.fromkeys(("processid", "split", "dna_barcode"), pl.String))
    rows = [
        piece.select(empty.columns).filter(pl.col("split").is_in(_COMPARED))
        for piece in data.pieces(("split", "dna_barcode"))
    ]
    return pl.concat([empty, *rows]).unique("processid", keep="first", maintain_order=True)


def _overlaps(
    name: str, table: pl.DataFrame, numbers: tuple[pl.DataFrame, pl.DataFrame], least: int
) -> Iterator[Fault]:
    """Evaluated barcodes that are the same as a trained one over shared columns.

    Args:
        name: of the form that the rows are read from.
        table: of `_compared`.
        numbers: `schema.BARCODES` and `schema.BARCODE_IDS` of these.
        least: columns that two barcodes must share.
    """
    message = "is in {evaluated}, its barcode is the same as one in {known}, against splits.keep_overlaps_together True"
    yield from faulty_rows(name, leaking(*numbers, table, least), message)
