"""JPEG files: which of a decoder's warnings lose picture, and which do not.

Belongs here: the structure of a JPEG file (ITU-T T.81, annex B), its header, and the strict decoding. Does not belong
here: other formats, limits and orientation (`images.decode`).

libjpeg reports a warning for two kinds of defects. Some lose picture: a hole, missing data, a wrong Huffman code.
Others are outside the picture: an unknown revision of JFIF, parameters that a sequential scan does not use, bytes
between two segments, a damaged note, no end marker behind complete data. Only the first warning of a file is reported,
so one kind can hide the other. A file that gives a warning is therefore written again with nothing but what the picture
needs. If that copy decodes without a warning, the picture is whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image

Samples = npt.NDArray[np.uint8]

START = b"\xff\xd8\xff"
_END, _SCAN, _RESTART_INTERVAL, _LINES = 0xD9, 0xDA, 0xDD, 0xDC
_ARITHMETIC = 0xCC  # DAC
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, _ARITHMETIC})
_ARITHMETIC_FRAMES = frozenset(range(0xC9, 0xD0)) & _FRAMES
_SEQUENTIAL, _PROGRESSIVE = frozenset({0xC0, 0xC1}), 0xC2
_TABLES = frozenset({0xDB, 0xC4, _ARITHMETIC, _RESTART_INTERVAL, _LINES})  # DQT, DHT, DAC, DRI, DNL
_NOTES = frozenset({*range(0xE0, 0xF0), 0xFE})  # APP0 to APP15, COM
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment: TEM, RST0 to RST7
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # not a restart, not a stuffed 0xff, not fill
_JFIF, _ADOBE, _EXIF, _XMP = b"JFIF\0", b"Adobe", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_ORIENTATION = 0x0112
_PLAIN_JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"  # revision 1.01, no thumbnail
_FILLER = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
# Bytes that some cameras leave at the end of a scan, of any value. More are filler only if all are equal: data behind a
# hole can end too late as well, with some tens of bytes.
_SHORT_FILLER = 8
_MOST_FILLERS = 16  # scans whose filler is removed, at most
_COEFFICIENTS = 64


class DamagedJpegError(ValueError):
    """The file is no JPEG that can be read, or a part of its picture is lost; the message says which."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A marker with its parameters and, of a scan, the coded data.

    Attributes:
        marker: second byte of the marker.
        body: parameters, without their length.
        coded: data of a scan, with its restart markers.
    """

    marker: int
    body: bytes
    coded: bytes = b""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the segments in front of the picture say.

    Attributes:
        width: in pixels, before orientation.
        height: in pixels, before orientation.
        components: 1 grey, 3 colour, 4 CMYK or YCCK.
        progressive: the picture comes in several passes.
        several_scans: the first scan does not hold all of the picture.
        orientation: EXIF orientation, 1 to 8; 1 if none is stated.
    """

    width: int
    height: int
    components: int
    progressive: bool
    several_scans: bool
    orientation: int


def read_header(data: bytes) -> JpegHeader:
    """Read the header of a JPEG file.

    Raises:
        DamagedJpegError: there is no frame or scan, or it is of a kind that is not read.
    """
    frame = None
    exif, xmp = b"", b""
    for segment in _segments(data, coded=False):
        marker, body = segment.marker, segment.body
        if marker in _FRAMES and frame is None:
            frame = segment
        elif marker == 0xE1 and body.startswith(_EXIF):
            exif += body[len(_EXIF) :] if exif else body
        elif marker == 0xE1 and body.startswith(_XMP):
            xmp = body
        elif marker == _SCAN:
            if frame is None or not body:
                break
            return _header(frame, body[0], _orientation(exif, xmp))
    raise DamagedJpegError("the JPEG header is damaged: no frame and scan")


