"""Are the images cut and written according to the stated settings?

Belongs here: what a specimen's box and the bytes of its images show about crop, fill, encoding and exposure. Does not
belong here: whether an image is whole (`images`, which also checks the shorter side of the *_256 packages against
images.short_side).

Headers are read of all images that are checked, pixels of a few. The mean grey of a crop comes through JPEG with an
error that its quantisation bounds, so images.exposure_range is verified with that tolerance. The variance of the
Laplacian does not: images.min_blur is not verified.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.csv import read_fields, typed
from bioscan_etl.release.check.faults import Fault, Listing, capped
from bioscan_etl.release.check.files import is_plain, names
from bioscan_etl.release.check.images import ORIGINALS, SAMPLE, sample
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.layout import images_name
from bioscan_etl.release.manifest import Manifest
from bioscan_etl.release.rows import with_image

VERIFIED = MappingProxyType(
    {
        "images.crop_margin": "the crop's width and height follow from the box",
        "images.crop_aspect": "the crop's width and height follow from the box",
        "images.crop_fill": "that colour is where a crop leads out of its original, within the error of JPEG",
        "images.short_side": "it is the shorter side of the images in the *_256 packages",
        "images.jpeg_quality": "the quantisation tables of the written images",
        "images.exposure_range": "BADLY_EXPOSED is set where the crop's mean grey is outside, within the error of JPEG",
        "images.max_pixels": "no original with a box has more",
    }
)
"""Settings that are verified here or in `images`, and how."""

_CROPPED = "cropped"
# JPEG's standard tables (ITU-T T.81, annex K), which libjpeg scales by the quality; by rows.
_LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32),
)
# Pixels of a block whose colours are coded together (4:2:0), and what smoothing carries over its edge.
_BLOCK, _SMOOTHED = 16, 2
# Of a crop that shows less of the original, blocks at the edge have too much weight.
_ENOUGH_PIXELS = 64 * 64
_LARGEST = 1 << 26  # pixels of a crop that is decoded
_Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Frame:
    """A crop: its size, and which part of it shows the original (right and bottom exclusive), in pixels."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    tables: Mapping[int, Sequence[int]]


def check(
    root: Path, manifest: Manifest, stated: Stated, data: Rows, rows: pl.DataFrame, *, every: bool
) -> Iterator[Fault]:
    """Check images and boxes against the stated settings.

    Args:
        root: the release's folder.
        manifest: its packages.
        stated: the settings.
        data: the released rows, read in pieces.
        rows: processid, split, chunk, area_fraction of the released specimens, once each.
        every: whether the headers of all images are read, instead of a fixed sample.
    """
    settings = names(manifest)
    folder = images_name(settings)
    listed = with_image(rows).select("processid", "path").sort("path")
    few = listed.filter(pl.col("path").is_in(sample(listed["path"].to_list())))
    chosen = listed if every else few
    flags = _exposures(data, few["processid"])
    looked_at = listed.join(flags.select("processid"), on="processid", how="semi")
    boxes: dict[str, tuple[int, ...]] = {}
    if settings.wants("bbox"):
        wanted = pl.concat([chosen["processid"], looked_at["processid"]]).unique()
        found, faults = read_boxes(root, f"{settings.title}_bbox.tsv", stated, wanted)
        boxes |= found
        yield from faults
    if "images.jpeg_quality" in stated:
        packages = [package for package in manifest.image_packages if package != ORIGINALS]
        yield from capped(_qualities(root, folder, packages, chosen, stated))
    if _CROPPED not in manifest.image_packages:
        return
    yield from capped(_sizes(root, f"{folder}/{_CROPPED}", chosen, boxes, stated))
    yield from capped(_fills(root, f"{folder}/{_CROPPED}", chosen, boxes, stated))
    if "images.exposure_range" in stated:
        exposed = dict(flags.iter_rows())
        yield from capped(_greys(root, f"{folder}/{_CROPPED}", looked_at, boxes, exposed, stated))


def _exposures(data: Rows, chosen: pl.Series) -> pl.DataFrame:
    """Columns processid and badly (BADLY_EXPOSED), of some specimens with an image and the first that are flagged."""
    badly = pl.col("flags").list.contains("BADLY_EXPOSED")
    parts = [pl.DataFrame(schema={"processid": pl.String, "badly": pl.Boolean})]
    flagged = 0
    for piece in data.pieces(("flags", "area_fraction")):
        rows = piece.filter(pl.col("area_fraction").is_not_null()).select("processid", badly=badly)
        more = rows.filter("badly").head(SAMPLE - flagged)
        flagged += more.height
        parts += [rows.filter(pl.col("processid").is_in(chosen.implode())), more]
    return pl.concat(parts).unique("processid", keep="first", maintain_order=True)


