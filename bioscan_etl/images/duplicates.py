"""Specimens of the corpus that have the same image, exactly or nearly.

Belongs here: the search over all hashes. Does not belong here: the hash of one image (`images.quality`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.flags import flags_from
from bioscan_etl.images.bands import band_masks
from bioscan_etl.settings import ImageSettings

# Neighbours that one hash is compared with inside one bucket: what keeps the cost linear when a corpus has
# thousands of nearly equal images. All members of a bucket of up to 65 hashes are compared.
_NEIGHBOURS = 64


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
            flags=flags_from({"EXACT_DUPLICATE_IMAGE": exact, "NEAR_DUPLICATE_IMAGE": near}),
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
