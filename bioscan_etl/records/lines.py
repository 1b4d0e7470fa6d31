"""Splitting a stream of bytes into blocks of whole lines.

Belongs here: finding the ends of lines and fields, checking that they are text, and handling lines that are too long
or incomplete. Does not belong here: the content of a line (`read`, `jsonlines`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.records.sources import DamagedError

LONGEST_LINE = 16 << 20
"""Lines longer than this, in bytes, are rejected. The longest real rows have about ten thousand bytes."""

SHOWN = 1 << 16
"""Number of bytes that are kept of a line that is too long."""

_TAB, _FEED, _BLANK, _DELETE = ord("\t"), ord("\n"), ord(" "), 0x7F
_CACHED = 1 << 18  # bytes that fit a processor's cache with room to spare


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, each ended by a line feed; only the last line of a source may lack it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class LongLine:
    """The start of a line that is longer than `LONGEST_LINE`, and its length in bytes."""

    start: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Rest:
    """The start of the line in which a damaged source ends, and a description of the damage."""

    data: bytes
    damage: str


Piece = Lines | LongLine | Rest
"""The parts of a table's text."""


def blocks(pieces: Iterator[bytes], size: int) -> Iterator[Piece]:
    """Split byte pieces into blocks of about `size` bytes, each ending at the end of a line.

    The lines do not depend on `size` or on the boundaries of the pieces. Memory is bounded by `size`
    and `LONGEST_LINE`.
    """
    held: list[bytes] = []
    amount = 0  # bytes held
    whole = 0  # of these, bytes up to the last line feed
    skipped = 0  # length of a line that is too long and whose start alone is held
    damage = ""
    source = iter(pieces)
    while not damage:
        try:
            piece = next(source, None)
        except DamagedError as error:
            damage = str(error)
            break
        if piece is None:
            break
        if skipped:
            end = piece.find(b"\n")
            if end < 0:
                skipped += len(piece)
                continue
            yield LongLine(held[0], skipped + end)
            held, amount, whole, skipped = [], 0, 0, 0
            piece = piece[end + 1 :]
        last = piece.rfind(b"\n")
        if last >= 0 and amount + len(piece) >= size:
            yield Lines(b"".join([*held, piece[: last + 1]]))
            held, amount, whole = [piece[last + 1 :]], len(piece) - last - 1, 0
            continue
        held.append(piece)
        whole = amount + last + 1 if last >= 0 else whole
        amount += len(piece)
        if whole and amount >= size:
            data = b"".join(held)
            yield Lines(data[:whole])
            held, amount, whole = [data[whole:]], amount - whole, 0
        if not whole and amount > LONGEST_LINE:
            held, skipped = [b"".join(held)[:LONGEST_LINE]], amount
    data = b"".join(held)
    if whole:
        yield Lines(data[:whole])
        data = data[whole:]
    if damage:
        yield Rest(data, damage)
    elif skipped:
        yield LongLine(data, skipped)
    elif data:
        yield Lines(data)


@dataclass(frozen=True, slots=True)
class Spans:
    """Positions of the lines of a block: the i-th is `data[starts[i]:stops[i]]`, its line feed is at `ends[i]`.

    A carriage return before the line feed belongs to the line's end. All three are (lines,) int64.
    """

    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    def only(self, data: bytes, keep: npt.NDArray[np.bool_]) -> bytes:
        """The kept lines, joined; copied in ranges between the other lines, because these are few."""
        if keep.all():
            return data
        edges = np.flatnonzero(np.diff(keep, prepend=False, append=False))
        view = memoryview(data)
        stretches = zip(self.starts[edges[::2]].tolist(), (self.ends[edges[1::2] - 1] + 1).tolist(), strict=True)
        return b"".join(view[start:end] for start, end in stretches)


def spans(data: bytes) -> Spans:
    """Find the lines of a block that ends in a line feed."""
    octets = np.frombuffer(data, np.uint8)
    return _ending_at(octets, np.flatnonzero(octets == _FEED))


