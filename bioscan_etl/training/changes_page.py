"""The page of the images that became worse or better: whole image and close-up, with three boxes drawn.

Belongs here: the drawing, the page, and its short form for Dagster's UI. Does not belong here: which images these are
(`changes`).

The page is one file without links to others, so that it can be sent to a colleague.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bioscan_etl.images.crop import encode_jpeg
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.write import write_text
from bioscan_etl.printable import printable
from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.changes import Change, Found
from bioscan_etl.training.comparison import NAMES, Compared
from bioscan_etl.training.comparison import verdict as said
from bioscan_etl.training.dataset import read_pixels

PAGE, SHORT = "became_worse.html", "became_worse.md"
MOST = {"worse": 48, "better": 24}
"""Images that the page shows; the others are in `evaluation.json` alone."""
SHORT_LIMIT = 100_000
"""Characters of the short form, which Dagster keeps in its database with every check."""
TEMPLATE = Path(__file__).with_name("changes.html.jinja")
_HEIGHT, _GAP = 300, 8  # px
_WIDEST = 450  # px, of the whole image
_SMALL = 360  # px, width of both pictures in the short form
_AROUND = 0.35  # margin of the close-up, as a share of the longer side of the boxes together
_QUALITY = ImageSettings(jpeg_quality=80)
# Colours that people with any colour vision tell apart (Okabe & Ito 2008); lines differ, too.
COLOURS = {"annotated": (0, 158, 115), "current": (86, 180, 233), "tuned": (213, 94, 0)}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_MARKED = re.compile(r"([\\`*_\[\]<>|!#~&])")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the page says above the pictures.

    Attributes:
        current: name of the detector of the settings.
        tuned: name of the tuned one.
        images: number of occupied and of empty images.
        compared: the figures.
        reasons: why the tuned detector is refused; empty if it is not.
        remarks: what else a curator must know.
    """

    current: str
    tuned: str
    images: dict[str, int]
    compared: Sequence[Compared]
    reasons: Sequence[str]
    remarks: Sequence[str]


def template_digest() -> str:
    """Hex sha256 of the page's template."""
    return file_sha256(str(TEMPLATE))


def write_pages(
    folder: Path, images: Path, verdict: Verdict, worse: Sequence[Change], better: Sequence[Change]
) -> None:
    """Write the page and its short form.

    Args:
        folder: to write to.
        images: folder of the annotated images.
        verdict: what is said above.
        worse: images that became worse, in the order in which they are shown.
        better: images that became better.

    Raises:
        UnreadableImage: an image cannot be read.
        ValueError: an image has another size than the annotated one.
    """
    drawn: dict[str, list[RGB]] = {"worse": [], "better": []}
    groups = []
    for name, found in (("worse", worse), ("better", better)):
        drawn[name] = [draw(read_pixels(images, change.image), change) for change in found[: MOST[name]]]
        groups.append(
            {
                "name": name,
                "number": len(found),
                "left_out": max(len(found) - MOST[name], 0),
                "shown": [
                    {
                        "name": printable(change.image.file_name),
                        "what": change.what,
                        "current": told(change.before),
                        "tuned": told(change.after),
                        "picture": _address(picture),
                        "width": picture.shape[1],
                        "height": picture.shape[0],
                    }
                    for change, picture in zip(found, drawn[name], strict=False)
                ],
            }
        )
    text: str = _template().render(
        policy=_POLICY,
        verdict=verdict,
        rows=[(NAMES[one.name], one, said(one)) for one in verdict.compared],
        reasons=[printable(one) for one in verdict.reasons],
        remarks=[printable(one) for one in verdict.remarks],
        groups=groups,
        colours={name: f"rgb({red}, {green}, {blue})" for name, (red, green, blue) in COLOURS.items()},
    )
    write_text(folder / PAGE, text)
    write_text(folder / SHORT, _short(worse, drawn["worse"], len(better), sum(verdict.images.values())))


def told(found: Found) -> str:
    """What a detector said of an image; the IoU is rounded down, so that none below a limit seems to reach it."""
    return found.status if found.iou is None else f"{found.status}, IoU {math.floor(1000 * found.iou) / 1000:.3f}"


