"""Quality of a specimen's image, and duplicates across the corpus.

Belongs here: the measures, and the rules of `images.rules` as expressions. Does not belong here: what a
flag does to a specimen (`quality`'s gates).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.flags import holding
from bioscan_etl.images.bands import band_masks
from bioscan_etl.images.decode import RGB
from bioscan_etl.settings import ImageSettings

# Neighbours that one hash is compared with inside one bucket: what keeps the cost linear when a corpus has
# thousands of nearly equal images. All members of a bucket of up to 65 hashes are compared.
_NEIGHBOURS = 64


def grey_of(image: RGB) -> RGB:
    """Luma (ITU-R BT.601) of an RGB image, uint8, (height, width)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def blur(grey: RGB) -> float:
    """Variance of the Laplacian, to 4 decimals; low where the image is out of focus.

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
        "EMPTY_IMAGE": pl.col("status") == "empty",
        "SEVERAL_SPECIMENS": pl.col("specimens") > 1,
        "TOUCHES_BORDER": touches,
        "FRAGMENT": pl.col("area_fraction") < settings.fragment_fraction,
        "BLURRED": pl.col("blur") < settings.min_blur,
        "BADLY_EXPOSED": (pl.col("exposure") < low) | (pl.col("exposure") > high),
    }
    return holding(rules)


def duplicate_flags(boxes: pl.DataFrame, settings: ImageSettings) -> pl.DataFrame:
    """Specimens whose image is that of another specimen, exactly or nearly.

    EXACT_DUPLICATE_IMAGE: the file's sha256 is that of another specimen's. NEAR_DUPLICATE_IMAGE: the file
    differs, but the difference hash is within `images.near_duplicate_bits` bits of another specimen's.

    The cost grows linearly with the number of images: hashes are sorted by some of their bits, and compared
    with the next ones in this order only.

    Args:
        boxes: `processid`, `sha256`, `dhash` of the whole corpus; one row per specimen.
        settings: bits by which near duplicates may differ.

    Returns:
        `processid`, `flags` (List[String]) of the specimens hit by at least one of the two, sorted.
    """
    rows = boxes.select("processid", "sha256", "dhash")
    exact = pl.col("sha256").is_not_null() & (pl.len().over("sha256") > 1)
    files = rows.drop_nulls(["sha256", "dhash"]).unique("sha256").sort("dhash", "sha256")
    files = files.filter(pl.Series(_near(files["dhash"].to_numpy(), settings.near_duplicate_bits), dtype=pl.Boolean))
    near = pl.col("sha256").is_in(files["sha256"].implode())
    return (
        rows.select(
            "processid",
            flags=holding({"EXACT_DUPLICATE_IMAGE": exact, "NEAR_DUPLICATE_IMAGE": near}),
        )
        .filter(pl.col("flags").list.len() > 0)
        .sort("processid")
    )


def _near(hashes: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.bool_]:
    """Which of the sorted hashes are within `bits` bits of another one.

    Hashes are cut into bands. Two hashes that differ in `bits` bits differ in at most as many bands, so with
    `bits + k` bands they agree in at least k: both have the same key for one choice of k bands.
    """
    near = np.zeros(len(hashes), np.bool_)
    for mask in band_masks(bits, 3 if bits <= 4 else 2):
        key = hashes & np.uint64(mask)
        order = np.lexsort((hashes, key))
        key, ordered = key[order], hashes[order]
        first = np.arange(max(len(hashes) - 1, 0))
        for step in range(1, _NEIGHBOURS + 1):
            first = first[first + step < len(hashes)]
            first = first[key[first] == key[first + step]]
            if first.size == 0:
                break
            hit = first[np.bitwise_count(ordered[first] ^ ordered[first + step]) <= bits]
            near[order[hit]] = True
            near[order[hit + step]] = True
    return near
