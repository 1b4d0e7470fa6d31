"""A stream of bytes, cut into blocks of whole lines.

Belongs here: where a line ends, and what happens to one that is too long or breaks off. Does not belong here:
what a line holds (`read`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bioscan_etl.records.sources import DamagedError

LONGEST_LINE = 16 << 20
"""Bytes beyond which a line is no row any more. The longest real rows have some ten thousand."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, each ended by a line feed; only at the end of a source the last one may lack it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class LongLine:
    """The start of a line that is longer than `LONGEST_LINE`, and its length in bytes."""

    start: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of the line in which a damaged source breaks off, and the damage in words."""

    data: bytes
    damage: str


def blocks(pieces: Iterator[bytes], size: int) -> Iterator[Lines | LongLine | Rest]:
    """Cut byte pieces into blocks of about `size` bytes, each at the end of a line.

    Which bytes are a line does not depend on `size` or on how the pieces fall. Memory is bounded by `size`
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
        held.append(piece)
        last = piece.rfind(b"\n")
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
