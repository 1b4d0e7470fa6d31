"""The four mirrorings of an image: as it is, left to right, upside down, and both.

Belongs here: how picture and box are mirrored, and what a detector says of all mirrorings. Does not belong here: what
follows from it (`calibrate`, `comparison`).

Which way a specimen lies says nothing about it, so a mirroring is a picture that the detector has not seen. The four
of an image are no images of their own: intervals draw them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bioscan_etl.images.detection import Detection, Detector
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.training.dataset import Annotated, Image, read_pixels
from bioscan_etl.training.outcomes import Outcomes, outcomes_of

VIEWS = 4


def mirrored(pixels: Image, box: FloatBox | None, mirroring: int) -> tuple[Image, FloatBox | None]:
    """An image (height, width, 3) and its specimen's box in one of the four mirrorings, 0 to 3; 0 is as it is."""
    height, width = pixels.shape[:2]
    if mirroring & 1:
        pixels = pixels[:, ::-1]
        box = None if box is None else (width - box[2], box[1], width - box[0], box[3])
    if mirroring & 2:
        pixels = pixels[::-1]
        box = None if box is None else (box[0], height - box[3], box[2], height - box[1])
    return np.ascontiguousarray(pixels), box


def detect_views(
    images: Path, annotated: Sequence[Annotated], detector: Detector, views: int = VIEWS
) -> list[list[Detection]]:
    """What a detector finds in the first mirrorings of each image, by default in all four, without masks.

    Raises:
        UnreadableImage: an image cannot be read.
        ValueError: an image has another size than the annotated one.
    """
    found = []
    for image in annotated:
        pixels = read_pixels(images, image)
        found.append([replace(detector.detect(mirrored(pixels, None, view)[0]), mask=None) for view in range(views)])
    return found


def outcomes_of_views(annotated: Sequence[Annotated], detections: Sequence[Sequence[Detection]]) -> Outcomes:
    """Detections of mirrorings against what is annotated; the mirrorings of an image have its number."""
    pictures, found, numbers = [], [], []
    for number, (image, views) in enumerate(zip(annotated, detections, strict=True)):
        nothing = np.empty((image.size[1], image.size[0], 0), np.uint8)  # the box follows from the size alone
        for view, detection in enumerate(views):
            pictures.append(replace(image, box=mirrored(nothing, image.box, view)[1]))
            found.append(detection)
            numbers.append(number)
    return outcomes_of(pictures, found, numbers)
