"""A table's rows, block by block: good ones as canonical columns, bad ones as rejects with their reason.

Belongs here: turning bytes into text columns without losing a row. Does not belong here: containers
(`sources`), names of columns (`layouts`), choosing among rows (`extract`).

BOLD tables have no quoting, so a lone quote is data, and every column stays text: a sniffer reads Norway's NO
as false and Namibia's NA as missing (spec: BOLD records).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.errors import InvariantError, SourceError
from bioscan_etl.records import lines
from bioscan_etl.records.layouts import Layout, recognise
from bioscan_etl.records.sources import Entry
from bioscan_etl.schema import PROCESSID_PATTERN
from bioscan_etl.settings import RecordSettings

_BOM = b"\xef\xbb\xbf"
_SHOWN_OF_LONG_LINE = 1 << 16
_TRIMMED = ("processid", "record_id", "marker_code")

_REJECTS = {"source_line": pl.Int64, "reason": pl.String, "detail": pl.String, "raw_text": pl.String}

_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive rows of one table.

    Attributes:
        layout: the table's layout, the same for all its blocks.
        rows: good rows: `source_line`, then the layout's canonical and extra columns, all text.
        rejects: bad rows: source_line, reason, detail, raw_text.
        rows_read: lines that are not blank; always `rows.height + rejects.height`.
        damaged: the source broke off in this block, its last.
    """

    layout: Layout
    rows: pl.DataFrame
    rejects: pl.DataFrame
    rows_read: int
    damaged: bool = False


def read(entry: Entry, settings: RecordSettings, location: str = "") -> Iterator[Block]:
    """Read one table in a stream; at least one block is yielded, even where there are no rows.

    Missing values are folded: a text that is one of `settings.null_markers` once its outer blanks are off
    becomes null; other values stay as they are. Process IDs, record IDs and markers, being keys, are trimmed.
    `record_id` is `processid.marker_code` where the source has none.

    Args:
        entry: the table's name and bytes.
        settings: null markers and the size of a block; the latter has no effect on the rows.
        location: what to call the source in an error; the entry's name by default.

    Raises:
        SourceError: there is no header, or its layout is unknown.
    """
    source = location if not location or location.endswith(entry.name) else f"{entry.name} in {location}"
    stream = lines.blocks(entry.pieces, settings.chunk_bytes)
    layout, first = parse_header(next(stream, None), source or entry.name)
    yield _block(first, 2, layout, settings)
    number = 2 + first.count(b"\n") + (bool(first) and not first.endswith(b"\n"))
    for part in stream:
        match part:
            case lines.Lines(data):
                yield _block(data, number, layout, settings)
                number += data.count(b"\n")
            case lines.LongLine(start, length):
                yield _one_reject(layout, number, "field_count", _long(length), _decode(start[:_SHOWN_OF_LONG_LINE]))
                number += 1
            case lines.Rest(data, damage):
                text = _decode(data[:_SHOWN_OF_LONG_LINE])
                block = _one_reject(layout, number, "truncated_file", f"{damage}; rows before it are kept", text)
                yield Block(layout, block.rows, block.rejects, block.rows_read, damaged=True)


def parse_header(first: lines.Lines | lines.LongLine | lines.Rest | None, source: str) -> tuple[Layout, bytes]:
    """The layout, and the bytes behind the header line."""
    if first is None or (isinstance(first, lines.Lines) and not first.data.strip(b"\r\n \t" + _BOM)):
        raise SourceError(f"{source} is empty: expected a header line; fetch the file again")
    if isinstance(first, lines.Rest):
        raise SourceError(f"{source} breaks off before the end of its header: {first.damage}; fetch the file again")
    if isinstance(first, lines.LongLine):
        raise SourceError(f"{source} is no records table: its first line has {first.length:,} bytes")
    if first.data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{source} is UTF-16, not UTF-8; save it as tab-separated UTF-8 text")
    line, _, rest = first.data.partition(b"\n")
    names = _decode(line.removeprefix(_BOM).removesuffix(b"\r")).split("\t")
    return recognise(names, source), rest


def _block(data: bytes, first_line: int, layout: Layout, settings: RecordSettings) -> Block:
    """Read whole lines, the first of which is line `first_line` of its source."""
    if not data:
        return Block(layout, _no_rows(layout), pl.DataFrame(schema=_REJECTS), 0)
    if not data.endswith(b"\n"):
        data += b"\n"
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    stops = ends - ((ends > starts) & (octets[np.maximum(ends - 1, 0)] == ord("\r")))
    fields = np.diff(np.searchsorted(np.flatnonzero(octets == ord("\t")), ends), prepend=0) + 1
    blank = stops == starts
    long = stops - starts > lines.LONGEST_LINE
    broken = _undecodable(data, starts)
    wrong = ~blank & ((fields != len(layout.header)) | long | broken)
    keep = ~(blank | wrong)
    good = data if keep.all() else _only(data, starts, ends + 1, keep)
    frame = _parse(good, layout, settings)
    kept = np.flatnonzero(keep)
    if frame.height != len(kept):
        raise InvariantError(f"{frame.height} rows were parsed from {len(kept)} lines after line {first_line}")
    frame = frame.insert_column(0, pl.Series("source_line", kept + first_line, pl.Int64))
    processid = pl.col("processid")
    unfit = processid.is_null() | ~processid.str.contains(PROCESSID_PATTERN)
    # One chunk: polars 2.1 panics where it concatenates text over a chunk that a filter has emptied.
    unsafe = frame.select("source_line", "processid").filter(unfit).rechunk()
    at = np.flatnonzero(wrong)
    rejects = pl.concat(
        [
            pl.DataFrame(
                {
                    "source_line": at + first_line,
                    "broken": broken[at],
                    "long": long[at],
                    "fields": fields[at],
                    "length": (stops - starts)[at],
                }
            ).select(_reasons(len(layout.header))),
            unsafe.select(
                "source_line",
                reason=pl.when(processid.is_null()).then(pl.lit("no_processid")).otherwise(pl.lit("unsafe_processid")),
                detail=pl.when(processid.is_null())
                .then(pl.lit("the process ID is missing"))
                .otherwise(pl.format("process ID {} has other characters than letters, digits and -", processid)),
            ),
        ]
    ).sort("source_line")
    where = rejects["source_line"].to_numpy() - first_line
    rejects = rejects.with_columns(raw_text=_raw_texts(data, starts[where], stops[where]))
    return Block(layout, frame.filter(~unfit) if unsafe.height else frame, rejects, int((~blank).sum()))


