"""The output of every reader for a block of a table: rows in canonical columns, and rejects.

Belongs here: the form of a block, missing values and keys, process IDs that cannot be used. Does not belong
here: parsing one format (`read` for text, `jsonlines`, `columnar`), names of columns (`layouts`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from bioscan_etl.records.layouts import Layout
from bioscan_etl.schema import PROCESSID_PATTERN
from bioscan_etl.settings import RecordSettings

REJECTS = {"source_line": pl.Int64, "reason": pl.String, "detail": pl.String, "raw_text": pl.String}
"""Columns of a reader's rejects."""

NULL_WORDS = ("na", "nan", "-nan", "null", "none", "nil")
"""Process IDs, in lower case, that programs read as missing (pandas, R, SQL dumps, Python)."""

_TRIMMED = ("processid", "record_id", "marker_code")


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive rows of one table.

    Attributes:
        layout: the table's layout, the same for all its blocks; of JSON lines, with the block's own late keys.
        rows: good rows: `source_line`, then the layout's canonical and extra columns, all text.
        rejects: bad rows: source_line, reason, detail, raw_text.
        rows_read: lines that are not blank; always `rows.height + rejects.height`.
        damaged: the source ended early in this block, which is its last.
    """

    layout: Layout
    rows: pl.DataFrame
    rejects: pl.DataFrame
    rows_read: int
    damaged: bool = False


def columns(layout: Layout) -> list[str]:
    """Column names of the rows of a layout, in the order they are read in."""
    names = [name for name in layout.targets if name not in ("coord-lat", "coord-lon")]
    derived = ["coord"] if layout.split_coordinate else []
    implied = [name for name in layout.implied if name not in names]
    record_id = [] if "record_id" in names else ["record_id"]
    return [*names, *derived, *implied, *record_id]


def no_rows(layout: Layout) -> pl.DataFrame:
    """An empty table with the columns of a layout."""
    return pl.DataFrame(schema={"source_line": pl.Int64, **dict.fromkeys(columns(layout), pl.String)})


def no_rejects() -> pl.DataFrame:
    """An empty table of rejects."""
    return pl.DataFrame(schema=REJECTS)


def only_reject(layout: Layout, number: int | None, reason: str, detail: str, text: str) -> Block:
    """A block that consists of one rejected line."""
    return Block(layout, no_rows(layout), pl.DataFrame([(number, reason, detail, text)], REJECTS, orient="row"), 1)


def canonical(
    frame: pl.DataFrame, layout: Layout, settings: RecordSettings, padded: Collection[int] | None = None
) -> pl.DataFrame:
    """Give a table its canonical columns.

    A text that is one of `settings.null_markers` after trimming becomes null; other values are unchanged. Process IDs,
    record IDs and markers are keys and are trimmed. `record_id` is `processid.marker_code` if the source has none.

    Args:
        frame: one column of text per entry of `layout.targets`, in that order, under any names.
        layout: the table's layout.
        settings: null markers.
        padded: positions of the columns in which a null marker may have outer blanks, if the reader knows them
            and has already replaced markers without blanks; by default all columns are searched.
    """
    markers = [marker.strip() for marker in settings.null_markers]
    folded = []
    for position, (name, target) in enumerate(zip(frame.columns, layout.targets, strict=True)):
        value = pl.col(name)
        if padded is None or position in padded or target in _TRIMMED:
            trimmed = value.str.strip_chars()
            marked = pl.when(trimmed.is_in(markers)).then(None)
            value = marked.otherwise(trimmed if target in _TRIMMED else value)
        folded.append(value.alias(target))
    frame = frame.select(folded)
    if layout.split_coordinate:
        latitude, longitude = pl.col("coord-lat"), pl.col("coord-lon")
        both = pl.format("[{}, {}]", latitude.fill_null(""), longitude.fill_null(""))
        frame = frame.with_columns(coord=pl.when(latitude.is_not_null() | longitude.is_not_null()).then(both))
    frame = frame.with_columns(
        pl.lit(value).alias(name) for name, value in layout.implied.items() if name not in frame.columns
    )
    made = pl.concat_str("processid", "marker_code", separator=".", ignore_nulls=True)
    given = [pl.col("record_id")] if "record_id" in frame.columns else []
    return frame.with_columns(record_id=pl.coalesce(*given, made)).select(columns(layout))


def part_unfit(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Separate the rows whose process ID cannot be used from the others.

    Args:
        frame: source_line and canonical columns.

    Returns:
        The other rows; and source_line, reason, detail of the separated ones.
    """
    processid = pl.col("processid")
    missing = processid.is_null()
    word = processid.str.to_lowercase().is_in(NULL_WORDS)
    unfit = missing | word | ~processid.str.contains(PROCESSID_PATTERN)
    # Rechunk: polars 2.1 panics if it concatenates text over a chunk that a filter has emptied.
    found = frame.select("source_line", "processid").filter(unfit).rechunk()
    rejects = found.select(
        "source_line",
        reason=pl.when(missing).then(pl.lit("no_processid")).otherwise(pl.lit("unsafe_processid")),
        detail=pl.when(missing)
        .then(pl.lit("the process ID is missing"))
        .when(word)
        .then(pl.format("process ID {} is a word that programs read as missing", processid))
        .otherwise(pl.format("process ID {} has other characters than letters, digits and -", processid)),
    )
    return (frame.filter(~unfit) if found.height else frame), rejects
