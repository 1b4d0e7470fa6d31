"""PNG files: notes that are damaged, and parts of the picture that are."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from bioscan_etl.images.decode import UnreadableImage, decode, read_header
from bioscan_etl.images.png import is_deep, picture_only, stated_bits

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
LIMIT = 1_000_000


def chunk(kind: bytes, body: bytes, check: int | None = None) -> bytes:
    code = zlib.crc32(kind + body) if check is None else check
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", code)


def saved(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


PLAIN = saved(Image.fromarray(PIXELS))
HEADER = 8 + 25  # bytes of the signature and IHDR
NOTES = {
    "a note with a wrong check": chunk(b"tEXt", b"Comment\0x", 7),
    "a profile that cannot be unpacked": chunk(b"iCCP", b"p\0\0nonsense"),
    "a profile packed in an unknown way": chunk(b"iCCP", b"p\0\x09nonsense"),
    "a cut resolution": chunk(b"pHYs", b"\0\0"),
    "a note that is too long to unpack": chunk(b"zTXt", b"n\0\0" + zlib.compress(bytes(3 << 20))),
}


@pytest.mark.parametrize("name", NOTES)
def test_a_damaged_note_costs_nothing(name: str) -> None:
    np.testing.assert_array_equal(decode(PLAIN[:HEADER] + NOTES[name] + PLAIN[HEADER:], LIMIT), PIXELS)


def test_bytes_behind_the_end_cost_nothing() -> None:
    np.testing.assert_array_equal(decode(PLAIN + b"trailer" * 9, LIMIT), PIXELS)


def test_a_damaged_part_of_the_picture_is_refused() -> None:
    palette = saved(Image.fromarray(PIXELS).convert("P"))
    place = palette.index(b"PLTE") + 9
    for damaged in (
        PLAIN[:HEADER] + chunk(b"tRNS", bytes(6), 7) + PLAIN[HEADER:],
        PLAIN[:100] + bytes([PLAIN[100] ^ 1]) + PLAIN[101:],
        PLAIN[: len(PLAIN) // 2],
        palette[:place] + bytes([palette[place] ^ 1]) + palette[place + 1 :],
    ):
        with pytest.raises(UnreadableImage):
            decode(damaged, LIMIT)
        assert picture_only(damaged) is None


def test_the_header_is_read_without_a_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    turned = PLAIN[:-12] + chunk(b"eXIf", body) + PLAIN[-12:]  # behind the pixels
    assert decode(turned, LIMIT).shape == (64, 48, 3)
    monkeypatch.setattr(PngImageFile, "load", lambda _: pytest.fail("the pixels are decoded"))
    assert read_header(turned, LIMIT).memory > read_header(PLAIN, LIMIT).memory


def test_what_a_file_states_of_its_samples() -> None:
    deep = saved(Image.fromarray(np.full((4, 4), 99, np.uint16)))
    assert (is_deep(deep), is_deep(PLAIN)) == (True, False)
    assert stated_bits(deep) is None
    assert stated_bits(deep[:HEADER] + chunk(b"sBIT", b"\x0c") + deep[HEADER:]) == 12
    assert stated_bits(deep[:HEADER] + chunk(b"sBIT", b"\x0c", 1) + deep[HEADER:]) is None
