"""All steps of one image: decode once, detect, measure, judge, cut and encode.

Belongs here: the order of the steps; `images.stage` and `images.find_specimens` both use it.
Does not belong here: the steps themselves, and what becomes of many images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioscan_etl import vocabulary
from bioscan_etl.errors import BioscanError
from bioscan_etl.freed_memory import keep_freed_memory, return_freed_memory
from bioscan_etl.images import quality
from bioscan_etl.images.crop import crop, encode_jpeg, inside, resize_short, surroundings
from bioscan_etl.images.decode import RGB, UnreadableImage, read_header
from bioscan_etl.images.detection import CURATOR, Detection, Detector, as_drawn
from bioscan_etl.images.measure import Box, area_fraction, measurement_at_1024, scale_factor, whole_pixels
from bioscan_etl.images.memory import MemoryBudget
from bioscan_etl.images.resize import halved
from bioscan_etl.images.sources import DamagedFile
from bioscan_etl.schema import BOXES
from bioscan_etl.settings import ImageSettings

Row = dict[str, Any]

_LARGE = 64 << 20  # bytes of an image whose memory is not kept for the next one
# Bytes a pixel that the steps after decoding take at most: the halved image, a brightened copy of both, and the crop.
_STEPS = 8

# Filled in by the caller, which knows the batch and the file.
_OF_THE_FILE = {"batch", "processid", "image_file", "sha256", "flags"}
_COLUMNS = tuple(name for name in BOXES.names() if name not in _OF_THE_FILE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one image.

    Attributes:
        row: of the table `boxes`, without what its file says (batch, process ID, file, sha256) and flags.
        files: JPEG files by package; none if no specimen was found.
        detection: the detector's result; None for an unreadable image.
    """

    row: Row
    files: dict[str, bytes] = field(default_factory=dict)
    detection: Detection | None = None


class ImageWork:
    """The steps, with their settings; `process` may be called from several threads.

    Args:
        settings: of the image stage.
        detector: that finds the specimen.
        packages: images to make, of `vocabulary.IMAGE_PACKAGES`; none if only the row is wanted.
    """

    def __init__(self, settings: ImageSettings, detector: Detector, packages: Sequence[str]) -> None:
        self.settings = settings
        self.packages = tuple(packages)
        self._detector = detector
        self._budget = MemoryBudget(settings.decode_memory_mb << 20)
        keep_freed_memory()

    def process(self, read: Callable[[], bytes], drawn: Box | None = None) -> Outcome:
        """Run all steps on one image.

        Args:
            read: gives the file's bytes.
            drawn: the box that a curator drew; it takes the place of the detector's if it is within the image.

        Returns:
            The outcome; an image that cannot be read, or that makes a step fail, has the status unreadable.

        Raises:
            SourceError: the source is out of reach.
        """
        row: Row = {**dict.fromkeys(_COLUMNS), "detector": self._detector.name, "status": "unreadable"}
        try:
            data = read()
            image = read_header(data, self.settings.max_pixels, self.settings.bits)
            with self._budget.taking(image.memory + _STEPS * image.width * image.height):
                try:
                    return self._measured(row, image.decode(), data, drawn)
                finally:
                    if image.memory > _LARGE:
                        return_freed_memory()
        except (UnreadableImage, DamagedFile) as error:
            return Outcome(row | {"detail": str(error)})
        except MemoryError:
            return Outcome(row | {"detail": "memory is too short for this image; lower images.decode_memory_mb"})
        except BioscanError:
            raise
        except Exception as error:  # one image that a library fails on must not end the batch
            first = (str(error).splitlines() or [""])[0]
            return Outcome(row | {"detail": f"{type(error).__name__}: {first}"})

    def _measured(self, row: Row, pixels: RGB, data: bytes, drawn: Box | None) -> Outcome:
        height, width = pixels.shape[:2]
        half = halved(pixels) if min(height, width) > 1 else None
        detection = self._detector.detect(pixels, half)
        if drawn is not None and drawn == whole_pixels(drawn, width, height):
            detection = as_drawn(detection, drawn, width, height)
            row = row | {"detector": CURATOR}
        sizes: Row = {
            "width_original": width,
            "height_original": height,
            "confidence": round(detection.confidence, 6),
            "specimens": detection.specimens,
            "status": detection.status,
        }
        box = None if detection.box is None else whole_pixels(detection.box, width, height)
        if box is None or box[2] <= box[0] or box[3] <= box[1]:
            return Outcome(row | sizes | {"status": "empty", "specimens": 0}, {}, detection)
        files = {}
        if self.packages:
            cut = crop(pixels, box, self.settings)
            files = {package: self._file(package, pixels, half, cut, data) for package in self.packages}
        return Outcome(row | sizes | self._of_box(box, pixels, detection), files, detection)

    def _of_box(self, box: Box, pixels: RGB, detection: Detection) -> Row:
        height, width = pixels.shape[:2]
        grey = quality.grey_of(inside(pixels, box, self.settings))
        return {
            **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
            "area_fraction": area_fraction(box, width, height),
            "scale_factor": scale_factor(box),
            "image_measurement_value": None if detection.mask is None else measurement_at_1024(detection.mask),
            "blur": quality.blur(grey),
            "exposure": quality.exposure(grey),
            "dhash": quality.dhash(surroundings(pixels, box, self.settings)),
        }

    def _file(self, package: str, pixels: RGB, half: RGB | None, cut: RGB, data: bytes) -> bytes:
        match package:
            case vocabulary.ORIGINALS:
                return data
            case "original_256":
                image = resize_short(pixels, self.settings.short_side, half)
            case "cropped":
                image = cut
            case _:
                image = resize_short(cut, self.settings.short_side)
        return encode_jpeg(image, self.settings)
