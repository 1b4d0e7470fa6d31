"""What must hold of the released specimens, whatever the file they are read from.

Belongs here: the invariants of partitioning, taxonomy and naming that a release states to its users.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.faults import Fault, faulty_rows
from bioscan_etl.release.metadata import chunk, looks_missing

_SEEN, _UNSEEN = ("train", "val", "test"), ("key_unseen", "val_unseen", "test_unseen")


def duplicates(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Process IDs that occur more than once."""
    twice = rows.group_by("processid").len().filter(pl.col("len") > 1).sort("processid")
    yield from faulty_rows(name, twice, "occurs {len} times")


def invariants(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    """What must hold of the released specimens (spec: partitioning, taxonomic labels, the release).

    Args:
        rows: `schema.METADATA_EXTENDED`.
        name: where they are from.
    """
    yield from duplicates(rows, name)
    for column in schema.METADATA_EXTENDED.columns:
        value = pl.col(column.name)
        if column.allowed:
            wrong = rows.filter(value.is_not_null() & ~value.is_in(list(column.allowed)))
            shown = wrong.select("processid", value=value)
            yield from faulty_rows(name, shown, f"{column.name} {{value}} is not in its vocabulary")
    if rows.filter(~pl.col("processid").str.contains(schema.PROCESSID_PATTERN)).height:
        unsafe = rows.filter(~pl.col("processid").str.contains(schema.PROCESSID_PATTERN))
        yield from faulty_rows(name, unsafe.select("processid"), "is no process ID: letters, digits and - only")
    yield from faulty_rows(
        name, rows.filter(looks_missing(pl.col("processid"))).select("processid"), "reads as missing"
    )
    expected = rows.select("processid", "chunk", expected=chunk(rows["processid"], rows["split"]))
    yield from faulty_rows(
        name, expected.filter(pl.col("chunk") != pl.col("expected")), "chunk is {chunk}, its md5 says {expected}"
    )
    deepest = [pl.col(rank) for rank in reversed(schema.RANKS)]
    # A filler, such as subfamily `unassigned Culicidae`, is no name: taxon may pass it over.
    named = pl.coalesce(pl.when(~rank.str.starts_with("unassigned ")).then(rank) for rank in deepest)
    labels = pl.coalesce(deepest)
    wrong = rows.filter(pl.col("taxon").ne_missing(labels) & pl.col("taxon").ne_missing(named)).select(
        "processid", "taxon", deepest=labels
    )
    yield from faulty_rows(name, wrong, "taxon is {taxon}, the deepest label {deepest}")
    yield from _barcodes(rows, name)
    yield from _species(rows, name)


def _barcodes(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    # The identity of a barcode is the released sequence, stripped of N at both ends (spec: DNA barcodes).
    stripped = pl.col("dna_barcode").str.strip_chars("N")
    for columns, what in ((["split"], "partitions"), (list(schema.RANKS), "labels")):
        # Hashes first: sequences of millions of rows are not copied; what they point at is looked at in full.
        hashed = rows.select(barcode=stripped.hash(), value=pl.struct(columns).hash())
        several = hashed.unique().group_by("barcode").len().filter(pl.col("len") > 1)
        suspects = rows.filter(hashed["barcode"].is_in(several["barcode"].to_list())).select(
            "processid", *columns, barcode=stripped
        )
        distinct = suspects.select("barcode", *columns).unique().group_by("barcode").len()
        bad = suspects.join(distinct.filter(pl.col("len") > 1), on="barcode", how="semi").sort("barcode", "processid")
        yield from faulty_rows(name, bad.select("processid", "barcode"), f"its barcode {{barcode}} has several {what}")


def _species(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    labelled = rows.filter(pl.col("species").is_not_null()).select("processid", "species", "split")
    yield from faulty_rows(
        name, labelled.filter(pl.col("split") == "pretrain"), "is in pretrain, but has the species {species}"
    )
    unlabelled = rows.filter(pl.col("species").is_null() & (pl.col("split") != "pretrain"))
    yield from faulty_rows(name, unlabelled.select("processid", "split"), "is in {split}, but has no species")
    seen = labelled.filter(pl.col("split").is_in(_SEEN)).select("species").unique()
    both = labelled.filter(pl.col("split").is_in(_UNSEEN)).join(seen, on="species", how="semi").sort("processid")
    yield from faulty_rows(name, both, "is in {split}, but {species} is in a seen partition too")
    keys = labelled.filter(pl.col("split") == "key_unseen").select("species").unique()
    queries = labelled.filter(pl.col("split").is_in(["val_unseen", "test_unseen"]))
    without = queries.join(keys, on="species", how="anti").sort("processid")
    yield from faulty_rows(name, without, "is in {split}, but no record of {species} is in key_unseen")