def read_boxes(
    root: Path, name: str, stated: Stated, wanted: pl.Series
) -> tuple[dict[str, tuple[int, ...]], list[Fault]]:
    """Width, height, x0, y0, x1, y1 of the wanted specimens, as far as they are sound; and originals too large."""
    if not is_plain(root, name):
        return {}, []
    columns = ("width_original", "height_original", "x0", "y0", "x1", "y1")
    x0, y0, x1, y1 = (pl.col(column) for column in columns[2:])
    sound = (x0 >= 0) & (y0 >= 0) & (x1 > x0) & (y1 > y0) & (x1 <= pl.col(columns[0])) & (y1 <= pl.col(columns[1]))
    pixels = pl.col(columns[0]).cast(pl.Int64) * pl.col(columns[1]).cast(pl.Int64)
    boxes: dict[str, tuple[int, ...]] = {}
    listing = Listing()
    # `tables` reports what is wrong with the file itself.
    for fields in read_fields(root, name, schema.BBOX.names(), Listing()):
        piece = typed(fields, schema.BBOX)
        if "images.max_pixels" in stated:
            message = f"has {{width_original}} x {{height_original}} px, against {stated.shown('images.max_pixels')}"
            listing.add(name, piece.filter(pixels > stated["images.max_pixels"]), message)
        kept = piece.filter(sound, pl.col("processid").is_in(wanted.implode()))
        boxes |= {row[0]: row[1:] for row in kept.select("processid", *columns).iter_rows()}
    return boxes, list(listing.faults())


def _frame(box: Sequence[int], stated: Stated) -> _Frame | None:
    """The crop of a box (spec: specimen images, "The crop"); None if the settings allow none."""
    width, height, x0, y0, x1, y1 = box
    across, down = stated["images.crop_aspect"]
    if across < 1 or down < 1:
        return None
    half = stated["images.crop_margin"] * max(x1 - x0, y1 - y0) / 2
    left, top, right, bottom = int(x0 - half), int(y0 - half), int(x1 + half), int(y1 + half)
    if bottom - top > right - left:
        # Turned counter-clockwise: what was down is to the right, and what was to the right is up.
        left, top, right, bottom = top, width - right, bottom, width - left
        width, height = height, width
    taller = (right - left) * down / across - (bottom - top)
    wider = (bottom - top) * across / down - (right - left)
    if taller > 0:
        top, bottom = round(top - taller / 2), round(bottom + taller / 2)
    elif wider > 0:
        left, right = round(left - wider / 2), round(right + wider / 2)
    shown = max(-left, 0), max(-top, 0), min(width, right) - left, min(height, bottom) - top
    return _Frame(right - left, bottom - top, *shown)


def _header(root: Path, name: str) -> _Header | None:
    """Size and quantisation tables of a JPEG; None if it is not a JPEG, which `images` reports."""
    if not is_plain(root, name):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(root / name, formats=["JPEG"]) as image:
                tables = getattr(image, "quantization", {})
                return _Header(*image.size, {number: list(table) for number, table in tables.items()})
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