def draw(pixels: RGB, change: Change) -> RGB:
    """The whole image and a close-up of the boxes side by side, 300 px high, with the boxes that there are.

    Args:
        pixels: of the image, (height, width, 3), RGB, uint8.
        change: of the image.
    """
    boxes = {"annotated": change.image.box, "current": change.before.box, "tuned": change.after.box}
    height, width = pixels.shape[:2]
    whole = _part(pixels, (0, 0, width, height), boxes, _WIDEST)
    close = _part(pixels, _surroundings(list(filter(None, boxes.values())), width, height), boxes, _HEIGHT)
    paper = np.full((_HEIGHT, whole.shape[1] + _GAP + close.shape[1], 3), 255, np.uint8)
    paper[: whole.shape[0], : whole.shape[1]] = whole
    paper[: close.shape[0], whole.shape[1] + _GAP :] = close
    return paper


def _surroundings(boxes: Sequence[FloatBox], width: int, height: int) -> tuple[int, int, int, int]:
    """The square around all boxes with a margin, within the image, as (x0, y0, x1, y1)."""
    x0, y0 = (min(box[place] for box in boxes) for place in (0, 1))
    x1, y1 = (max(box[place] for box in boxes) for place in (2, 3))
    side = min(round((1 + 2 * _AROUND) * max(x1 - x0, y1 - y0, 16.0)), width, height)
    # Moved into the image rather than cut. A square cannot hold boxes that are wider than the image is high.
    wide, high = (
        max(side, min(round(to - start), length)) for start, to, length in ((x0, x1, width), (y0, y1, height))
    )
    left = min(max(round((x0 + x1 - wide) / 2), 0), width - wide)
    top = min(max(round((y0 + y1 - high) / 2), 0), height - high)
    return left, top, left + wide, top + high


def _part(pixels: RGB, part: tuple[int, int, int, int], boxes: dict[str, FloatBox | None], widest: int) -> RGB:
    """A part (x0, y0, x1, y1) of an image at `_HEIGHT` high and `widest` wide at most, with the boxes."""
    x0, y0, x1, y1 = part
    scale = min(widest / (x1 - x0), _HEIGHT / (y1 - y0))
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    filtering = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.ascontiguousarray(cv2.resize(pixels[y0:y1, x0:x1], size, interpolation=filtering), np.uint8)
    for name, box in boxes.items():
        if box is not None:
            corners = [round((edge - start) * scale) for edge, start in zip(box, (x0, y0, x0, y0), strict=True)]
            _outline(picture, corners, COLOURS[name], dashed=name == "current", wide=name == "annotated")
    return picture


def _outline(picture: RGB, corners: list[int], colour: tuple[int, int, int], *, dashed: bool, wide: bool) -> None:
    x0, y0, x1, y1 = corners
    thickness = 4 if wide else 2
    path = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    for (left, top), (right, bottom) in pairwise(path):
        length = max(abs(right - left), abs(bottom - top), 1)
        dash = 8 if dashed else length
        for start in range(0, length, 2 * dash if dashed else length):
            first, last = start / length, min(start + dash, length) / length
            cv2.line(
                picture,
                (round(left + first * (right - left)), round(top + first * (bottom - top))),
                (round(left + last * (right - left)), round(top + last * (bottom - top))),
                colour,
                thickness,
            )


def _address(picture: RGB) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(encode_jpeg(picture, _QUALITY)).decode()}"


def _short(worse: Sequence[Change], drawn: Sequence[RGB], better: int, images: int) -> str:
    """The images that became worse as Markdown for Dagster's UI: as many pictures as fit."""
    lines = [
        f"**{_number(len(worse))} became worse, {_number(better)} better**, of {images}. "
        "Thick green: annotated. Dashed blue: current detector. Orange: tuned one."
    ]
    left = SHORT_LIMIT - 500 - len(lines[0])
    shown = 0
    for change, picture in zip(worse, drawn, strict=False):
        size = _SMALL, max(1, round(picture.shape[0] * _SMALL / picture.shape[1]))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        words = _marked(f"{change.image.file_name}: {change.what} ({told(change.before)}; now {told(change.after)})")
        entry = f"{words}\n\n![{words}]({_address(small)})"
        if len(entry) + 2 > left:
            break
        left -= len(entry) + 2
        lines.append(entry)
        shown += 1
    if shown < len(worse):
        lines.append(f"{len(worse) - shown} more: see {PAGE}, and the list in evaluation.json.")
    return "\n\n".join(lines) + "\n"


def _number(images: int) -> str:
    return f"{images} image{'' if images == 1 else 's'}"


def _marked(text: str) -> str:
    """A text that Markdown shows as it is."""
    return _MARKED.sub(r"\\\1", printable(text))


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE.name)
