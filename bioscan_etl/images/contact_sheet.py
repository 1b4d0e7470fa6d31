"""A page of images for curators: random, least confident and failed ones, with their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from bioscan_etl.images.crop import encode_jpeg
from bioscan_etl.images.decode import RGB, UnreadableImage, decode
from bioscan_etl.images.sources import DamagedFile, Sources, open_sources
from bioscan_etl.io.write import atomic_file
from bioscan_etl.settings import ImageSettings

_TILE = (320, 240)
_CAPTION = 36
_COLUMNS = 6
_PAPER = (255, 255, 255)
_INK = (30, 30, 30)
_COLOURS = {
    "detected": (0, 140, 60),
    "low_confidence": (230, 140, 0),
    "multiple": (150, 0, 200),
    "empty": (90, 90, 90),
    "unreadable": (200, 0, 0),
}


def contact_sheet(
    boxes: pl.DataFrame,
    sources: Sequence[str],
    path: Path,
    settings: ImageSettings,
    *,
    rows: int = 2,
    seed: int = 0,
) -> None:
    """Write a JPEG page of a batch's images: random, least confident and failed ones, one block each.

    Args:
        boxes: table `boxes` of the batch.
        sources: locations that the images are in.
        path: of the JPEG file.
        settings: size limit and JPEG quality.
        rows: rows of six images per block.
        seed: of the random choice.

    Raises:
        SourceError: a source is out of reach.
    """
    count = rows * _COLUMNS
    ordered = boxes.sort("processid")
    readable = ordered.filter(pl.col("status") != "unreadable")
    blocks = {
        "random": readable.sample(min(count, readable.height), seed=seed).sort("processid"),
        "least confident boxes": ordered.filter(pl.col("x0").is_not_null()).sort("confidence", "processid").head(count),
        "failed: empty or unreadable": ordered.filter(pl.col("status").is_in(["unreadable", "empty"]))
        .sort("status", "processid", descending=[True, False])
        .head(count),
    }
    with open_sources(sources) as opened:
        page = np.vstack([_block(title, chosen, opened, settings) for title, chosen in blocks.items()])
    with atomic_file(path) as stream:
        stream.write(encode_jpeg(page, settings))


def _block(title: str, chosen: pl.DataFrame, sources: Sources, settings: ImageSettings) -> RGB:
    width = _COLUMNS * _TILE[0]
    lines = [_text(f"{title} ({chosen.height})", width, 0.8)]
    tiles = [_tile(row, sources, settings) for row in chosen.iter_rows(named=True)]
    blank = np.full((_TILE[1] + _CAPTION, _TILE[0], 3), _PAPER, np.uint8)
    for start in range(0, len(tiles), _COLUMNS):
        line = tiles[start : start + _COLUMNS]
        lines.append(np.hstack(line + [blank] * (_COLUMNS - len(line))))
    return np.vstack(lines)


def _tile(row: dict[str, object], sources: Sources, settings: ImageSettings) -> RGB:
    status = str(row["status"])
    colour = _COLOURS[status]
    try:
        picture = _picture(row, sources, settings)
        note = "" if row["confidence"] is None else f" {row['confidence']:.2f}"
    except (UnreadableImage, DamagedFile) as error:
        picture = np.full((_TILE[1], _TILE[0], 3), 225, np.uint8)
        note = f": {error}"
    caption = np.vstack(
        [
            _text(str(row["processid"]), _TILE[0], 0.45, _CAPTION // 2),
            _text(status + note, _TILE[0], 0.4, _CAPTION // 2, colour),
        ]
    )
    return np.vstack([picture, caption])


def _picture(row: dict[str, object], sources: Sources, settings: ImageSettings) -> RGB:
    if row["sha256"] is None:
        raise UnreadableImage(str(row["detail"]))
    pixels = decode(sources.read(str(row["image_file"])), settings.max_pixels, settings.bits)
    height, width = pixels.shape[:2]
    scale = min(_TILE[0] / width, _TILE[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.full((_TILE[1], _TILE[0], 3), _PAPER, np.uint8)
    picture[: size[1], : size[0]] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    corners = [row[name] for name in ("x0", "y0", "x1", "y1")]
    if None not in corners:
        x0, y0, x1, y1 = (round(float(value) * scale) for value in corners)  # type: ignore[arg-type]
        cv2.rectangle(picture, (x0, y0), (x1, y1), _COLOURS[str(row["status"])], 2)
    return picture


def _text(text: str, width: int, size: float, height: int = 32, colour: tuple[int, int, int] = _INK) -> RGB:
    strip = np.full((height, width, 3), _PAPER, np.uint8)
    shown = text.encode("ascii", "replace").decode()  # OpenCV's font has no other letters
    cv2.putText(strip, shown, (4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
    return strip
