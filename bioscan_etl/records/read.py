"""A table's rows, block by block: good ones as canonical columns, bad ones as rejects with their reason.

Belongs here: recognising a table's format, and converting tab-separated text to columns without losing a row. Does
not belong here: the other formats (`jsonlines`, `columnar`), containers (`sources`), names of columns
(`layouts`), selecting rows (`extract`).

BOLD tables have no quoting, so a lone quote is data, and every column stays text: a sniffer reads Norway's NO
as false and Namibia's NA as missing (spec: BOLD records).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.errors import InvariantError, SourceError
from bioscan_etl.records import columnar, jsonlines, lines
from bioscan_etl.records.blocks import Block, canonical, no_rejects, no_rows, only_reject, part_unfit
from bioscan_etl.records.layouts import Layout, recognise
from bioscan_etl.records.sources import Entry, peek
from bioscan_etl.settings import RecordSettings
from bioscan_etl.threads import cores, ordered_map

_BOM = b"\xef\xbb\xbf"
# Bytes that may be a blank at the edge of a field become 1: ASCII that str.strip_chars removes, and all non-ASCII.
_MAYBE_BLANK = bytes(octet >= 0x80 or (octet < 33 and octet not in b"\t\n") for octet in range(256))


def read(entry: Entry, settings: RecordSettings, location: str = "") -> Iterator[Block]:
    """Read one table in a stream; yields at least one block, even if there are no rows.

    The first bytes decide the format: Parquet, JSON Lines, otherwise tab-separated text. `blocks.canonical` describes
    how values are normalised.

    Args:
        entry: the table's name and bytes.
        settings: null markers and the size of a block; the latter has no effect on the rows.
        location: name of the source in errors; by default the entry's name.

    Raises:
        SourceError: there is no header, or its layout is unknown.
    """
    source = location if not location or location.endswith(entry.name) else f"{entry.name} in {location}"
    source = source or entry.name
    head, pieces = peek(entry.pieces, 64)
    if head.startswith(columnar.MAGIC):
        yield from columnar.read(pieces, entry.path, settings, source)
        return
    stream = lines.blocks(pieces, settings.chunk_bytes)
    if jsonlines.is_json(head):
        yield from jsonlines.read(stream, settings, source)
        return
    layout, first = parse_header(next(stream, None), source)
    yield _block(first, 2, layout, settings)
    number = 2 + lines.feeds(first) + (bool(first) and not first.endswith(b"\n"))
    # Blocks are parsed on all cores and yielded in order; at most one block per core waits to be consumed.
    pieces_of_table = _numbered(stream, number)
    for _, block in ordered_map(lambda piece: _piece(*piece, layout, settings), pieces_of_table, cores(), cores()):
        yield block


def _numbered(stream: Iterator[lines.Piece], number: int) -> Iterator[tuple[lines.Piece, int]]:
    """Each piece of a table's text with the number of its first line."""
    for piece in stream:
        yield piece, number
        number += lines.feeds(piece.data) if isinstance(piece, lines.Lines) else 1


def _piece(piece: lines.Piece, number: int, layout: Layout, settings: RecordSettings) -> Block:
    match piece:
        case lines.Lines(data):
            return _block(data, number, layout, settings)
        case lines.LongLine(start, length):
            text = lines.decode(start[: lines.SHOWN])
            return only_reject(layout, number, "field_count", _long(length), text)
        case lines.Rest(data, damage):
            text = lines.decode(data[: lines.SHOWN])
            block = only_reject(layout, number, "truncated_file", f"{damage}; rows before it are kept", text)
            return replace(block, damaged=True)


def parse_header(first: lines.Lines | lines.LongLine | lines.Rest | None, source: str) -> tuple[Layout, bytes]:
    """The layout, and the bytes after the header line."""
    if first is None or (isinstance(first, lines.Lines) and not first.data.strip(b"\r\n \t" + _BOM)):
        raise SourceError(f"{source} is empty: expected a header line; fetch the file again")
    if isinstance(first, lines.Rest):
        raise SourceError(f"{source} ends before the end of its header: {first.damage}; fetch the file again")
    if isinstance(first, lines.LongLine):
        raise SourceError(f"{source} is not a records table: its first line has {first.length:,} bytes")
    if first.data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{source} is UTF-16, not UTF-8; save it as tab-separated UTF-8 text")
    line, _, rest = first.data.partition(b"\n")
    names = lines.decode(line.removeprefix(_BOM).removesuffix(b"\r")).split("\t")
    return recognise(names, source), rest


