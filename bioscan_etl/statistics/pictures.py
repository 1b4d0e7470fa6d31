"""The images of a release for its figures: found in its packages, decoded, with their boxes and outlines.

Belongs here: reading. Does not belong here: drawing (`figures_images`), and which specimens are shown (`drawn`).

A release keeps the area of an organism, not its outline. So the detector that measures organism pixels looks at the
released image again. Where the release has the delivered images, that is the image that was measured; else it is the
smaller one of the package original_256.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.tables import scan_csv
from bioscan_etl.release.layout import images_name
from bioscan_etl.release.manifest import is_inside

if TYPE_CHECKING:
    from bioscan_etl.images.detection import Detector
    from bioscan_etl.settings import Settings

RGB = npt.NDArray[np.uint8]
Polygon = list[float]
_WHOLE = (vocabulary.ORIGINALS, "original_256")
# The smallest first: it is read fastest.
_CROPPED = tuple(package for package in reversed(vocabulary.MADE_PACKAGES) if package.startswith("cropped"))


@dataclass(frozen=True, slots=True)
class Outlined:
    """An image with what was found on it.

    Attributes:
        pixels: (height, width, 3), RGB.
        box: (x0, y0, x1, y1) of the specimen in its pixels.
        frame: corners (4, 2) of the crop in its pixels; they may lie outside.
        polygons: outline of the specimen within the box, each x, y, x, y, … in its pixels; none if there is none.
    """

    pixels: RGB
    box: tuple[float, float, float, float]
    frame: npt.NDArray[np.float64]
    polygons: list[Polygon]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Reads the images of a release that lies there.

    Attributes:
        root: the release's folder.
        settings: `release.dataset`, `release.title` and `release.image_packages`; of images: limits of decoding,
            thresholds, margin and aspect of the crop.
        detector: that finds outlines.
    """

    root: Path
    settings: Settings
    detector: Detector

    def thumbnail(self, path: str | None, width: int) -> RGB | None:
        """The crop of a specimen, or its whole image, at most so many pixels wide; None if it cannot be read.

        Args:
            path: of the image within its package.
            width: in pixels.
        """
        pixels = self._read(path, (*_CROPPED, *_WHOLE))
        return None if pixels is None else _at_most(pixels, width)

    def outlined(self, path: str | None, box: dict[str, Any] | None, width: int) -> Outlined | None:
        """A whole image, at most so many pixels wide, with box and outline; None if it cannot be read.

        Args:
            path: of the image within its package.
            box: a row of `schema.BBOX`, in pixels of the delivered image; None: there is none.
            width: in pixels.
        """
        from bioscan_etl.images.coco import polygons
        from bioscan_etl.images.crop import crop_frame
        from bioscan_etl.images.detection import as_drawn

        pixels = None if box is None else self._read(path, _WHOLE)
        if pixels is None or box is None:
            return None
        height, across = pixels.shape[:2]
        scale = across / box["width_original"]
        delivered = (box["x0"], box["y0"], box["x1"], box["y1"])
        here = tuple(round(value * scale) for value in delivered)
        detection = as_drawn(self.detector.detect(pixels), (here[0], here[1], here[2], here[3]), across, height)
        found = polygons(detection.mask, (here[0], here[1], here[2], here[3]), (across, height))
        frame = crop_frame(delivered, box["width_original"], self.settings.images)
        corners = np.array([[frame.x0, frame.y0], [frame.x1, frame.y0], [frame.x1, frame.y1], [frame.x0, frame.y1]])
        if frame.rotated:  # its edges are those of the image turned by 90 degrees
            corners = np.stack([box["width_original"] - corners[:, 1], corners[:, 0]], axis=1)
        shown = _at_most(pixels, width)
        smaller = shown.shape[1] / across
        return Outlined(
            shown,
            (delivered[0] * scale * smaller, delivered[1] * scale * smaller,
             delivered[2] * scale * smaller, delivered[3] * scale * smaller),
            corners * scale * smaller,
            [[value * smaller for value in one] for one in found],
        )  # fmt: skip

    def boxes(self, processids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Rows of `schema.BBOX` by process ID, of those specimens that have one in the release."""
        name = f"{self.settings.release.title}_bbox.tsv"
        if not self._is_plain(name):
            return {}
        rows = scan_csv(self.root / name, schema_overrides=schema.BBOX.schema(), infer_schema=False)
        try:
            found = rows.filter(pl.col("processid").is_in(sorted(processids))).select(schema.BBOX.names()).collect()
        except pl.exceptions.PolarsError:
            return {}
        return {row["processid"]: row for row in found.drop_nulls().iter_rows(named=True) if row["width_original"] > 0}

    def _read(self, path: str | None, packages: Sequence[str]) -> RGB | None:
        """The first of some packages that has the image; None if none has it, or it cannot be decoded."""
        from bioscan_etl.images.decode import UnreadableImage, decode

        for package in packages if path else ():
            name = f"{images_name(self.settings.release)}/{package}/{path}"
            if package in self.settings.release.image_packages and self._is_plain(name):
                limits = self.settings.images
                try:
                    return decode((self.root / name).read_bytes(), limits.max_pixels, limits.bits)
                except (UnreadableImage, OSError):
                    return None
        return None

    def _is_plain(self, name: str) -> bool:
        """Whether a path is a file within the release, reached through no link: paths come from the release's rows."""
        path = self.root / name
        return is_inside(name) and path.is_file() and real_path(path) == path


def _at_most(pixels: RGB, width: int) -> RGB:
    from bioscan_etl.images.resize import resized

    height, across = pixels.shape[:2]
    if across <= width:
        return pixels
    return resized(pixels, (width, max(1, round(height * width / across))))


def load_pictures(root: Path, settings: Settings) -> Pictures | None:
    """The images of a release, if it has packages of images, and the extra `images` is installed.

    Args:
        root: the release's folder, without links.
        settings: as of `Pictures`.
    """
    from importlib.util import find_spec

    if not settings.release.image_packages or not (root / images_name(settings.release)).is_dir():
        return None
    if any(find_spec(module) is None for module in ("cv2", "onnxruntime")):
        return None
    from bioscan_etl.images.detect import load_detector

    return Pictures(root, settings, load_detector(settings.images))
