"""Quality of a specimen's image.

Belongs here: the measures, and the rules of `images.rules` as expressions. Does not belong here: duplicates across
specimens (`images.duplicates`), and what a flag does to a specimen (the gates of `specimens.assemble`).
"""

from __future__ import annotations

import cv2
import numpy as np
import polars as pl

from bioscan_etl.flags import flags_from
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detection import CURATOR
from bioscan_etl.images.samples import UNCERTAIN
from bioscan_etl.settings import ImageSettings


def grey_of(image: RGB) -> RGB:
    """Luma (ITU-R BT.601) of an RGB image, uint8, (height, width)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def blur(grey: RGB) -> float:
    """Variance of the Laplacian, to 4 decimals; low if the image is out of focus.

    Args:
        grey: (height, width), the part of the crop that shows the image. The crop's fill stays out of it:
            its edge is sharp in every image.
    """
    if grey.size == 0:
        return 0.0
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return round(float(deviation[0, 0]) ** 2, 4)


def exposure(grey: RGB) -> float:
    """Mean grey, 0 to 255, to 4 decimals; `grey` as for `blur`."""
    return round(float(cv2.mean(grey)[0]), 4) if grey.size else 0.0


def dhash(image: RGB) -> int:
    """64-bit difference hash of a picture, such as a specimen with its surroundings.

    The image is reduced to 9 x 8 grey pixels; each bit says whether a pixel is brighter than its right
    neighbour, from the most significant bit in the upper left corner, row by row.
    """
    small = cv2.resize(grey_of(image), (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, :-1] > small[:, 1:])
    return int.from_bytes(bits.tobytes(), "big")


def image_flags(settings: ImageSettings) -> pl.Expr:
    """The rules of one image, as a list of rule ids over the columns of the table `boxes`."""
    low, high = settings.exposure_range
    touches = (
        (pl.col("x0") <= 0)
        | (pl.col("y0") <= 0)
        | (pl.col("x1") >= pl.col("width_original"))
        | (pl.col("y1") >= pl.col("height_original"))
    )
    rules = {
        "UNREADABLE_IMAGE": pl.col("status") == "unreadable",
        "UNCERTAIN_BIT_DEPTH": pl.col("detail").str.starts_with(UNCERTAIN),
        "EMPTY_IMAGE": pl.col("status") == "empty",
        "SEVERAL_SPECIMENS": pl.col("specimens") > 1,
        "TOUCHES_BORDER": touches,
        "FRAGMENT": pl.col("area_fraction") < settings.fragment_fraction,
        "BLURRED": pl.col("blur") < settings.min_blur,
        "BADLY_EXPOSED": (pl.col("exposure") < low) | (pl.col("exposure") > high),
        "CURATOR_BOX": pl.col("detector") == CURATOR,
    }
    return flags_from(rules)
