"""The parts of a release, one function each, so that each can be built and rebuilt alone.

Belongs here: which files belong to which part, and in what order they are written. Does not belong here: the
formats themselves (`tables`, `images`, `hdf5`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release import tables
from bioscan_etl.release.images import Originals, image_path, write_images
from bioscan_etl.release.metadata import append_changes, metadata, named
from bioscan_etl.release.staging import Staging, published
from bioscan_etl.settings import ReleaseSettings

LOGS = {
    "quarantine.parquet": schema.QUARANTINE,
    "set_aside.parquet": schema.SET_ASIDE,
    "rejects.parquet": schema.REJECTS,
    "changes.parquet": schema.CHANGES,
}

_MADE_HERE = {"split", "chunk", "dna_barcode_verbatim"}
CURATED_COLUMNS = tuple(
    dict.fromkeys(
        name
        for table in (schema.METADATA_EXTENDED, schema.BBOX)
        for name in [*table.names(), "nuc"]
        if name not in _MADE_HERE
    )
)
"""Columns of `schema.CURATED` that the metadata is made of: at millions of rows, all of them are twice as much."""


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


def jsonld_name(settings: ReleaseSettings) -> str:
    """Path of the metadata as JSON-LD within the release."""
    return f"{settings.dataset}/metadata/jsonld/{settings.title}_Dataset_metadata.jsonld"


def images_name(settings: ReleaseSettings) -> str:
    """Path of the image packages within the release."""
    return f"{settings.dataset}/images"


def packed_name(package: str) -> str:
    """Path of a package's packed HDF5 file within the release."""
    return f"hdf5/{package}.packed.hdf5"


def owned(settings: ReleaseSettings) -> dict[str, tuple[str, ...]]:
    """Files and folders of each part that these settings ask for, relative to the release."""
    boxes = (f"{settings.title}_bbox.tsv", f"{settings.title}_bbox.tab.tsv") if settings.wants("bbox") else ()
    hdf5 = [f"hdf5/{package}.hdf5" for package in settings.hdf5_packages]
    packed = [packed_name(package) for package in settings.packed_packages]
    archives = settings.zip_packages or settings.webdataset_packages
    parts: dict[str, tuple[str, ...]] = {
        "metadata": (f"{settings.dataset}/metadata/csv", "data", *boxes, *LOGS),
        "jsonld": (f"{settings.dataset}/metadata/jsonld",) if settings.wants("jsonld") else (),
        "partitioned": ("partitioned",) if settings.wants("partitioned") else (),
        "splits": ("splits",) if settings.wants("splits") else (),
        "barcodebert": ("barcodebert",) if settings.wants("barcodebert") else (),
        "images": (images_name(settings),) if settings.image_packages else (),
        "data_images": ("data_images",) if settings.wants("data_images") else (),
        "hdf5": (*hdf5, *packed),
        "clibd": ("hdf5/clibd.hdf5",) if settings.wants("clibd") else (),
        "archives": ("packages",) if archives else (),
    }
    return {part: names for part, names in parts.items() if names}