def _block(data: bytes, first_line: int, layout: Layout, settings: RecordSettings) -> Block:
    """Read whole lines, the first of which is line `first_line` of its source."""
    if not data:
        return Block(layout, no_rows(layout), no_rejects(), 0)
    if not data.endswith(b"\n"):
        data += b"\n"
    found = lines.fields(data)
    spans, fields = found.spans, found.counts
    length = spans.stops - spans.starts
    long = length > lines.LONGEST_LINE
    filled = length > 0
    wrong = filled & ((fields != len(layout.header)) | long)
    # The parser detects rows that are not UTF-8; this is tested before only if rows must be rejected anyway.
    broken = lines.undecodable(data, spans) if wrong.any() else np.zeros(len(length), np.bool_)
    wrong |= filled & broken
    padded = _padded(np.frombuffer(data, np.uint8), found.of(filled & ~wrong, len(layout.header)))
    try:
        frame = _parse(spans.only(data, filled & ~wrong), layout, settings, padded)
    except pl.exceptions.ComputeError:
        broken = lines.undecodable(data, spans)
        if not broken.any():
            raise
        wrong |= filled & broken
        frame = _parse(spans.only(data, filled & ~wrong), layout, settings, None)
    kept = np.flatnonzero(filled & ~wrong)
    if frame.height != len(kept):
        raise InvariantError(f"{frame.height} rows were parsed from {len(kept)} lines after line {first_line}")
    frame, unsafe = part_unfit(frame.insert_column(0, pl.Series("source_line", kept + first_line, pl.Int64)))
    at = np.flatnonzero(wrong)
    rejects = pl.concat(
        [
            pl.DataFrame(
                {
                    "source_line": at + first_line,
                    "broken": broken[at],
                    "long": long[at],
                    "fields": fields[at],
                    "length": length[at],
                }
            ).select(_reasons(len(layout.header))),
            unsafe,
        ]
    ).sort("source_line")
    where = rejects["source_line"].to_numpy() - first_line
    rejects = rejects.with_columns(raw_text=lines.raw_texts(data, spans, where))
    return Block(layout, frame, rejects, int(filled.sum()))


def _padded(octets: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> frozenset[int]:
    """Positions of the columns in which a value may begin or end with a blank.

    Args:
        octets: the block.
        ends: ends of the fields of valid lines, (lines, columns).
    """
    tabs, last = ends[:, :-1], ends.shape[1] - 1
    before = np.flatnonzero(_maybe_blank(octets.take(tabs - 1)).any(axis=0))
    after = np.flatnonzero(_maybe_blank(octets.take(tabs + 1)).any(axis=0)) + 1
    # The outer edges of the first and last column are not tabs; these two are always tested.
    return frozenset({0, last, *before.tolist(), *after.tolist()})


def _maybe_blank(octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    # `bytes.translate` works on single bytes; numpy would need an index of eight bytes for each.
    return np.frombuffer(octets.tobytes().translate(_MAYBE_BLANK), np.uint8).reshape(octets.shape)


def _reasons(expected: int) -> list[pl.Expr]:
    """Why a line could not be parsed, from its counts: source_line, reason, detail."""
    detail = (
        pl.when("long")
        .then(pl.format("the line has {} bytes and is no row; its start is kept", "length"))
        .when("broken")
        .then(pl.lit("the line is not UTF-8"))
        .otherwise(pl.format("{} fields, the header has {}", "fields", pl.lit(expected)))
    )
    reason = pl.when("broken").then(pl.lit("undecodable")).otherwise(pl.lit("field_count"))
    return [pl.col("source_line").cast(pl.Int64), reason.alias("reason"), detail.alias("detail")]


def _long(length: int) -> str:
    return f"the line has {length} bytes and is no row; its start is kept"


def _parse(data: bytes, layout: Layout, settings: RecordSettings, padded: frozenset[int] | None) -> pl.DataFrame:
    """Parse lines with the right number of fields into canonical columns; ComputeError if one is not UTF-8."""
    markers = [marker.strip() for marker in settings.null_markers]
    blank = "" in markers
    schema = dict.fromkeys((f"{position}" for position in range(len(layout.targets))), pl.String)
    # polars removes a byte-order mark at the start of its input, which here can be in the middle of a file.
    guarded = _BOM + data if data.startswith(_BOM) else data
    if not data:
        return canonical(pl.DataFrame(schema=schema), layout, settings)
    frame = pl.scan_csv(
        guarded,
        has_header=False,
        separator="\t",
        quote_char=None,
        infer_schema=False,
        schema=schema,
        null_values=markers,
        empty_string_is_null=blank,
    ).collect()
    # The parser makes many small chunks: joining them costs less than keeping them.
    frame = frame.rechunk()
    return canonical(frame, layout, settings, padded)
