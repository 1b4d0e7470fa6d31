"""PNG files: the chunks that the picture needs, and the significant bits that a file states.

Belongs here: the structure of a PNG file (W3C PNG, 5.3). Does not belong here: its pixels (`images.decode`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_USEFUL = (b"eXIf", b"sBIT")  # kept if they are whole
_DEEP = 16
_ORIENTED = re.compile(rb"eXIf|Raw profile type|XML:com\.adobe\.xmp")


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    body: bytes
    whole: bool

    @property
    def written(self) -> bytes:
        check = zlib.crc32(self.kind + self.body)
        return len(self.body).to_bytes(4, "big") + self.kind + self.body + check.to_bytes(4, "big")


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks up to the end of the picture; the last one may be cut."""
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        body = data[place + 8 : place + 8 + length]
        stated = data[place + 8 + length : place + 12 + length]
        yield _Chunk(kind, body, stated == zlib.crc32(kind + body).to_bytes(4, "big"))
        if kind == b"IEND":
            return
        place += 12 + length


def picture_only(data: bytes) -> bytes | None:
    """The file without notes, colour profiles and what follows its end, none of which changes a pixel here.

    Returns:
        A PNG file; None if a chunk of the picture is damaged or of an unknown kind.
    """
    kept = [SIGNATURE]
    for chunk in _chunks(data):
        is_note = bool(chunk.kind[:1].islower())
        if chunk.kind in _PICTURE or (chunk.kind in _USEFUL and chunk.whole):
            if not chunk.whole:
                return None
            kept.append(chunk.written)
        elif not is_note:
            return None
    return b"".join(kept)


def may_be_turned(data: bytes) -> bool:
    """Whether a chunk may state an orientation; some chunks lie behind the pixels, and Pillow decodes these first."""
    return _ORIENTED.search(data) is not None


def is_deep(data: bytes) -> bool:
    """Whether the samples have 16 bits."""
    return data[24:25] == bytes([_DEEP])


def stated_bits(data: bytes) -> int | None:
    """The significant bits per colour sample that the chunk sBIT states; None if there is none."""
    for chunk in _chunks(data):
        if chunk.kind == b"sBIT" and chunk.whole and chunk.body:
            # Of colours without alpha: sBIT has one value a channel, the alpha's last.
            colours = chunk.body[:-1] if len(chunk.body) in (2, 4) else chunk.body
            return max(colours)
        if chunk.kind == b"IDAT":
            return None
    return None