def build_metadata(
    staging: Staging, curated: pl.DataFrame, partitions: pl.DataFrame, logs: Logs, settings: ReleaseSettings
) -> None:
    """Write the metadata in its forms, the boxes and the logs.

    Args:
        staging: where to.
        curated: `CURATED_COLUMNS` of `schema.CURATED`.
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
        rows, rewritten = metadata(curated, partitions)
        tables.write_csv(rows.select(schema.METADATA.names()), staging.tree / csv_name(settings))
        tables.write_shards(rows, staging.tree / "data", settings)
        if settings.wants("bbox"):
            boxes = rows.select("processid").join(
                curated.select(schema.BBOX.names()).filter(pl.col("x0").is_not_null()),
                on="processid",
                how="inner",
                maintain_order="left",
            )
            tables.write_bbox(schema.BBOX.conform(boxes), staging.tree, settings.title)
        changes = append_changes(logs.changes, rewritten, logs.ruleset)
        frames = (logs.quarantine, logs.set_aside, logs.rejects, changes)
        for (name, table), frame in zip(LOGS.items(), frames, strict=True):
            tables.write_table(frame, table, staging.tree / name, settings.rows_per_group)


def data_files(tree: Path, split: str) -> list[Path]:
    """The files of one split in data/, in order."""
    return sorted((tree / "data").glob(f"{split}-*.parquet"))


def _metadata_is_built(staging: Staging) -> None:
    if not staging.is_complete("metadata"):
        raise InvariantError("the release's metadata is not built yet; materialise release_metadata first")


def released(
    staging: Staging, columns: Sequence[str] = ("processid", "split", "chunk", "area_fraction")
) -> pl.DataFrame:
    """Rows of the staged metadata, in order, with some of their columns.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    _metadata_is_built(staging)
    return pl.concat(
        pl.read_parquet(path, columns=list(columns), hive_partitioning=False)
        for split in schema.SPLITS
        for path in data_files(staging.tree, split)
    ).select(columns)


def released_rows(draft: Staging) -> pl.DataFrame:
    """The release's rows (`schema.METADATA_EXTENDED`), from the staging or, if it is published, from the version."""
    tree = published(draft.releases, draft.digest) or draft.tree
    paths = [path for split in schema.SPLITS for path in data_files(tree, split)]
    return pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in paths)


def released_groups(
    staging: Staging, columns: Sequence[str], splits: Sequence[str] = schema.SPLITS
) -> Iterator[pl.DataFrame]:
    """The same rows of some splits, a row group at a time: memory does not grow with the corpus.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    _metadata_is_built(staging)
    for split in splits:
        for path in data_files(staging.tree, split):
            with pq.ParquetFile(path) as file:
                for number in range(file.num_row_groups):
                    frame = pl.from_arrow(file.read_row_group(number, columns=list(columns)))
                    assert isinstance(frame, pl.DataFrame)
                    yield frame.select(columns)


def build_partitioned(staging: Staging, settings: ReleaseSettings) -> None:
    """Write `partitioned/` from the staged metadata, which must be built."""
    if settings.wants("partitioned"):
        with staging.building("partitioned", owned(settings)["partitioned"]) as fresh:
            if fresh:
                # A release without specimens has the folder too.
                (staging.tree / "partitioned").mkdir(parents=True)
                rows = released_groups(staging, schema.METADATA_EXTENDED.names())
                tables.write_partitioned(rows, staging.tree / "partitioned", settings)


def build_images(
    staging: Staging,
    curated: pl.DataFrame,
    crops: Iterable[tuple[str, Path]],
    settings: ReleaseSettings,
    progress: Progress = silent,
    originals: Mapping[str, Originals] | None = None,
) -> None:
    """Write the image packages; resumes a killed run by package and batch.

    Args:
        staging: where to; its metadata must be built.
        curated: processid and image_batch of every released specimen.
        crops: batch and the folder of its crops (see `images.write_images`).
        settings: packages.
        progress: told of each image.
        originals: where the originals of each batch lie (see `images.write_images`).

    Raises:
        InvariantError: an image is missing from the lake.
        SourceError: an original is out of reach, or is not the file that was indexed.
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
            root = staging.tree / images_name(settings)
            write_images(rows, crops, settings.image_packages, root, progress, originals)


def with_image(rows: pl.DataFrame) -> pl.DataFrame:
    """Released rows that have an image, with `path` within its package; only they have an area fraction."""
    return rows.filter(pl.col("area_fraction").is_not_null()).with_columns(
        path=image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
    )


def build_splits(staging: Staging, settings: ReleaseSettings) -> None:
    """Write `splits/<split>.csv` and `splits/all.csv` from the staged metadata, which must be built."""
    if settings.wants("splits"):
        with staging.building("splits", owned(settings)["splits"]) as fresh:
            if fresh:
                tables.write_splits(released(staging), staging.tree / "splits")
