"""Features, mean colours and sizes of the images of a release, each image decoded once.

Belongs here: reading the package cropped_256 of a release into arrays. Does not belong here: the network (`encoder`),
and what is asked of the features.

An image that is missing or damaged is named in `ImageVectors.damaged`, and its row has no features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation.encoder import Floats, ImageEncoder
from bioscan_etl.evaluation.measured import Clock
from bioscan_etl.evaluation.records import NO_LABEL, Flags, Numbers, Records
from bioscan_etl.evaluation.search import Vectors, normalised
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.opened import decoded_image
from bioscan_etl.schema import EVALUATION_UNREAD
from bioscan_etl.threads import ordered_map, workers

PACKAGE: vocabulary.ImagePackage = "cropped_256"
"""The package of the images that networks see (spec: benchmarks, zero-shot clustering)."""
ASKED = ("train", *vocabulary.EVALUATED, vocabulary.UNSEEN_KEY)
"""Partitions of the images that a benchmark of the base reads."""
LIBRARIES = ("onnxruntime", "opencv-python-headless", "simplejpeg")
"""Distributions that features rest on."""
SECONDS = 0.015
"""Processor seconds of an image with the shipped encoder (measured: 0.0136 to 0.0152)."""
_REPORTED = 50  # images from one report of progress to the next
_HELD = np.float16


@dataclass(frozen=True)
class ImageVectors:
    """Features of images, by row of `Records`. In memory they have 16 bits.

    Attributes:
        model: name of the encoder.
        places: position of each row in the arrays below, int64, shape (rows,); `NO_LABEL` for a row without features.
        features: float16, shape (images, width), as they come from the network.
        colours: mean of red, green and blue over all pixels, 0 to 255, float32, shape (images, 3).
        sizes: width and height in px, float32, shape (images, 2).
        damaged: process ID and reason of each image that was left out, in the order of the release.
        seconds: processor time of all threads.
    """

    model: str
    places: Numbers
    features: npt.NDArray[np.float16]
    colours: Floats
    sizes: Floats
    damaged: tuple[tuple[str, str], ...]
    seconds: float

    def __len__(self) -> int:
        return len(self.places)

    @classmethod
    def none(cls, rows: int) -> ImageVectors:
        """The features of rows of which none has an image: no encoder is opened for them."""
        empty = np.empty((0, 0), np.float32)
        return cls("no images", np.full(rows, NO_LABEL), empty.astype(_HELD), empty, empty, (), 0.0)

    def unread(self) -> pl.DataFrame:
        """The images that were left out, `schema.EVALUATION_UNREAD`, by process ID."""
        rows = pl.DataFrame(self.damaged, schema=EVALUATION_UNREAD.schema(), orient="row")
        return EVALUATION_UNREAD.conform(rows.sort("processid"))

    @property
    def known(self) -> Flags:
        """Which rows have features, shape (rows,)."""
        flags: Flags = self.places >= 0
        return flags

    def raw(self, rows: Numbers) -> Vectors:
        """The features of rows that have some, as they come, float32, shape (rows, width)."""
        return self.features[self.places[rows]].astype(np.float32)

    def at(self, positions: Numbers) -> Vectors:
        """As of `search.Embedded`: positions are rows that have features."""
        return normalised(self.raw(positions))


def why_no_images(records: Records) -> str:
    """Why a release has no images to be measured; empty if it has."""
    if PACKAGE not in records.packages:
        return f"the release has no image package {PACKAGE}"
    return "" if records.pictured.any() else "no specimen of the release has an image"


def why_no_features(records: Records, images: ImageVectors | None) -> str:
    """Why images cannot be asked; empty if they can."""
    if reason := why_no_images(records):
        return reason
    if images is None:
        return "images were left out of this run"
    return "" if images.known.any() else "no image of the release can be read"


def pictured(records: Records, splits: tuple[str, ...] = ASKED) -> Numbers:
    """The rows of some partitions that have an image of the package, int64, ascending."""
    rows = records.of(splits)
    return rows[:0] if why_no_images(records) else rows[records.pictured[rows]]


def embedded(
    records: Records,
    encoder: ImageEncoder | None = None,
    splits: tuple[str, ...] = ASKED,
    progress: Progress = silent,
    threads: int = 0,
) -> ImageVectors:
    """Give the images of some partitions their features, in threads.

    Args:
        records: the release.
        encoder: the network; the shipped one by default.
        splits: partitions.
        progress: reports images.
        threads: at least 1, or 0 for one more than there are cores. No number depends on it.

    Returns:
        Features of the images that can be read; none if the release lacks the package.

    Raises:
        SourceError: the encoder cannot be opened.
    """
    encoder = encoder or ImageEncoder()
    rows = pictured(records, splits)
    names, ids = records.rows["path"], records.rows["processid"]
    folder = f"{records.dataset}/images/{PACKAGE}"
    places = np.full(records.rows.height, NO_LABEL)
    features = np.empty((len(rows), encoder.width), _HELD)
    colours, sizes = np.empty((len(rows), 3), np.float32), np.empty((len(rows), 2), np.float32)
    damaged: list[tuple[str, str]] = []

    def seen(row: int) -> tuple[npt.NDArray[np.float16], Floats, Floats] | str:
        try:
            pixels = decoded_image(records.root, f"{folder}/{names[row]}", ids[row])
        except SourceError as error:
            return str(error)
        # In 16 bits, a number that is too large is infinite: such an image is left out, too.
        with np.errstate(over="ignore"):
            vector = encoder.features(pixels).astype(_HELD)
        if not np.isfinite(vector).all():
            return f"{encoder.name} gives numbers for it that are too large"
        colour = pixels.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        return vector, colour, np.array([pixels.shape[1], pixels.shape[0]], np.float32)

    clock, found = Clock(), 0
    with clock.running():
        for number, (row, answer) in enumerate(ordered_map(seen, rows.tolist(), workers(threads)), 1):
            if isinstance(answer, str):
                damaged.append((ids[row], answer))
            else:
                features[found], colours[found], sizes[found] = answer
                places[row], found = found, found + 1
            if number % _REPORTED == 0 or number == len(rows):
                progress("images: features", number, len(rows))
    return ImageVectors(
        encoder.name,
        places,
        features[:found],
        colours[:found],
        sizes[:found],
        tuple(damaged),
        clock.seconds,
    )
