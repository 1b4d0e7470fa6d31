"""Changes between two snapshots of the same records.

Belongs here: comparing the values of records that are in both snapshots, field by field, and listing records that are
in only one. Does not belong here: which snapshot is correct; the later one is used (`supersede`).

BOLD's packages write the same value in different ways, so values are compared in a common spelling (`same`), and
shown as delivered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl.geography.coordinates import parse_coordinates
from bioscan_etl.geography.dates import parse_date
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.progress import Progress, silent
from bioscan_etl.records.counts import Counts
from bioscan_etl.records.extract import extract
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.records.values import number
from bioscan_etl.schema import RECORDS
from bioscan_etl.settings import RecordSettings

_UNCOMPARED = ("processid", "record_id", "batch", "source_file", "source_line", "snapshot_date", "flags", "verbatim")
_DATES = (
    "processid_minted_date",
    "bin_created_date",
    "collection_date_start",
    "collection_date_end",
    "sequence_upload_date",
)
_NUMBERS = ("specimenid", "taxid", "geoid", "coord_accuracy", "elev", "elev_accuracy", "depth", "depth_accuracy")
_COUNTS = ("nuc_basecount", "image_measurement_value", "index_bioscan_1M_insect")
_ARRAYS = ("bold_recordset_code_arr",)

CHANGES = {"processid": pl.String, "field": pl.String, "before": pl.String, "after": pl.String}
FIELDS = {"field": pl.String, "changed": pl.Int64, "filled": pl.Int64, "emptied": pl.Int64}
MEMBERSHIP = {"processid": pl.String, "status": pl.String}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a later snapshot differs from an earlier one.

    Attributes:
        changes: `CHANGES`, a row per record and field that differ, by processid and the order of the schema.
        fields: `FIELDS`, a row per compared field: how many records differ, of these how many had no value
            before (`filled`) or have none after (`emptied`); the most changed field first.
        membership: `MEMBERSHIP`, the records that are in only one snapshot: `added` or `removed`, by processid.
        shared: number of records in both.
        changed: number of these that differ in at least one field.
        uncompared: fields that the layout of one snapshot lacks.
    """

    changes: pl.DataFrame
    fields: pl.DataFrame
    membership: pl.DataFrame
    shared: int
    changed: int
    uncompared: tuple[str, ...]


def same(field: str) -> pl.Expr:
    """A field's values in the common spelling in which they are compared.

    Coordinates: the two numbers, without brackets and blanks. Dates: ISO, also from `28-Feb-2020`.
    Numbers: `10` equals `10.0`. Lists: their members in alphabetical order, without quotes. Nucleotides:
    upper case without gaps, because packages of 2023 have no gaps and later ones have BOLD's aligned form. Others:
    trimmed. Values that cannot be parsed are unchanged.
    """
    value = pl.col(field).str.strip_chars()
    if field == "coord":
        point = parse_coordinates(value)
        pair = pl.format("{},{}", point.struct.field("lat"), point.struct.field("lon"))
        return pl.coalesce(pair, value).alias(field)
    if field in _DATES:
        return pl.coalesce(parse_date(value).dt.to_string("%Y-%m-%d"), value).alias(field)
    if field in (*_NUMBERS, *_COUNTS):
        return pl.coalesce(number(value).cast(pl.String), value).alias(field)
    if field in _ARRAYS:
        members = value.str.strip_chars("[]").str.split(",")
        members = members.list.eval(pl.element().str.strip_chars(" '\""))
        return members.list.sort().list.join(",").alias(field)
    if field == "nuc":
        return value.str.replace_all("-", "", literal=True).str.to_uppercase().alias(field)
    return value


def compare(
    earlier: pl.LazyFrame | pl.DataFrame, later: pl.LazyFrame | pl.DataFrame, fields: Sequence[str] | None = None
) -> Comparison:
    """Compare two snapshots by process ID, with one field at a time in memory.

    Args:
        earlier: `schema.RECORDS`, one row per process ID.
        later: the same of the later snapshot.
        fields: the fields to compare; by default all of `schema.RECORDS` that describe the record.

    Returns:
        The comparison; both directions of time give the same rows with before and after swapped.
    """
    old, new = earlier.lazy(), later.lazy()
    chosen = tuple(name for name in RECORDS.names() if name not in _UNCOMPARED and (fields is None or name in fields))
    ids = [
        lazy.select("processid").with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(place)).collect()
        for lazy, place in ((old, "old"), (new, "new"))
    ]
    shared = ids[0].join(ids[1], on="processid").sort("processid")
    changes = [pl.DataFrame(schema={**CHANGES, "place": pl.UInt32})]
    for place, name in enumerate(chosen):
        sides = [
            lazy.select(pl.col(name).alias(side), same(name).alias(f"{side} same")).collect()[shared[at]]
            for lazy, side, at in ((old, "before", "old"), (new, "after", "new"))
        ]
        both = pl.concat([shared.select("processid"), *sides], how="horizontal")
        differing = both.filter(pl.col("before same").ne_missing(pl.col("after same")))
        changes.append(
            differing.select(
                "processid", pl.lit(name).alias("field"), "before", "after", pl.lit(place, pl.UInt32).alias("place")
            )
        )
    found = pl.concat(changes)
    counts = found.group_by("field").agg(
        changed=pl.len().cast(pl.Int64),
        filled=pl.col("before").is_null().sum().cast(pl.Int64),
        emptied=pl.col("after").is_null().sum().cast(pl.Int64),
    )
    by_field = pl.DataFrame({"field": chosen}, schema={"field": pl.String}).join(
        counts, on="field", how="left", maintain_order="left"
    )
    members = [
        ids[here].join(ids[there], on="processid", how="anti").select("processid", pl.lit(status).alias("status"))
        for here, there, status in ((1, 0, "added"), (0, 1, "removed"))
    ]
    absent = (
        ()
        if fields is None
        else tuple(name for name in RECORDS.names() if name not in _UNCOMPARED and name not in fields)
    )
    return Comparison(
        changes=found.sort("processid", "place").select(*CHANGES),
        fields=by_field.fill_null(0).sort("changed", descending=True, maintain_order=True),
        membership=pl.concat(members).sort("processid"),
        shared=shared.height,
        changed=found["processid"].n_unique(),
        uncompared=absent,
    )


def compare_files(
    earlier: Sequence[str],
    later: Sequence[str],
    settings: RecordSettings,
    progress: Progress = silent,
) -> Comparison:
    """Compare two snapshots as delivered: records files of any layout and container.

    Compares only fields that the layouts of both have.

    Args:
        earlier: locations of the earlier snapshot's files.
        later: those of the later one's.
        settings: marker, null markers, block size.
        progress: receives the number of rows read.

    Raises:
        SourceError: a file cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="bioscan-compare-") as name:
        frames, absent = [], set()
        for side, locations in (("earlier", earlier), ("later", later)):
            folder = Path(name) / side
            counts = extract([RecordsFile(each) for each in locations], side, settings, folder, progress)
            frames.append(scan_parquet(folder / "records.parquet"))
            absent |= _absent(counts)
        return compare(frames[0], frames[1], [field for field in RECORDS.names() if field not in absent])


def _absent(counts: Counts) -> set[str]:
    """Fields that no source of a snapshot has."""
    tables = [set(source.absent) for source in counts.sources]
    return set.intersection(*tables) if tables else set()
