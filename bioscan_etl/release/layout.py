"""Paths of the files that every release has.

Belongs here: paths within a release of the CSV, data/, the labels, the images, statistics and figures. Does not belong
here: the logs (`release.core`), and the paths of an output form, which the form's own module names (`release.forms`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.settings import ReleaseSettings

DATA = "data"
"""Folder of the Parquet files by split."""
LABELS = "labels"
"""Folder of the class vocabulary (`release.labels`); releases of earlier versions have none."""
STATISTICS = "statistics"
"""Folder of the tables of statistics."""
FIGURES = "figures"
"""Folder of the figures."""
ORIGINALS = "original_full"
"""The package of the images as they were delivered."""


def csv_name(settings: ReleaseSettings) -> str:
    """Path of the metadata CSV within the release."""
    return f"{settings.dataset}/metadata/csv/{settings.title}_Dataset_metadata.csv"


def images_name(settings: ReleaseSettings) -> str:
    """Path of the image packages within the release."""
    return f"{settings.dataset}/images"


def image_path(split: pl.Expr, chunk: pl.Expr, processid: pl.Expr) -> pl.Expr:
    """Path of an image within its package: `<split>/[<chunk>/]<processid>.jpg` (spec: specimen images, packages)."""
    return pl.concat_str(
        split, pl.lit("/"), pl.when(chunk != "").then(pl.concat_str(chunk, pl.lit("/"))).otherwise(pl.lit("")),
        processid, pl.lit(".jpg"),
    )  # fmt: skip
