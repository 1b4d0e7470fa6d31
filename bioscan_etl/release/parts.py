"""The parts of a release, one function each, so that each can be built and rebuilt alone.

Belongs here: which files belong to which part, and in what order they are written. Does not belong here: the
formats themselves (`tables`, `images`, `hdf5`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release import tables
from bioscan_etl.release.hdf5 import write_hdf5
from bioscan_etl.release.images import image_path, write_images
from bioscan_etl.release.metadata import append_changes, metadata, named
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings

LOGS = {
    "quarantine.parquet": schema.QUARANTINE,
    "set_aside.parquet": schema.SET_ASIDE,
    "rejects.parquet": schema.REJECTS,
    "changes.parquet": schema.CHANGES,
}


@dataclass(frozen=True, slots=True)
class Logs:
    """The tables beside the specimens, each of its `bioscan_etl.schema` table.

    Attributes:
        quarantine: specimens that a gate holds.
        set_aside: rows that another row stands for.
        rejects: rows that cannot become records.
        changes: values that curation changed.
        ruleset: version of the rules, for the changes that the release adds.
    """

    quarantine: pl.DataFrame
    set_aside: pl.DataFrame
    rejects: pl.DataFrame
    changes: pl.DataFrame
    ruleset: str


def csv_name(settings: ReleaseSettings) -> str:
    """Path of the metadata CSV within the release."""
    return f"{settings.dataset}/metadata/csv/{settings.title}_Dataset_metadata.csv"


def images_name(settings: ReleaseSettings) -> str:
    """Path of the image packages within the release."""
    return f"{settings.dataset}/images"


def owned(settings: ReleaseSettings) -> dict[str, tuple[str, ...]]:
    """Files and folders of each part that these settings ask for, relative to the release."""
    parts: dict[str, tuple[str, ...]] = {
        "metadata": (
            f"{settings.dataset}/metadata",
            "data",
            "partitioned",
            f"{settings.title}_bbox.tsv",
            f"{settings.title}_bbox.tab.tsv",
            *LOGS,
        ),
        "splits": ("splits",),
    }
    if settings.image_packages:
        parts["images"] = (images_name(settings),)
    if settings.hdf5_packages:
        parts["hdf5"] = ("hdf5",)
    return parts


def build_metadata(
    staging: Staging, curated: pl.DataFrame, partitions: pl.DataFrame, logs: Logs, settings: ReleaseSettings
) -> None:
    """Write the metadata in its forms, the boxes and the logs.

    Args:
        staging: where to.
        curated: `schema.CURATED`.
        partitions: `schema.PARTITIONS` of the same process IDs.
        logs: the tables beside; the release's own rewrites are added to the changes.
        settings: names, rows of groups and shards.

    Raises:
        InvariantError: the tables cannot be released together.
        SchemaError: a table does not conform.
    """
    with staging.building("metadata", owned(settings)["metadata"]) as fresh:
        if not fresh:
            return
        rows, rewritten = metadata(curated, partitions, settings)
        tables.write_csv(rows.select(schema.METADATA.names()), staging.tree / csv_name(settings))
        tables.write_shards(rows, staging.tree / "data", settings)
        tables.write_partitioned(rows, staging.tree / "partitioned", settings)
        boxes = rows.select("processid").join(
            curated.filter(pl.col("x0").is_not_null()), on="processid", how="inner", maintain_order="left"
        )
        tables.write_bbox(schema.BBOX.conform(boxes), staging.tree, settings.title)
        changes = append_changes(logs.changes, rewritten, logs.ruleset)
        frames = (logs.quarantine, logs.set_aside, logs.rejects, changes)
        for (name, table), frame in zip(LOGS.items(), frames, strict=True):
            tables.write_table(frame, table, staging.tree / name, settings.rows_per_group)


def released(staging: Staging) -> pl.DataFrame:
    """Rows of the staged metadata, in order: processid, split, chunk, area_fraction.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    if not staging.is_complete("metadata"):
        raise InvariantError("the release's metadata is not built yet; materialise release_metadata first")
    return pl.concat(
        pl.read_parquet(path, columns=["processid", "split", "chunk", "area_fraction"], hive_partitioning=False)
        for split in schema.SPLITS
        for path in sorted((staging.tree / "data").glob(f"{split}-*.parquet"))
    )


def build_images(
    staging: Staging,
    curated: pl.DataFrame,
    crops: Iterable[tuple[str, Path]],
    settings: ReleaseSettings,
    progress: Progress = silent,
) -> None:
    """Write the image packages; resumes a killed run by package and batch.

    Args:
        staging: where to; its metadata must be built.
        curated: processid and image_batch of every released specimen.
        crops: batch and the folder of its crops (see `images.write_images`).
        settings: packages.
        progress: told of each image.

    Raises:
        InvariantError: an image is missing from the lake.
    """
    if not settings.image_packages:
        return
    with staging.building("images", owned(settings)["images"], resumable=True) as fresh:
        if fresh:
            rows = released(staging).join(
                curated.select("processid", "image_batch"), on="processid", how="left", validate="1:1"
            )
            # The area fraction says in the release itself which rows have an image; `release.check` relies on it.
            odd = rows.filter(pl.col("image_batch").is_null() != pl.col("area_fraction").is_null())
            if odd.height:
                raise InvariantError(
                    f"{odd.height} specimens ({named(odd['processid'].to_list())}) have an image without a box, or a "
                    "box without an image; materialise specimens again"
                )
            write_images(rows, crops, settings.image_packages, staging.tree / images_name(settings), progress)


def build_hdf5(staging: Staging, settings: ReleaseSettings, progress: Progress = silent) -> None:
    """Write `hdf5/<package>.hdf5` from the staged images, which must be built.

    Raises:
        InvariantError: the images are not built yet.
    """
    if not settings.hdf5_packages:
        return
    with staging.building("hdf5", owned(settings)["hdf5"]) as fresh:
        if not fresh:
            return
        if not staging.is_complete("images"):
            raise InvariantError("the release's images are not built yet; materialise image_packages first")
        images = with_image(released(staging))
        for package in settings.hdf5_packages:
            write_hdf5(
                images,
                staging.tree / images_name(settings),
                package,
                staging.tree / "hdf5" / f"{package}.hdf5",
                settings,
                progress=progress,
            )


def with_image(rows: pl.DataFrame) -> pl.DataFrame:
    """Released rows that have an image, with `path` within its package; only they have an area fraction."""
    return rows.filter(pl.col("area_fraction").is_not_null()).with_columns(
        path=image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
    )


def build_splits(staging: Staging, settings: ReleaseSettings) -> None:
    """Write `splits/<split>.csv` and `splits/all.csv` from the staged metadata, which must be built."""
    with staging.building("splits", owned(settings)["splits"]) as fresh:
        if fresh:
            tables.write_splits(released(staging), staging.tree / "splits")
