"""The output of every reader for a block of a table: rows in canonical columns, and rejects.

Belongs here: the form of a block, missing values, keys, invisible characters, process IDs that cannot be used. Does not
belong here: parsing one format (`read` for text, `jsonlines`, `columnar`), names of columns (`layouts`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from bioscan_etl.invisible import REPLACEMENT, cleaned, is_found
from bioscan_etl.processids import unfit
from bioscan_etl.records.layouts import EXTRA, IBOL, Layout
from bioscan_etl.settings import RecordSettings
from bioscan_etl.vocabulary import RANKS

REJECTS = {"source_line": pl.Int64, "reason": pl.String, "detail": pl.String, "raw_text": pl.String}
"""Columns of a reader's rejects."""

_TRIMMED = ("processid", "record_id", "marker_code")
# Names are normalised by the stage normalised_names, which records each of its steps; process IDs are never changed.
_NOT_CLEANED = {*RANKS, "processid"}
_BLANK_PAIR = r"^\s*[(\[]?\s*(?i:none|null|nan)?\s*,?\s*(?i:none|null|nan)?\s*[)\]]?\s*$"
# 43,29: a number of degrees has no thousands, so that its comma is a decimal point.
_DECIMAL_COMMA = r"^\s*([+-]?\d{1,3}),(\d+)\s*$"
_SHOWN = 100  # characters of a process ID in a message
_MARKS: dict[str, pl.DataType] = {"flags": pl.List(pl.String), "verbatim": pl.String()}


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive rows of one table.

    Attributes:
        layout: the table's layout, the same for all its blocks; of JSON lines, with the block's own late keys.
        rows: good rows: `source_line`, then the layout's canonical and extra columns, all text, then `flags` and
            `verbatim` (`schema.RECORDS`).
        rejects: bad rows: source_line, reason, detail, raw_text.
        rows_read: lines that are not blank; always `rows.height + rejects.height`.
        damaged: the source ended early in this block, which is its last.
        damage: rows by kind of damage of the file as a whole (`damage`); in one block of a table.
    """

    layout: Layout
    rows: pl.DataFrame
    rejects: pl.DataFrame
    rows_read: int
    damaged: bool = False
    damage: Mapping[str, int] = field(default_factory=dict)


def columns(layout: Layout) -> list[str]:
    """Names of the text columns of the rows of a layout, in the order they are read in."""
    names = [name for name in layout.targets if name not in ("coord-lat", "coord-lon")]
    derived = ["coord"] if layout.split_coordinate else []
    implied = [name for name in layout.implied if name not in names]
    record_id = [] if "record_id" in names else ["record_id"]
    return [*names, *derived, *implied, *record_id]


def no_rows(layout: Layout) -> pl.DataFrame:
    """An empty table with the columns of a layout."""
    return pl.DataFrame(schema={"source_line": pl.Int64, **dict.fromkeys(columns(layout), pl.String), **_MARKS})


def no_rejects() -> pl.DataFrame:
    """An empty table of rejects."""
    return pl.DataFrame(schema=REJECTS)


def only_reject(layout: Layout, number: int | None, reason: str, detail: str, text: str) -> Block:
    """A block that consists of one rejected line."""
    return Block(layout, no_rows(layout), pl.DataFrame([(number, reason, detail, text)], REJECTS, orient="row"), 1)


def canonical(
    frame: pl.DataFrame,
    layout: Layout,
    settings: RecordSettings,
    padded: Collection[int] | None = None,
    suspect: pl.Series | None = None,
) -> pl.DataFrame:
    """Give a table its canonical columns.

    Invisible characters are removed and other blanks become spaces (`invisible`), except in names and process IDs; the
    row gets the flag TEXT_INVISIBLE, and `verbatim` the text as delivered. A row with U+FFFD gets TEXT_UNDECODABLE.
    A text that is one of `settings.null_markers` after trimming becomes null, and so does a coordinate that is a pair
    of nothing; other values are unchanged. Process IDs, record IDs and markers are keys and are trimmed. `record_id`
    is `processid.marker_code` if the source has none.

    Args:
        frame: one column of text per entry of `layout.targets`, in that order, under any names.
        layout: the table's layout.
        settings: null markers.
        padded: positions of the columns in which a null marker may have outer blanks, if the reader knows them
            and has already replaced markers without blanks; by default all columns are searched.
        suspect: bool per row, which rows may have invisible characters or U+FFFD, if the reader knows them.
    """
    markers = [marker.strip() for marker in settings.null_markers]
    frame = _visible(frame, layout, markers, suspect)
    folded = []
    for name, target, position in zip(frame.columns, layout.targets, range(len(layout.targets)), strict=False):
        value = pl.col(name)
        if padded is None or position in padded or target in _TRIMMED:
            trimmed = value.str.strip_chars()
            marked = pl.when(trimmed.is_in(markers)).then(None)
            value = marked.otherwise(trimmed if target in _TRIMMED else value)
        if target in {"coord-lat", "coord-lon"}:
            value = value.str.replace(_DECIMAL_COMMA, "$1.$2")
        folded.append(value.alias(target))
    frame = frame.select(*folded, *_MARKS)
    if layout.split_coordinate:
        latitude, longitude = pl.col("coord-lat"), pl.col("coord-lon")
        both = pl.format("[{}, {}]", latitude.fill_null(""), longitude.fill_null(""))
        frame = frame.with_columns(coord=both)
    if "coord" in frame.columns:
        frame = frame.with_columns(coord=pl.when(~pl.col("coord").str.contains(_BLANK_PAIR)).then("coord"))
    frame = frame.with_columns(
        pl.lit(value).alias(name) for name, value in layout.implied.items() if name not in frame.columns
    )
    if layout.generation == IBOL:
        suffix = pl.concat_str(pl.lit("."), "marker_code")
        bare = pl.col("processid").str.strip_suffix(suffix)
        frame = frame.with_columns(processid=pl.coalesce(bare, "processid"))
    keys = [name for name in ("processid", "marker_code") if name in frame.columns]
    made = pl.concat_str(keys, separator=".", ignore_nulls=True)
    given = [pl.col("record_id")] if "record_id" in frame.columns else []
    return frame.with_columns(record_id=pl.coalesce(*given, made)).select(*columns(layout), *_MARKS)


def _visible(frame: pl.DataFrame, layout: Layout, markers: Sequence[str], suspect: pl.Series | None) -> pl.DataFrame:
    """The table without invisible characters, with `flags` and `verbatim`, which are empty for nearly all rows."""
    names = frame.columns
    odd = suspect
    if odd is None:
        strange = (is_found(pl.col(name)) | pl.col(name).str.contains(REPLACEMENT, literal=True) for name in names)
        odd = frame.select(pl.any_horizontal(pl.lit(False), *(each.fill_null(False) for each in strange))).to_series()
    none = [pl.lit([], dtype=pl.List(pl.String)).alias("flags"), pl.lit(None, pl.String).alias("verbatim")]
    if not names or not odd.any():
        return frame.with_columns(none)
    place = pl.int_range(pl.len(), dtype=pl.UInt32).alias("place")
    all_rows = frame.with_columns(place)
    rows = all_rows.filter(odd)
    changed: list[pl.Expr] = []
    after: list[pl.Expr] = []
    for name, target in zip(names, layout.targets, strict=True):
        if target in _NOT_CLEANED:
            continue
        new = cleaned(pl.col(name))
        # What only now reads as missing, is missing.
        is_marker = new.str.strip_chars().is_in(list(markers)) & (new != pl.col(name))
        after.append(pl.when(is_marker).then(None).otherwise(new).alias(name))
        cell = pl.struct(pl.lit(target.removeprefix(EXTRA)).alias("field"), pl.col(name).alias("text"))
        changed.append(pl.when(new.ne_missing(pl.col(name))).then(cell))
    lost = pl.any_horizontal(pl.col(name).str.contains(REPLACEMENT, literal=True).fill_null(False) for name in names)
    nothing = pl.lit(None, pl.Struct({"field": pl.String, "text": pl.String}))
    before = pl.concat_list(nothing, *changed).list.drop_nulls()
    touched = before.list.len() > 0
    flags = pl.concat_list(
        pl.when(touched).then(pl.lit("TEXT_INVISIBLE")), pl.when(lost).then(pl.lit("TEXT_UNDECODABLE"))
    ).list.drop_nulls()
    made = rows.select(
        "place",
        *(name for name, target in zip(names, layout.targets, strict=True) if target in _NOT_CLEANED),
        *after,
        flags=flags,
        verbatim=pl.when(touched).then(pl.struct(changed=before).struct.json_encode()),
    )
    others = all_rows.filter(~odd).with_columns(none)
    # Rechunk: polars 2.1 panics if it concatenates text over a chunk that a filter has emptied.
    return pl.concat([others, made.select(others.columns)]).sort("place").drop("place").rechunk()


def part_unfit(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Separate the rows whose process ID cannot be used from the others.

    Args:
        frame: source_line and canonical columns.

    Returns:
        The other rows; and source_line, reason, detail of the separated ones.
    """
    processid = pl.col("processid")
    missing = processid.is_null()
    wrong = missing | unfit(processid).is_not_null()
    lost = processid.str.contains(REPLACEMENT, literal=True)
    # Rechunk: polars 2.1 panics if it concatenates text over a chunk that a filter has emptied.
    found = frame.select("source_line", "processid").filter(wrong).rechunk()
    rejects = found.select(
        "source_line",
        reason=pl.when(missing)
        .then(pl.lit("no_processid"))
        .when(lost)
        .then(pl.lit("undecodable"))
        .otherwise(pl.lit("unsafe_processid")),
        detail=pl.when(missing)
        .then(pl.lit("the process ID is missing"))
        .when(lost)
        .then(pl.lit("the process ID is not UTF-8; set records.encoding to the encoding of the file"))
        .otherwise(pl.format("process ID {} {}", shown(processid), unfit(processid))),
    )
    return (frame.filter(~wrong) if found.height else frame), rejects


def shown(processid: pl.Expr) -> pl.Expr:
    """The start of a process ID, for a message."""
    return (
        pl.when(processid.str.len_chars() > _SHOWN)
        .then(pl.concat_str(processid.str.slice(0, _SHOWN), pl.lit("…")))
        .otherwise(processid)
    )
