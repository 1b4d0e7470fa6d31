"""A table's rows, block by block: good ones as canonical columns, bad ones as rejects with their reason.

Belongs here: recognising a table's format, and converting tab-separated text to columns without losing a row. Does
not belong here: the other formats (`jsonlines`, `columnar`), containers (`sources`), names of columns
(`layouts`), selecting rows (`extract`).

BOLD tables have no quoting, so a lone quote is data, and every column stays text: a sniffer reads Norway's NO
as false and Namibia's NA as missing (spec: BOLD records). A table that was saved by another program is rewritten first
(`translate`).
"""

from __future__ import annotations

import re
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
from bioscan_etl.records.translate import Written, decoded, translated
from bioscan_etl.settings import RecordSettings
from bioscan_etl.threads import cores, ordered_map

_BOM = b"\xef\xbb\xbf"
_MARKUP = re.compile(rb"\s*<(?:!|\?xml|html|head|body|Error)", re.IGNORECASE)
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
    written = Written()
    head, pieces = peek(decoded(pieces, settings.encoding, written), 64)
    rows_read = 0
    if jsonlines.is_json(head):
        parts = jsonlines.read(lines.blocks(pieces, settings.chunk_bytes), settings, source)
    else:
        parts = _text(lines.blocks(translated(pieces, written), settings.chunk_bytes), settings, source)
    for block in parts:
        rows_read += block.rows_read
        yield block
        layout = block.layout
    if damage := written.damage(rows_read):
        yield Block(layout, no_rows(layout), no_rejects(), 0, damaged=block.damaged, damage=damage)


def _text(stream: Iterator[lines.Piece], settings: RecordSettings, source: str) -> Iterator[Block]:
    """Read a table of tab-separated text."""
    layout, first, start = parse_header(next(stream, None), source)
    yield _block(first, start, layout, settings)
    number = start + lines.feeds(first) + (bool(first) and not first.endswith(b"\n"))
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


def parse_header(first: lines.Lines | lines.LongLine | lines.Rest | None, source: str) -> tuple[Layout, bytes, int]:
    """The layout, the bytes after the header line, and the number of the line after it."""
    if first is None or (isinstance(first, lines.Lines) and not first.data.strip(b"\r\n \t" + _BOM)):
        raise SourceError(f"{source} is empty: expected a header line; fetch the file again")
    if isinstance(first, lines.Rest):
        raise SourceError(f"{source} ends before the end of its header: {first.damage}; fetch the file again")
    if isinstance(first, lines.LongLine):
        raise SourceError(f"{source} is not a records table: its first line has {first.length:,} bytes")
    data = first.data.removeprefix(_BOM)
    text = data.lstrip(b"\r\n")
    line, _, rest = text.partition(b"\n")
    if _MARKUP.match(line):
        raise SourceError(
            f"{source} is a web page or XML, not a table: the server may have sent an error or a login page; open the "
            "file to see which, and fetch it again"
        )
    names = lines.decode(line.removesuffix(b"\r")).split("\t")
    return recognise(names, source), rest, 2 + data[: len(data) - len(text)].count(b"\n")


def _block(
    data: bytes, first_line: int, layout: Layout, settings: RecordSettings, delivered: bytes | None = None
) -> Block:
    """Read whole lines, the first of which is line `first_line` of its source.

    Args:
        data: the lines.
        first_line: number of the first.
        layout: the table's layout.
        settings: null markers.
        delivered: the lines before bytes that are not UTF-8 were replaced.
    """
    if not data:
        return Block(layout, no_rows(layout), no_rejects(), 0)
    if not data.endswith(b"\n"):
        data += b"\n"
    found = lines.fields(data)
    if (found.counts > len(layout.header)).any():
        data = lines.without_excess(data, found, len(layout.header))
        found = lines.fields(data)
    spans, fields = found.spans, found.counts
    length = spans.stops - spans.starts
    long = length > lines.LONGEST_LINE
    # A line of separators alone is blank.
    filled = length > fields - 1
    wrong = filled & ((fields != len(layout.header)) | long)
    kept = filled & ~wrong
    suspect = lines.suspect(data, found)
    padded = _padded(np.frombuffer(data, np.uint8), found.of(kept, len(layout.header)))
    odd = None if suspect is None else pl.Series(suspect[kept])
    try:
        frame = _parse(spans.only(data, kept), layout, settings, padded, odd)
    except pl.exceptions.ComputeError:
        if delivered is not None or lines.is_utf8(data):
            raise
        # The rows stay. U+FFFD replaces each byte that is not UTF-8, and the row is flagged.
        return _block(lines.repaired(data), first_line, layout, settings, data)
    if frame.height != np.count_nonzero(kept):
        raise InvariantError(f"{frame.height} rows were parsed from {np.count_nonzero(kept)} lines after {first_line}")
    at = np.flatnonzero(kept) + first_line
    frame, unsafe = part_unfit(frame.insert_column(0, pl.Series("source_line", at, pl.Int64)))
    at = np.flatnonzero(wrong)
    rejects = pl.concat(
        [
            pl.DataFrame(
                {"source_line": at + first_line, "long": long[at], "fields": fields[at], "length": length[at]}
            ).select(_reasons(len(layout.header))),
            unsafe,
        ]
    ).sort("source_line")
    where = rejects["source_line"].to_numpy() - first_line
    # Only what is rejected is searched for the bytes that were delivered.
    original, places = (data, spans) if delivered is None else (delivered, lines.spans(delivered))
    rejects = rejects.with_columns(raw_text=lines.raw_texts(original, places, where))
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
        .otherwise(pl.format("{} fields, the header has {}", "fields", pl.lit(expected)))
    )
    return [pl.col("source_line").cast(pl.Int64), pl.lit("field_count").alias("reason"), detail.alias("detail")]


def _long(length: int) -> str:
    return f"the line has {length} bytes and is no row; its start is kept"


def _parse(
    data: bytes, layout: Layout, settings: RecordSettings, padded: frozenset[int] | None, suspect: pl.Series | None
) -> pl.DataFrame:
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
    none = pl.repeat(value=False, n=frame.height, dtype=pl.Boolean, eager=True)
    return canonical(frame, layout, settings, padded, none if suspect is None else suspect)