@cache
def _tables(quality: int) -> tuple[list[int], list[int]]:
    """The standard tables at a quality, as libjpeg scales them for baseline files."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    luma, chroma = ([min(max((value * scale + 50) // 100, 1), 255) for value in one] for one in (_LUMA, _CHROMA))
    return luma, chroma


def _qualities(
    root: Path, folder: str, packages: Sequence[str], chosen: pl.DataFrame, stated: Stated
) -> Iterator[Fault]:
    quality = stated["images.jpeg_quality"]
    luma, chroma = _tables(quality)
    for package in packages:
        for processid, path in chosen.iter_rows():
            name = f"{folder}/{package}/{path}"
            header = _header(root, name)
            if header is None or (header.tables.get(0), header.tables.get(1, chroma)) == (luma, chroma):
                continue
            like = [one for one in range(1, 101) if _tables(one)[0] == header.tables.get(0)]
            said = f"quality {like[0]}" if like else "no standard quality"
            yield Fault(name, processid, f"has quantisation tables of {said}; images.jpeg_quality is {quality}")


def _sizes(
    root: Path, folder: str, chosen: pl.DataFrame, boxes: Mapping[str, tuple[int, ...]], stated: Stated
) -> Iterator[Fault]:
    if "images.crop_margin" not in stated or "images.crop_aspect" not in stated:
        return
    said = f"images.crop_margin {stated['images.crop_margin']:g} and images.crop_aspect {stated['images.crop_aspect']}"
    for processid, path in chosen.iter_rows():
        if processid not in boxes or (header := _header(root, f"{folder}/{path}")) is None:
            continue
        frame = _frame(boxes[processid], stated)
        expected = "no crop" if frame is None else f"{frame.width} x {frame.height}"
        if expected != f"{header.width} x {header.height}":
            message = f"is {header.width} x {header.height}; {said} give {expected}"
            yield Fault(f"{folder}/{path}", processid, message)


def _pixels(root: Path, name: str, frame: _Frame | None) -> tuple[_Pixels, _Header] | None:
    """A crop's pixels (height, width, 3) RGB and header; None if it is not of the size that it should have."""
    header = _header(root, name)
    if header is None or frame is None or (header.width, header.height) != (frame.width, frame.height):
        return None
    if frame.width * frame.height > _LARGEST:
        return None
    try:
        with Image.open(io.BytesIO((root / name).read_bytes()), formats=["JPEG"]) as image:
            return np.asarray(image.convert("RGB"), np.uint8), header
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _outside(pixels: _Pixels, frame: _Frame) -> _Pixels:
    """The pixels (n, 3) of a crop that are so far outside the original that nothing of it can be in them."""
    outside = np.zeros(pixels.shape[:2], np.bool_)

    def before(edge: int) -> int:
        return max(edge // _BLOCK * _BLOCK - _SMOOTHED, 0)

    def behind(edge: int) -> int:
        return max(-(-edge // _BLOCK) * _BLOCK + _SMOOTHED, 0)

    outside[:, : before(frame.left)] = outside[: before(frame.top), :] = True
    outside[:, behind(frame.right) :] = outside[behind(frame.bottom) :, :] = True
    return np.asarray(pixels[outside], np.uint8)


def _error(header: _Header) -> float:
    """How far the mean of coded blocks may be from what was encoded: half a step of the quantisation, and rounding."""
    luma, chroma = (header.tables.get(number, [255])[0] for number in (0, 1))
    return float(luma / 16 + 1.8 * chroma / 16 + 2)


def _fills(
    root: Path, folder: str, chosen: pl.DataFrame, boxes: Mapping[str, tuple[int, ...]], stated: Stated
) -> Iterator[Fault]:
    if "images.crop_fill" not in stated:
        return
    fill, seen = stated["images.crop_fill"], 0
    for processid, path in chosen.iter_rows():
        frame = _frame(boxes[processid], stated) if processid in boxes else None
        if frame is None or (frame.left, frame.top, frame.right, frame.bottom) == (0, 0, frame.width, frame.height):
            continue
        found = _pixels(root, f"{folder}/{path}", frame)
        outside = None if found is None else _outside(found[0], frame)
        if found is None or outside is None or not outside.size:
            continue
        mean = outside.mean(axis=0)
        if np.abs(mean - np.array(fill)).max() > _error(found[1]):
            shown = tuple(round(float(value)) for value in mean)
            message = f"is of the colour {shown} outside the original; images.crop_fill is {fill}"
            yield Fault(f"{folder}/{path}", processid, message)
        seen += 1
        if seen == SAMPLE:
            return


def _greys(
    root: Path,
    folder: str,
    looked_at: pl.DataFrame,
    boxes: Mapping[str, tuple[int, ...]],
    exposed: Mapping[str, bool],
    stated: Stated,
) -> Iterator[Fault]:
    low, high = stated["images.exposure_range"]
    for processid, path in looked_at.iter_rows():
        frame = _frame(boxes[processid], stated) if processid in boxes else None
        found = _pixels(root, f"{folder}/{path}", frame)
        if found is None or frame is None:
            continue
        pixels = found[0][frame.top : frame.bottom, frame.left : frame.right]
        if pixels.shape[0] * pixels.shape[1] < _ENOUGH_PIXELS:
            continue
        grey, error = (
            float(cv2.mean(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY))[0]),
            _error(found[1]),
        )
        inside, outside = low + error < grey < high - error, grey < low - error or grey > high + error
        if exposed[processid] and inside:
            message = (
                f"has the flag BADLY_EXPOSED at a mean grey of {grey:.1f}; images.exposure_range is {low} to {high}"
            )
            yield Fault(f"{folder}/{path}", processid, message)
        elif outside and not exposed[processid]:
            message = (
                f"lacks the flag BADLY_EXPOSED at a mean grey of {grey:.1f}; images.exposure_range is {low} to {high}"
            )
            yield Fault(f"{folder}/{path}", processid, message)