def _header(frame: _Segment, scanned: int, orientation: int) -> JpegHeader:
    body = frame.body
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise DamagedJpegError("the JPEG header is damaged: the frame is cut")
    components = body[5]
    if body[0] != 8:
        raise DamagedJpegError(f"the JPEG has samples of {body[0]} bits; JPEG files of 8 bits are read")
    if components not in (1, 3, 4):
        raise DamagedJpegError(f"the JPEG has {components} components; 1 (grey), 3 (colour) and 4 (CMYK) are read")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    progressive = frame.marker == _PROGRESSIVE
    return JpegHeader(width, height, components, progressive, progressive or scanned < components, orientation)


def _orientation(exif: bytes, xmp: bytes) -> int:
    if exif:
        read = Image.Exif()
        try:
            read.load(exif)
            value = read.get(_ORIENTATION)
        except Exception:  # a broken EXIF block says nothing about the pixels
            return 1
        if value is not None:
            return value if isinstance(value, int) else 1
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def decode_jpeg(data: bytes, header: JpegHeader) -> Samples:
    """Decode the first picture of a JPEG file, if it is whole.

    Returns:
        uint8, (height, width, 3) RGB, or (height, width, 4) CMYK with 0 for no ink; not oriented.

    Raises:
        DamagedJpegError: a part of the picture is lost.
    """
    try:
        pixels = _strictly(data, header)
        if not header.several_scans:
            return pixels
        parts = list(_segments(data))
    except ValueError as error:
        parts = _plain(_segments(data), error)
        pixels = _without_filler(parts, header) if _is_ended(parts) else _unended(parts, header)
    if header.several_scans and (lost := _missing(parts)):
        raise DamagedJpegError(f"the JPEG data is damaged: {lost}")
    return pixels


def _strictly(data: bytes, header: JpegHeader) -> Samples:
    if header.components < 4:
        pixels: Samples = simplejpeg.decode_jpeg(data, "RGB", strict=True)
        return pixels
    inks: Samples = simplejpeg.decode_jpeg(data, "CMYK", strict=True)
    # Adobe's files, and all others that exist, hold 255 for no ink.
    np.subtract(255, inks, out=inks)
    return inks


