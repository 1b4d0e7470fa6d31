"""What must hold for the released specimens, independent of the file they are read from.

Belongs here: the invariants of partitioning, taxonomy and naming that a release states to its users.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.processids import unfit
from bioscan_etl.release.check.agreement import Rows, duplicates
from bioscan_etl.release.check.faults import Fault, faulty_rows
from bioscan_etl.release.metadata import chunk, looks_missing

_SEEN, _UNSEEN = ("train", "val", "test"), ("key_unseen", "val_unseen", "test_unseen")


ROWS = ("processid", "split", *vocabulary.RANKS)
"""Columns that the invariants of the whole corpus are about, beside the barcode."""
UNLABELLED_IN = ("pretrain",)
"""Partitions in which a specimen may lack a species, if each barcode is assigned by itself."""


def row_findings(rows: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, str]]:
    """What is wrong with single rows (spec: taxonomy; spec: the release).

    Args:
        rows: `schema.METADATA_EXTENDED`, some or all.

    Yields:
        Faulty rows, and what is wrong with them.
    """
    for column in schema.METADATA_EXTENDED.columns:
        value = pl.col(column.name)
        if column.allowed:
            wrong = rows.filter(value.is_not_null() & ~value.is_in(list(column.allowed)))
            yield wrong.select("processid", value=value), f"{column.name} {{value}} is not in its vocabulary"
    processid = pl.col("processid")
    reason = pl.coalesce(unfit(processid), pl.when(looks_missing(processid)).then(pl.lit("reads as missing")))
    yield rows.select("processid", reason=reason).filter(pl.col("reason").is_not_null()), "{reason}"
    expected = rows.select("processid", "chunk", expected=chunk(rows["processid"], rows["split"]))
    yield expected.filter(pl.col("chunk") != pl.col("expected")), "chunk is {chunk}, its md5 says {expected}"
    deepest = [pl.col(rank) for rank in reversed(vocabulary.RANKS)]
    # A filler, such as subfamily `unassigned Culicidae`, is not a name: taxon may skip it.
    named = pl.coalesce(pl.when(~rank.str.starts_with("unassigned ")).then(rank) for rank in deepest)
    labels = pl.coalesce(deepest)
    wrong = rows.filter(pl.col("taxon").ne_missing(labels) & pl.col("taxon").ne_missing(named))
    yield wrong.select("processid", "taxon", deepest=labels), "taxon is {taxon}, the deepest label {deepest}"


def invariants(
    rows: pl.DataFrame, barcodes: pl.Series, data: Rows, unlabelled_in: Collection[str] = UNLABELLED_IN
) -> Iterator[Fault]:
    """What must hold for all released specimens together (spec: partitioning; spec: taxonomy).

    Args:
        rows: `ROWS` of all specimens.
        barcodes: a hash of each one's barcode, stripped of N.
        data: the form that they are read from; only rows whose hashes are suspect are read again.
        unlabelled_in: partitions in which a specimen may lack a species; more than pretrain where it stays with its
            BIN, or with barcodes that it overlaps.
    """
    yield from duplicates(rows, data.name)
    yield from _barcodes(rows, barcodes, data)
    yield from _species(rows, data.name, unlabelled_in)


def barcode_hash() -> pl.Expr:
    """A hash of the identity of a barcode: the released sequence, stripped of N at both ends (spec: DNA barcodes)."""
    return _STRIPPED.hash().alias("barcode")


_STRIPPED = pl.col("dna_barcode").str.strip_chars("N")


def _barcodes(rows: pl.DataFrame, barcodes: pl.Series, data: Rows) -> Iterator[Fault]:
    for columns, what in ((["split"], "partitions"), (list(vocabulary.RANKS), "labels")):
        # Hashes first: the sequences of millions of rows are not held; only suspect rows are read in full.
        hashed = rows.select(barcode=barcodes, value=pl.struct(columns).hash())
        several = hashed.unique().group_by("barcode").len().filter(pl.col("len") > 1)["barcode"]
        suspects = rows.filter(hashed["barcode"].is_in(several.implode())).select("processid")
        if suspects.is_empty():
            continue
        found = [
            piece.join(suspects, on="processid", how="semi").with_columns(barcode=_STRIPPED)
            for piece in data.pieces(["dna_barcode", *columns])
        ]
        read = pl.concat(found).select("processid", "barcode", *columns)
        distinct = read.select("barcode", *columns).unique().group_by("barcode").len()
        bad = read.join(distinct.filter(pl.col("len") > 1), on="barcode", how="semi").sort("barcode", "processid")
        shown = bad.select("processid", "barcode")
        yield from faulty_rows(data.name, shown, f"its barcode {{barcode}} has several {what}")


def _species(rows: pl.DataFrame, name: str, unlabelled_in: Collection[str]) -> Iterator[Fault]:
    labelled = rows.filter(pl.col("species").is_not_null()).select("processid", "species", "split")
    yield from faulty_rows(
        name, labelled.filter(pl.col("split") == "pretrain"), "is in pretrain, but has the species {species}"
    )
    unlabelled = rows.filter(pl.col("species").is_null() & ~pl.col("split").is_in(list(unlabelled_in)))
    yield from faulty_rows(name, unlabelled.select("processid", "split"), "is in {split}, but has no species")
    seen = labelled.filter(pl.col("split").is_in(_SEEN)).select("species").unique()
    both = labelled.filter(pl.col("split").is_in(_UNSEEN)).join(seen, on="species", how="semi").sort("processid")
    yield from faulty_rows(name, both, "is in {split}, but {species} is in a seen partition too")
    keys = labelled.filter(pl.col("split") == "key_unseen").select("species").unique()
    queries = labelled.filter(pl.col("split").is_in(["val_unseen", "test_unseen"]))
    without = queries.join(keys, on="species", how="anti").sort("processid")
    yield from faulty_rows(name, without, "is in {split}, but no record of {species} is in key_unseen")
