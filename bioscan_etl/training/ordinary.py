"""Look at what a detector does with ordinary images, which nobody outlined.

    python -m bioscan_etl.training.ordinary FOLDER --output DIR [--detector trained] [--published BOXES.csv]
        [--judged IMAGES.csv] [--markdown]

Writes into DIR:

- `images.csv`, one line an image. Its column `cut` is for whoever looks at the pages: `yes` if a leg, antenna, wing or
  pincer is clearly cut off, which means that it sticks out of the box by more than a twentieth of the box's longer
  side; `no` if none is; blank if it cannot be decided.
- `page_01.png` and so on: each image with box (red), outline of the mask (blue) and published box (green).
- `result.json`: the figures.

`--judged` reads such a file back, filled in, and reports the share of clear cuts. Boxes of another tool are read from
`published_boxes.csv` in FOLDER, or from `--published`: image_file, kind (`box` or `mask`), x0, y0, x1, y1 in pixels of
the file, published_value. None of the images may be reported empty.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.measure import area, overlap
from bioscan_etl.io.write import write_text
from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.intervals import share
from bioscan_etl.training.ordinary_tables import Box, Seen, read_judged, read_published, write_lines
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2

    from bioscan_etl.images.decode import RGB, UnreadableImage, decode
    from bioscan_etl.images.detect import load_detector
    from bioscan_etl.images.detection import Detection, Detector
    from bioscan_etl.training.dataset import MAX_PIXELS
    from bioscan_etl.training.ordinary_sheet import pages, tile

PUBLISHED = "published_boxes.csv"
GOOD = 0.75  # IoU with a published box
_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def image_names(folder: Path) -> list[str]:
    """Names of the images in a folder, sorted.

    Raises:
        SettingsError: the folder has none.
    """
    try:
        found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be listed: {error.strerror}; give a folder of images") from None
    if not found:
        raise SettingsError(f"{folder} has no image ({', '.join(_ENDINGS)}); give a folder of images")
    return found


def look(folder: Path, name: str, detector: Detector, published: Box | None) -> tuple[Seen, RGB]:
    """Run the detector on an image; gives its line, and its tile for the pages."""
    try:
        pixels = decode((folder / name).read_bytes(), MAX_PIXELS)
    except (UnreadableImage, OSError) as error:
        blank = np.full((8, 8, 3), 225, np.uint8)
        shown = f"{name}  unreadable: {error}"
        return Seen(name, detector.name, None, None, "unreadable"), tile(shown, blank, Detection(None, 0, 0, "empty"))
    detection = detector.detect(pixels)
    height, width = pixels.shape[:2]
    seen = Seen(
        name,
        detector.name,
        width,
        height,
        detection.status,
        round(detection.confidence, 4),
        round(detection.presence, 4),
        detection.specimens,
    )
    if detection.box is not None:
        x0, y0, x1, y1 = (round(edge, 1) for edge in detection.box)
        seen = replace(seen, x0=x0, y0=y0, x1=x1, y1=y1)
    if published is not None:
        iou = 0.0 if detection.box is None else round(overlap(detection.box, published), 4)
        ratio = 0.0 if detection.box is None else round(area(detection.box) / area(published), 4)
        seen = replace(seen, published_iou=iou, published_ratio=ratio)
    caption = f"{name}  {seen.status}  confidence {seen.confidence:.2f}  presence {seen.presence:.2f}"
    if seen.published_iou is not None:
        caption += f"  published IoU {seen.published_iou:.2f}"
    return seen, tile(caption, pixels, detection, published)


def summary(lines: Sequence[Seen]) -> dict[str, Any]:
    """The figures over all images.

    Returns:
        `detector`, `images`, `statuses`, `empty` (names of the images reported empty: none should be), and with 95 %
        intervals `sent` (status low_confidence) and, where known, `published_good` (IoU of at least 0.75) and `cut`
        (of the judged images); beside them `published` and `judged`, their numbers of images.
    """
    compared = {one.image_file: one.published_iou >= GOOD for one in lines if one.published_iou is not None}
    judged = [one.cut == "yes" for one in lines if one.cut]
    shares = {
        "sent": share([one.status == "low_confidence" for one in lines]),
        "published_good": share(list(compared.values())),
        "cut": share(judged),
    }
    return {
        "detector": lines[0].detector,
        "images": len(lines),
        "statuses": dict(sorted(Counter(one.status for one in lines).items())),
        "empty": [one.image_file for one in lines if one.status == "empty"],
        "published": len(compared),
        "published_bad": [name for name, good in compared.items() if not good],
        "judged": len(judged),
        "cut_files": [one.image_file for one in lines if one.cut == "yes"],
        **{name: asdict(one) for name, one in shares.items() if one is not None},
    }


def as_text(found: Mapping[str, Any]) -> str:
    """The figures as lines of text."""
    lines = [f"detector   {found['detector']}", f"images     {found['images']}: {found['statuses']}"]
    lines.append(f"empty      {', '.join(found['empty']) or 'none'}")
    lines.append(f"sent       {_shown(found, 'sent')} to a person")
    if found["published"]:
        lines.append(f"published  IoU of {GOOD} or more: {_shown(found, 'published_good')} of {found['published']}")
        lines += [f"    below it: {name}" for name in found["published_bad"]]
    if found["judged"]:
        lines.append(f"cut        {_shown(found, 'cut')} of {found['judged']} judged images")
        lines += [f"    {name}" for name in found["cut_files"]]
    return "\n".join(lines)


def as_markdown(found: Mapping[str, Any]) -> str:
    """The figures as the model card's table of ordinary images."""
    header = ["ordinary images", "reported empty", "sent to a person", f"published box, IoU >= {GOOD}", "clearly cut"]
    published = f"{_shown(found, 'published_good')} of {found['published']}" if found["published"] else ""
    cut = f"{_shown(found, 'cut')} of {found['judged']}" if found["judged"] else ""
    row = [str(found["images"]), str(len(found["empty"])), _shown(found, "sent"), published, cut]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), row))


def _shown(found: Mapping[str, Any], name: str) -> str:
    one = found[name]
    return f"{100 * one['value']:.1f} % [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def main() -> None:
    """Run the detector, write lines and pages, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", default="trained")
    parser.add_argument("--output", type=Path, required=True, help="folder for the lines, the pages and the figures")
    parser.add_argument("--published", type=Path, help=f"boxes of another tool; {PUBLISHED} in FOLDER if it is there")
    parser.add_argument("--judged", type=Path, help="images.csv with the column `cut` filled in")
    parser.add_argument("--markdown", action="store_true", help="print the table of the model card")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    settings = ImageSettings(detector=arguments.detector)
    detector, names = load_detector(settings), image_names(arguments.folder)
    usual = arguments.folder / PUBLISHED
    table = arguments.published or (usual if usual.is_file() else None)
    published = {} if table is None else read_published(table, names)
    cuts = {} if arguments.judged is None else read_judged(arguments.judged, names, detector.name)
    lines, tiles = [], []
    for name in names:
        seen, drawn = look(arguments.folder, name, detector, published.get(name))
        lines.append(replace(seen, cut=cuts.get(name, "")))
        tiles.append(drawn)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_lines(arguments.output / "images.csv", lines)
    for number, page in enumerate(pages(tiles), 1):
        # A JPEG file would blur the thin coloured lines.
        cv2.imwrite(str(arguments.output / f"page_{number:02d}.png"), np.ascontiguousarray(page[:, :, ::-1]))
    found = summary(lines)
    write_text(arguments.output / "result.json", json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(as_markdown(found) if arguments.markdown else as_text(found))


if __name__ == "__main__":
    execute(main)
