"""Near-duplicate images across partitions: a difference hash within a few bits, or an identical file.

Two hashes that differ in at most k bits agree in some combination of bands of bits (`images.duplicates` finds
duplicates within the corpus the same way). Images that agree in one combination are candidates, and only these are
compared bit by bit. No pair is missed, and the work grows with the number of near duplicates, not of pairs.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.images.bands import band_masks
from bioscan_etl.splits.checks import split_of_each
from bioscan_etl.vocabulary import LEAKAGE_PAIRS

_AGREEING = 2  # bands in which a candidate agrees, of `bits` + 2
_BATCH = 20_000  # evaluation images looked up at a time, to bound the candidates in memory


def near_images(table: pl.DataFrame, partitions: pl.DataFrame, bits: int) -> pl.DataFrame:
    """Count images of evaluation partitions that have a near duplicate in a training or key partition.

    Args:
        table: columns processid, sha256 (text), dhash (uint64); one row per record, null without an image.
        partitions: columns processid, split; the same process IDs in any order.
        bits: bits by which near duplicates may differ, 0 to 16 (`images.near_duplicate_bits`).

    Returns:
        One row per pair of `vocabulary.LEAKAGE_PAIRS`, in that order: known (training or key partition), evaluated
        (partition); images (of `evaluated`), near (how many of them have a hash within `bits` in `known`), same (how
        many of these have an identical file there), int64.

    Raises:
        InvariantError: the two tables do not hold the same process IDs.
    """
    images = table.select("sha256", "dhash").with_columns(split_of_each(table, partitions)).drop_nulls("dhash")
    by_split = {
        name: images.filter(pl.col("split") == name)
        for name in sorted({name for pair in LEAKAGE_PAIRS for name in pair})
    }
    rows = []
    for known, evaluated in LEAKAGE_PAIRS:
        there, here = by_split[known], by_split[evaluated]
        near = _near(here["dhash"], there["dhash"], bits)
        same = here.select(pl.col("sha256").is_in(there["sha256"].drop_nulls().implode()).sum()).item() or 0
        rows.append((known, evaluated, len(here), near, int(same)))
    names = ("known", "evaluated", "images", "near", "same")
    return pl.DataFrame(
        rows, schema=dict(zip(names, (pl.String, pl.String, *[pl.Int64] * 3), strict=True)), orient="row"
    )


def _near(evaluated: pl.Series, known: pl.Series, bits: int) -> int:
    """How many of `evaluated` are within `bits` of one of `known`; uint64 without nulls."""
    index = pl.DataFrame({"known": known.unique()})
    hashes = evaluated.value_counts(name="images").rename({evaluated.name: "evaluated"}).sort("evaluated")
    found = 0
    for start in range(0, len(hashes), _BATCH):
        left = hashes.slice(start, _BATCH)
        for mask in band_masks(bits, _AGREEING):
            # A hash that was found near by one combination of bands is not looked up by the next.
            key = pl.lit(mask, pl.UInt64)
            candidates = left.with_columns(key=pl.col("evaluated") & key).join(
                index.select("known", key=pl.col("known") & key), on="key"
            )
            hits = candidates.filter((pl.col("evaluated") ^ pl.col("known")).bitwise_count_ones() <= bits)[
                "evaluated"
            ].unique()
            hit = left["evaluated"].is_in(hits.implode())
            found += int(left.filter(hit)["images"].sum())
            left = left.filter(~hit)
    return found