def _ending_at(octets: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> Spans:
    starts = np.concatenate(([0], ends[:-1] + 1))
    stops = ends - ((ends > starts) & (octets[np.maximum(ends - 1, 0)] == ord("\r")))
    return Spans(starts, stops, ends)


@dataclass(frozen=True, slots=True)
class Fields:
    """The lines of a block of tab-separated text, and where their fields end.

    Attributes:
        spans: of the lines.
        counts: fields of each line, (lines,) int64; 1 for a blank line.
        ends: of each field, the tab or line feed behind it, line by line, (fields,) int64.
    """

    spans: Spans
    counts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    def of(self, keep: npt.NDArray[np.bool_], columns: int) -> npt.NDArray[np.int64]:
        """Ends of the fields of the lines that are kept, all of which have `columns` of them; (lines, columns)."""
        ends = self.ends if keep.all() else self.ends[np.repeat(keep, self.counts)]
        return ends.reshape(-1, columns)


def fields(data: bytes) -> Fields:
    """Find the lines and the fields of a block that ends in a line feed, in one search for both kinds of ends."""
    octets = np.frombuffer(data, np.uint8)
    # Tab and line feed are neighbours in ASCII, and what is below them wraps around to the top.
    ends = np.flatnonzero(octets - np.uint8(_TAB) < _FEED - _TAB + 1)
    last = np.flatnonzero(octets.take(ends) == _FEED)
    return Fields(_ending_at(octets, ends[last]), np.diff(last, prepend=-1), ends)


def feeds(data: bytes) -> int:
    """Number of line feeds; five times as fast as `bytes.count`, for what is compared stays in the cache."""
    return _count(np.frombuffer(data, np.uint8), lambda part: part == _FEED)


def without_excess(data: bytes, found: Fields, columns: int) -> bytes:
    """The text without empty fields beyond the header's, which spreadsheets write for columns that were once used."""
    first = np.cumsum(found.counts) - found.counts
    longer = np.flatnonzero(found.counts > columns)
    last = found.ends[first[longer] + columns - 1]
    stops = found.spans.stops[longer]
    only_tabs = stops - last == found.counts[longer] - columns
    if not only_tabs.any():
        return data
    edges = np.zeros(len(data) + 1, np.int8)
    edges[last[only_tabs]] = 1
    edges[stops[only_tabs]] = -1
    kept = np.cumsum(edges[:-1], dtype=np.int8) == 0
    return bytes(np.frombuffer(data, np.uint8)[kept])


def suspect(data: bytes, found: Fields) -> npt.NDArray[np.bool_] | None:
    """Which lines may have invisible characters or U+FFFD (`invisible`), from their bytes; None if no line has.

    A superset: nearly all text has none, so that a search of each field would cost more than it finds.
    """
    octets = np.frombuffer(data, np.uint8)
    flags: npt.NDArray[np.bool_] | None = None
    returns = int((found.spans.ends - found.spans.stops).sum())
    places = []
    if _count(octets, lambda part: part < _BLANK) != len(found.ends) + returns:
        low = np.flatnonzero(octets < _BLANK)
        text = octets[low]
        ended = np.zeros(len(octets), np.bool_)
        ended[found.ends] = True
        ended[found.spans.stops[found.spans.stops < found.spans.ends]] = True
        places.append(low[~ended[low] & (text != _FEED)])
    high = np.flatnonzero(octets >= _DELETE)
    if len(high):
        padded = np.concatenate((octets, np.zeros(2, np.uint8)))
        lead, second, third = padded[high], padded[high + 1], padded[high + 2]
        odd = (
            (lead == _DELETE)
            | ((lead == 0xC2) & ((second <= 0xA0) | (second == 0xAD)))
            | ((lead == 0xCD) & (second == 0x8F))
            | ((lead == 0xD8) & (second == 0x9C))
            | ((lead == 0xE1) & ((second == 0x85) | (second == 0x9A) | (second == 0x9E) | (second == 0xA0)))
            | (
                (lead == 0xE2)
                & (((second == 0x80) & ((third <= 0x8F) | (third >= 0xA8))) | ((second == 0x81) & (third >= 0x9F)))
            )
            | ((lead == 0xE3) & (second == 0x85) & (third == 0xA4))
            | ((lead == 0xEF) & ((second == 0xB7) | (second == 0xBB) | (second == 0xBE) | (second == 0xBF)))
            | (lead >= 0xF0)
        )
        places.append(high[odd])
    at = np.concatenate(places) if places else np.zeros(0, np.int64)
    if len(at):
        flags = np.zeros(len(found.spans.ends), np.bool_)
        flags[np.searchsorted(found.spans.ends, at)] = True
    return flags


def _count(octets: npt.NDArray[np.uint8], holds: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.bool_]]) -> int:
    """Number of bytes for which a condition holds, in pieces that stay in the cache."""
    return sum(int(np.count_nonzero(holds(octets[at : at + _CACHED]))) for at in range(0, len(octets), _CACHED))


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def repaired(data: bytes) -> bytes:
    """UTF-8 with U+FFFD in place of each sequence of bytes that is not; tabs and line ends stay."""
    return data.decode("utf-8", "replace").encode()


def raw_texts(data: bytes, where: Spans, which: npt.NDArray[np.int64]) -> pl.Series:
    """The text of some lines without their line ends; bytes that are not UTF-8 are escaped, long lines cut."""
    starts, stops = where.starts[which], where.stops[which]
    ends = np.minimum(stops, starts + np.where(stops - starts > LONGEST_LINE, SHOWN, 1 << 62))
    # Rejects are few, and only Python's codec writes escapes for what it cannot decode.
    texts = [decode(data[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return pl.Series("raw_text", texts, pl.String)


def decode(data: bytes) -> str:
    """Text of bytes; those that are not UTF-8 are escaped, a backslash, an x and two hexadecimal digits."""
    return data.decode("utf-8", "backslashreplace")
