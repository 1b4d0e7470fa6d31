"""The tables about ordinary images: what was found, boxes of another tool, and who looked what is cut.

Belongs here: their columns, reading and writing. Does not belong here: the figures (`ordinary`) and the pages
(`ordinary_sheet`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from bioscan_etl.io.write import write_text
from bioscan_etl.training.lines import read_lines, wrong

CUTS = ("yes", "no", "")
_PUBLISHED_COLUMNS = ("image_file", "kind", "x0", "y0", "x1", "y1", "published_value")
_KINDS = ("box", "mask")

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the image."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of `images.csv`.

    Attributes:
        image_file: its name.
        detector: that was run.
        width: of the image in pixels, None if it cannot be read.
        height: the same.
        status: of the detection, or `unreadable`.
        confidence: of the box, 0 to 1.
        presence: of a specimen, 0 to 1.
        specimens: number of plausible ones.
        x0: edges of the box in pixels of the image; None without one.
        y0: the same.
        x1: the same.
        y1: the same.
        published_iou: IoU with the published box; None if there is none.
        published_ratio: area of the box as a share of the published one's; published boxes are looser than outlines.
        cut: one of `CUTS`.
    """

    image_file: str
    detector: str
    width: int | None
    height: int | None
    status: str
    confidence: float = 0.0
    presence: float = 0.0
    specimens: int = 0
    x0: float | None = None
    y0: float | None = None
    x1: float | None = None
    y1: float | None = None
    published_iou: float | None = None
    published_ratio: float | None = None
    cut: str = ""


def read_published(path: Path, names: Sequence[str]) -> dict[str, Box]:
    """The published boxes by file name.

    Raises:
        SettingsError: the file cannot be read, or a line names no image, an unknown kind, no box, or an image again.
    """
    found: dict[str, Box] = {}
    for line, cells in read_lines(path, "published boxes", _PUBLISHED_COLUMNS):
        name = cells["image_file"]
        if name not in names:
            said = f"{name!r} is not in the folder; remove the line, or add the image"
            raise wrong(path, "published boxes", line, "image_file", said)
        if name in found:
            raise wrong(path, "published boxes", line, "image_file", f"{name!r} has a box already; keep one")
        if cells["kind"] not in _KINDS:
            said = f"{cells['kind']!r} is unknown; write one of {', '.join(_KINDS)}"
            raise wrong(path, "published boxes", line, "kind", said)
        edges = []
        for column in ("x0", "y0", "x1", "y1"):
            if not cells[column].isdecimal():
                said = f"{cells[column]!r} is no whole number of pixels; correct it"
                raise wrong(path, "published boxes", line, column, said)
            edges.append(float(cells[column]))
        x0, y0, x1, y1 = edges
        if x0 >= x1 or y0 >= y1:
            raise wrong(path, "published boxes", line, "x1", "the box has no area; x0 < x1 and y0 < y1 are needed")
        found[name] = (x0, y0, x1, y1)
    return found


def read_judged(path: Path, names: Sequence[str], detector: str) -> dict[str, str]:
    """The filled-in column `cut` by file name; blank for images that nobody judged.

    Raises:
        SettingsError: the file cannot be read, or a line names no image, an image again, another detector or an
            unknown judgement.
    """
    found: dict[str, str] = {}
    needed = ("image_file", "detector", "cut")
    others = tuple(field.name for field in fields(Seen) if field.name not in needed)
    for line, cells in read_lines(path, "judgements", needed, others):
        name = cells["image_file"]
        if name not in names or name in found:
            said = f"{name!r} is {'listed twice' if name in found else 'not in the folder'}; remove the line"
            raise wrong(path, "judgements", line, "image_file", said)
        if cells["detector"] != detector:
            said = f"the boxes of {cells['detector']!r} were judged, not those of {detector!r}; look at the new pages"
            raise wrong(path, "judgements", line, "detector", said)
        if cells["cut"] not in CUTS:
            raise wrong(
                path, "judgements", line, "cut", f"{cells['cut']!r} is unknown; write yes or no, or leave it blank"
            )
        found[name] = cells["cut"]
    return found


def write_lines(path: Path, lines: Sequence[Seen]) -> None:
    """Write `images.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Seen)]
    writer.writerow(names)
    writer.writerows([getattr(one, name) for name in names] for one in lines)
    write_text(path, text.getvalue())