def _only(data: bytes, starts: _Positions, ends: _Positions, keep: npt.NDArray[np.bool_]) -> bytes:
    """The lines that are kept, joined; copied in stretches between the lines that are not, as these are few."""
    edges = np.flatnonzero(np.diff(keep, prepend=False, append=False))
    view = memoryview(data)
    stretches = zip(starts[edges[::2]].tolist(), ends[edges[1::2] - 1].tolist(), strict=True)
    return b"".join(view[start:end] for start, end in stretches)


def _undecodable(data: bytes, starts: _Positions) -> npt.NDArray[np.bool_]:
    """Which lines are not UTF-8; lines are looked at only where the block as a whole is not."""
    flags = np.zeros(len(starts), np.bool_)
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            beyond_ascii = np.logical_or.reduceat(np.frombuffer(data, np.uint8) >= 0x80, starts)
            ends = np.append(starts[1:], len(data))
            for line in np.flatnonzero(beyond_ascii):
                flags[line] = not _is_utf8(data[starts[line] : ends[line]])
    return flags


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _reasons(expected: int) -> list[pl.Expr]:
    """Why a line could not be parsed, of its numbers: source_line, reason, detail."""
    detail = (
        pl.when("long")
        .then(pl.format("the line has {} bytes and is no row; its start is kept", "length"))
        .when("broken")
        .then(pl.lit("the line is not UTF-8"))
        .otherwise(pl.format("{} fields, the header has {}", "fields", pl.lit(expected)))
    )
    reason = pl.when("broken").then(pl.lit("undecodable")).otherwise(pl.lit("field_count"))
    return [pl.col("source_line").cast(pl.Int64), reason.alias("reason"), detail.alias("detail")]


def _raw_texts(data: bytes, starts: _Positions, stops: _Positions) -> pl.Series:
    """The text of single lines without their line ends; bytes that are not UTF-8 are escaped."""
    ends = np.minimum(stops, starts + np.where(stops - starts > lines.LONGEST_LINE, _SHOWN_OF_LONG_LINE, 1 << 62))
    # Rejects are few, and only Python's codec writes escapes for what it cannot decode.
    texts = [_decode(data[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return pl.Series("raw_text", texts, pl.String)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _long(length: int) -> str:
    return f"the line has {length} bytes and is no row; its start is kept"


def _one_reject(layout: Layout, number: int, reason: str, detail: str, text: str) -> Block:
    rejects = pl.DataFrame([(number, reason, detail, text)], schema=_REJECTS, orient="row")
    return Block(layout, _no_rows(layout), rejects, 1)


def _no_rows(layout: Layout) -> pl.DataFrame:
    return pl.DataFrame(schema={"source_line": pl.Int64, **dict.fromkeys(_columns(layout), pl.String)})


def _columns(layout: Layout) -> list[str]:
    """Column names of the rows of a layout, in the order they are read in."""
    names = [name for name in layout.targets if name not in ("coord-lat", "coord-lon")]
    derived = ["coord"] if layout.split_coordinate else []
    implied = [name for name in layout.implied if name not in names]
    record_id = [] if "record_id" in names else ["record_id"]
    return [*names, *derived, *implied, *record_id]


def _parse(data: bytes, layout: Layout, settings: RecordSettings) -> pl.DataFrame:
    """Parse lines that are known to be sound into the columns of `_columns`."""
    markers = [marker.strip() for marker in settings.null_markers]
    blank = "" in markers
    schema = dict.fromkeys((f"{position}" for position in range(len(layout.targets))), pl.String)
    # polars takes one byte-order mark off the start of whatever it is given, here also amid a file.
    guarded = _BOM + data if data.startswith(_BOM) else data
    if data:
        frame = pl.read_csv(
            guarded,
            has_header=False,
            separator="\t",
            quote_char=None,
            infer_schema=False,
            schema=schema,
            null_values=[*markers, " "] if blank else markers,
            empty_string_is_null=blank,
        ).rechunk()
    else:
        frame = pl.DataFrame(schema=schema)
    folded = []
    for position, target in enumerate(layout.targets):
        value = pl.col(f"{position}")
        trimmed = value.str.strip_chars()
        marked = pl.when(trimmed.is_in(markers)).then(None)
        folded.append(marked.otherwise(trimmed if target in _TRIMMED else value).alias(target))
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
    return frame.with_columns(record_id=pl.coalesce(*given, made)).select(_columns(layout))
