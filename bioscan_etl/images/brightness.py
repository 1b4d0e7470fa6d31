"""Images whose brightness is far outside that of their batch.

Belongs here: the comparison within a batch. Does not belong here: the brightness of one image (`images.quality`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.flags import flags_from
from bioscan_etl.settings import ImageSettings

_FEWEST = 10  # images of a batch from which its usual brightness is known
_BLACK = 20.0  # mean grey below which a picture of a smaller batch is nearly black
_WHITE = 255.0


def brightness_flags(boxes: pl.DataFrame, settings: ImageSettings) -> pl.DataFrame:
    """Specimens whose image is much darker or brighter than the others of its batch.

    BRIGHTNESS_OUTLIER: the mean grey of the crop, or its distance from white, is below that of the batch's median by
    more than `images.max_brightness_stops` factors of two. A batch of fewer than 10 images has no usual brightness: in
    it, a picture is hit that is nearly black.

    Args:
        boxes: `processid`, `batch`, `exposure` of the whole corpus; one row per specimen.
        settings: the number of stops.

    Returns:
        `processid`, `flags` (List[String]) of the specimens hit, sorted.
    """
    rows = boxes.select("processid", "batch", "exposure").drop_nulls("exposure")
    usual = rows.group_by("batch").agg(images=pl.len(), median=pl.col("exposure").median())
    share = 2.0**-settings.max_brightness_stops
    grey, median = pl.col("exposure"), pl.col("median")
    outlier = (grey < median * share) | (_WHITE - grey < (_WHITE - median) * share)
    known = pl.col("images") >= _FEWEST
    return (
        rows.join(usual, on="batch")
        .select("processid", flags=flags_from({"BRIGHTNESS_OUTLIER": (known & outlier) | (~known & (grey < _BLACK))}))
        .filter(pl.col("flags").list.len() > 0)
        .sort("processid")
    )
