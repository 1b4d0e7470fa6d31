"""Annotated specimen images: read a COCO file, divide its images into parts, write an Ultralytics data set.

    python -m bioscan_etl.training.dataset IMAGES ANNOTATIONS.coco.json OUTPUT [--triage TRIAGE.csv]

Belongs here: what the images and outlines are, and which part each belongs to. Does not belong here: how
training images are made from them (`compose`).

A checksum of the file name decides the part of an image, so no image changes its part when others are added. A fifth is
the validation part: `evaluate` measures on it, and nothing else uses it. An eighth of the rest is the calibration part:
`calibrate` fits the confidence and chooses the thresholds on it. The remainder is the training part.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioscan_etl.errors import SettingsError
from bioscan_etl.io.paths import real_path
from bioscan_etl.training.labels import is_agreed, read_triage
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2

    from bioscan_etl.images.decode import decode

PARTS = ("training", "calibration", "validation")
LEARNABLE = PARTS[:2]  # validation never is
MAX_PIXELS = 200_000_000

Image = npt.NDArray[np.uint8]
Polygon = npt.NDArray[np.float32]
"""Corners (n, 2) in pixels, x and y."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """An annotated image.

    Attributes:
        number: id in the COCO file.
        file_name: of the image in its folder.
        size: width and height in pixels.
        polygons: outlines of the specimen, together; none in an empty well.
        box: (x0, y0, x1, y1) of the specimen as annotated, or None.
        triage: one of `labels.TRIAGES`, or None if no triage lists the image.
    """

    number: int
    file_name: str
    size: tuple[int, int]
    polygons: tuple[Polygon, ...]
    box: tuple[float, float, float, float] | None
    triage: str | None = None

    @property
    def agreed(self) -> bool:
        """Whether the outlines and the triage agree on whether there is a specimen (`labels`)."""
        return is_agreed(self.box is not None, self.triage)

    def mask(self) -> Image:
        """1 on the specimen, else 0; (height, width), uint8."""
        mask = np.zeros((self.size[1], self.size[0]), np.uint8)
        for polygon in self.polygons:
            # One by one: together, the parts of a specimen that overlap would cancel out.
            cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1)
        return mask


def part_of(file_name: str) -> str:
    """The part an image belongs to.

    Example:
        >>> part_of("AACTA1760-20.1024px.jpg")
        'training'
    """
    checksum = zlib.crc32(file_name.encode())
    if checksum % 5 == 0:
        return "validation"
    return "calibration" if checksum // 5 % 8 == 0 else "training"


def read_annotations(
    path: Path, part: str | None = None, triage: Path | None = None, *, disputed: bool = True
) -> list[Annotated]:
    """The images of a COCO file, in the order of their names.

    Args:
        path: of the COCO file. At most one specimen per image is outlined; of several the largest counts.
        part: only the images of this part; all without it.
        triage: CSV of a second triage of these images (`labels`).
        disputed: whether images are kept on which outlines and triage disagree.

    Raises:
        SettingsError: a file does not exist or is not what it should be, a name leads out of the folder, or the triage
            does not fit the COCO file.
    """
    try:
        found = _read(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SettingsError(f"annotations {path} do not exist; check the path") from None
    except OSError as error:
        raise SettingsError(f"annotations {path} cannot be read: {error.strerror}; check the path") from None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SettingsError(f"annotations {path} are no COCO file that can be read: {error}") from None
    if triage is not None:
        by_name = read_triage(triage, {image.file_name: image.box is not None for image in found})
        found = [replace(image, triage=by_name.get(image.file_name)) for image in found]
    return [
        image for image in found if (part is None or part_of(image.file_name) == part) and (disputed or image.agreed)
    ]


def _read(coco: Any) -> list[Annotated]:
    if not isinstance(coco, dict) or "images" not in coco or "annotations" not in coco:
        raise ValueError("the lists `images` and `annotations` are missing")
    largest: dict[int, dict[str, Any]] = {}
    for entry in coco["annotations"]:
        known = largest.get(entry["image_id"])
        if known is None or _area(entry) > _area(known):
            largest[entry["image_id"]] = entry
    found = []
    for image in coco["images"]:
        name = str(image["file_name"])
        if Path(name).name != name:
            raise ValueError(f"file name {name!r} has folders; images lie in one folder")
        found.append(_annotated(image, largest.get(image["id"])))
    return sorted(found, key=lambda image: image.file_name)


def _area(entry: dict[str, Any]) -> float:
    return float(entry["bbox"][2]) * float(entry["bbox"][3])


def _annotated(image: dict[str, Any], entry: dict[str, Any] | None) -> Annotated:
    size = int(image["width"]), int(image["height"])
    if entry is None:
        return Annotated(int(image["id"]), str(image["file_name"]), size, (), None)
    x, y, width, height = (float(value) for value in entry["bbox"])
    corners = entry.get("segmentation") or []
    polygons = tuple(np.array(flat, np.float32).reshape(-1, 2) for flat in corners if len(flat) >= 6)
    box = x, y, x + width, y + height
    if not polygons:
        polygons = (np.array([[x, y], [box[2], y], [box[2], box[3]], [x, box[3]]], np.float32),)
    return Annotated(int(image["id"]), str(image["file_name"]), size, polygons, box)


def read_annotated_image(folder: Path, name: str) -> bytes:
    """The bytes of an annotated image.

    Raises:
        SettingsError: the folder does not hold it.
    """
    try:
        return (folder / name).read_bytes()
    except (OSError, ValueError):  # also a name that cannot be a file's
        raise SettingsError(f"{folder} has no image {name!r} that can be read; its annotations name it") from None


def read_pixels(folder: Path, image: Annotated, size: tuple[int, int] | None = None) -> Image:
    """The pixels, RGB, (height, width, 3); reduced to `size` (width, height) where given.

    Raises:
        ValueError: the file's size is not the annotated one.
    """
    pixels = decode((folder / image.file_name).read_bytes(), MAX_PIXELS)
    if (pixels.shape[1], pixels.shape[0]) != image.size:
        raise ValueError(f"{image.file_name} has {pixels.shape[1]} x {pixels.shape[0]} px, annotated are {image.size}")
    if size is None or size == image.size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def write_dataset(images: Path, annotations: Path, output: Path, triage: Path | None = None) -> Path:
    """Lay the images out as Ultralytics reads them: links, one label file each, and `data.yaml`.

    Ultralytics' words for the parts are train, val (our calibration) and test (our validation), so that no run
    of it can pick an epoch by the part that measures the result. Images with a disputed label are left out where a
    triage is given.

    Returns:
        Path of `data.yaml`.
    """
    import yaml  # Ultralytics brings it

    for part, folder in zip(PARTS, ("train", "val", "test"), strict=True):
        pictures, labels = output / "images" / folder, output / "labels" / folder
        pictures.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        for image in read_annotations(annotations, part, triage, disputed=False):
            link = pictures / image.file_name
            link.unlink(missing_ok=True)
            link.symlink_to(real_path(images / image.file_name))
            line = "" if image.box is None else _label(image.box, image.size)
            (labels / f"{Path(image.file_name).stem}.txt").write_text(line, encoding="utf-8")
    data = output / "data.yaml"
    parts = {"train": "images/train", "val": "images/val", "test": "images/test"}
    text = yaml.safe_dump({"path": str(real_path(output)), **parts, "names": {0: "specimen"}}, sort_keys=False)
    data.write_text(text, encoding="utf-8")
    return data


def _label(box: tuple[float, float, float, float], size: tuple[int, int]) -> str:
    x0, y0, x1, y1 = box
    values = (x0 + x1) / 2 / size[0], (y0 + y1) / 2 / size[1], (x1 - x0) / size[0], (y1 - y0) / size[1]
    return "0 " + " ".join(f"{value:.6f}" for value in values) + "\n"


def main() -> None:
    """Write the data set and print its contents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--triage", type=Path, help="CSV of a second triage: leave out disputed labels")
    arguments = parser.parse_args()
    data = write_dataset(arguments.images, arguments.annotations, arguments.output, arguments.triage)
    for part in PARTS:
        found = read_annotations(arguments.annotations, part, arguments.triage, disputed=False)
        occupied = sum(image.box is not None for image in found)
        print(f"{part:12} {occupied:4} occupied, {len(found) - occupied:4} empty")
    print(f"-> {data}")


if __name__ == "__main__":
    execute(main)