def _segments(data: bytes, *, coded: bool = True) -> Iterator[_Segment]:
    """The segments up to the end of the first picture, as libjpeg finds them: other bytes are passed over."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0:
        while data[place + 1 : place + 2] == b"\xff":
            place += 1
        if place + 1 >= len(data):
            return
        marker = data[place + 1]
        if marker == 0 or marker in _ALONE:
            place += 2
            continue
        if marker == _END:
            yield _Segment(marker, b"")
            return
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        after = place + 2 + length
        if length < 2 or after > len(data):
            return
        body = data[place + 4 : after]
        if marker == _SCAN and coded:
            found = _AFTER_SCAN.search(data, after)
            end = found.start() if found else len(data)
            yield _Segment(marker, body, data[after:end])
            after = end
        else:
            yield _Segment(marker, body)
        place = after


def _plain(segments: Iterator[_Segment], error: ValueError) -> list[_Segment]:
    """The segments that the picture needs, in the form that every decoder takes.

    Raises:
        DamagedJpegError: a segment is of an unknown kind, so that it may be a part of the picture.
    """
    parts: list[_Segment] = []
    sequential, components = False, 3
    for segment in segments:
        marker, body = segment.marker, segment.body
        if marker in _FRAMES:
            sequential, components = marker in _SEQUENTIAL, body[5] if len(body) > 5 else 3
            parts.append(segment)
        elif marker == _SCAN:
            # A sequential scan has all coefficients in full: the last three bytes can only be these.
            whole = sequential and len(body) == 4 + 2 * body[0]
            parts.append(replace(segment, body=body[:-3] + b"\x00\x3f\x00") if whole else segment)
        elif marker in _TABLES or marker == _END:
            parts.append(segment)
        elif marker == 0xE0 and body.startswith(_JFIF):
            parts.append(_Segment(marker, _PLAIN_JFIF))
        elif marker == 0xEE and body.startswith(_ADOBE) and len(body) >= 12:
            parts.append(_Segment(marker, body[:11] + bytes([_transform(body[11], components)])))
        elif marker not in _NOTES:
            raise _damaged(error)
    return parts


def _transform(stated: int, components: int) -> int:
    """The colour transform as libjpeg takes it: of an unknown one, YCbCr or YCCK."""
    known = (0, 2) if components == 4 else (0, 1)
    return stated if stated in known else known[1]


def _damaged(error: ValueError) -> DamagedJpegError:
    return DamagedJpegError(f"the JPEG data is damaged: {(str(error) or type(error).__name__).splitlines()[0]}")


def _joined(parts: list[_Segment]) -> bytes:
    pieces = [b"\xff\xd8"]
    for part in parts:
        pieces.append(bytes((0xFF, part.marker)))
        if part.marker != _END:
            pieces += [(len(part.body) + 2).to_bytes(2, "big"), part.body, part.coded]
    return b"".join(pieces)


def _is_ended(parts: list[_Segment]) -> bool:
    return bool(parts) and parts[-1].marker == _END


def _unended(parts: list[_Segment], header: JpegHeader) -> Samples:
    """Decode a file without an end marker: libjpeg warns if a single bit of its scans is missing.

    Filler is not removed: in a file that was cut, and padded to the size of its blocks, it takes the place of picture.
    libjpeg reads zeros behind the end of arithmetic codes without a warning, so that these are refused.
    """
    arithmetic = any(part.marker == _ARITHMETIC or part.marker in _ARITHMETIC_FRAMES for part in parts)
    try:
        if not arithmetic:
            return _strictly(_joined([*parts, _Segment(_END, b"")]), header)
    except ValueError as error:
        raise _damaged(error) from None
    raise DamagedJpegError("the JPEG data is damaged: it has no end marker")


def _without_filler(parts: list[_Segment], header: JpegHeader) -> Samples:
    """Decode, and remove the bytes that a camera left behind the picture's data at the end of a scan."""
    for _ in range(_MOST_FILLERS):
        try:
            return _strictly(_joined(parts), header)
        except ValueError as error:
            damaged = _damaged(error)
        found = _FILLER.fullmatch(str(damaged).removeprefix("the JPEG data is damaged: "))
        if found is None or not _cut(parts, int(found[1]), int(found[2], 16)):
            raise damaged from None
    raise DamagedJpegError("the JPEG data is damaged: bytes that are no picture in more scans than are mended")


def _cut(parts: list[_Segment], count: int, marker: int) -> bool:
    """Remove `count` bytes from the first scan that the marker follows and that ends in filler."""
    for place in range(len(parts) - 1):
        coded = parts[place].coded
        if not coded or parts[place + 1].marker != marker or count > len(coded):
            continue
        if count <= _SHORT_FILLER or len(set(coded[-count:])) == 1:
            parts[place] = replace(parts[place], coded=coded[:-count])
            return True
    return False


def _missing(parts: list[_Segment]) -> str:
    """What the scans of a picture leave out; an empty text if they hold every bit of every coefficient."""
    left: dict[int, Any] = {}
    for part in parts:
        body = part.body
        if part.marker in _FRAMES and not left:
            left = {body[6 + 3 * one]: np.full(_COEFFICIENTS, 255, np.uint8) for one in range(body[5])}
            sequential = part.marker in _SEQUENTIAL
        elif part.marker == _SCAN and left and len(body) >= 4 + 2 * body[0]:
            count = body[0]
            first, last, bits = (0, 63, 0) if sequential else (body[-3], min(body[-2], 63), body[-1] & 15)
            for one in range(count):
                if body[1 + 2 * one] in left:
                    left[body[1 + 2 * one]][first : last + 1] = bits
    if any(planes.any() for planes in left.values()):
        return "the last passes of the picture are missing"
    return ""
