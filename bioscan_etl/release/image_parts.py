"""The parts of a release that are made of others: of the staged images, or of the staged metadata.

Belongs here: which staged rows and files each is made of, and which files it owns. Does not belong here: the formats
themselves, and the parts that everything is made of (`release.parts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.forms import archives, barcodebert, data_images
from bioscan_etl.release.forms.hdf5 import write_hdf5
from bioscan_etl.release.forms.hdf5_clibd import COLUMNS, write_clibd
from bioscan_etl.release.forms.hdf5_packed import write_packed
from bioscan_etl.release.forms.jsonld import write_jsonld
from bioscan_etl.release.images import Originals, image_path
from bioscan_etl.release.parts import (
    Logs,
    build_images,
    build_metadata,
    build_partitioned,
    build_splits,
    data_files,
    images_name,
    jsonld_name,
    owned,
    packed_name,
    released,
    released_groups,
    with_image,
)
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings

_HAS_IMAGE = pl.col("area_fraction").is_not_null()


def build_jsonld(staging: Staging, settings: ReleaseSettings) -> None:
    """Write the metadata as JSON-LD from the staged metadata, which must be built."""
    if not settings.wants("jsonld"):
        return
    with staging.building("jsonld", owned(settings)["jsonld"]) as fresh:
        if fresh:
            write_jsonld(released_groups(staging, schema.METADATA.names()), staging.tree / jsonld_name(settings))


def build_barcodebert(staging: Staging, settings: ReleaseSettings) -> None:
    """Write `barcodebert/` from the staged metadata, which must be built.

    Raises:
        InvariantError: the metadata is not built yet, or its labels are not what BarcodeBERT's recipes rely on.
    """
    if not settings.wants("barcodebert"):
        return
    with staging.building("barcodebert", owned(settings)["barcodebert"]) as fresh:
        if fresh:
            labels = released(staging, ["split", *schema.RANKS]).unique()
            barcodebert.check_labels(labels)
            splits = [split for parts in barcodebert.FILES.values() for split in parts]
            groups = released_groups(staging, barcodebert.COLUMNS, splits)
            barcodebert.write_barcodebert(groups, barcodebert.label_numbers(labels), staging.tree / "barcodebert")


def _images_are_built(staging: Staging) -> None:
    if not staging.is_complete("images"):
        raise InvariantError("the release's images are not built yet; materialise image_packages first")


def build_data_images(staging: Staging, settings: ReleaseSettings, progress: Progress = silent) -> None:
    """Write `data_images/` from the staged metadata and images; a killed run resumes by shard.

    Raises:
        InvariantError: the metadata or the images are not built yet.
    """
    if not settings.wants("data_images"):
        return
    with staging.building("data_images", owned(settings)["data_images"], resumable=True) as fresh:
        if not fresh:
            return
        _images_are_built(staging)
        counts = dict(released(staging, ["split"]).group_by("split").len().iter_rows())
        folder = staging.tree / "data_images"
        _sweep(folder)

        def groups(split: str) -> Iterator[pl.DataFrame]:
            path = image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
            for rows in released_groups(staging, schema.METADATA_EXTENDED.names(), [split]):
                yield rows.with_columns(image_path=pl.when(_HAS_IMAGE).then(path))

        root = _package(staging, settings, data_images.PACKAGE)
        data_images.write_data_images(groups, counts, root, folder, settings, progress)


def build_hdf5(staging: Staging, settings: ReleaseSettings, progress: Progress = silent) -> None:
    """Write `hdf5/<package>.hdf5` and `hdf5/<package>.packed.hdf5` from the staged images, which must be built.

    Raises:
        InvariantError: the metadata or the images are not built yet.
    """
    if "hdf5" not in owned(settings):
        return
    with staging.building("hdf5", owned(settings)["hdf5"]) as fresh:
        if not fresh:
            return
        _images_are_built(staging)
        rows = released(staging)
        images = with_image(rows)
        for package in settings.hdf5_packages:
            path = staging.tree / "hdf5" / f"{package}.hdf5"
            write_hdf5(images, staging.tree / images_name(settings), package, path, settings, progress=progress)
        if settings.packed_packages:
            path_of = image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
            paths = rows.select(pl.when(_HAS_IMAGE).then(path_of)).to_series()
            widths = _widths(staging)
        for package in settings.packed_packages:
            write_packed(
                released_groups(staging, schema.METADATA.names()),
                widths,
                paths,
                staging.tree / images_name(settings),
                package,
                staging.tree / packed_name(package),
                settings,
                progress=progress,
            )


def _widths(staging: Staging) -> dict[str, int]:
    """Bytes of the longest value of each text column of the metadata, at least 1."""
    texts = [column.name for column in schema.METADATA.columns if column.dtype == pl.String()]
    files = [path for split in schema.SPLITS for path in data_files(staging.tree, split)]
    longest = pl.scan_parquet(files, hive_partitioning=False).select(pl.col(texts).str.len_bytes().max()).collect()
    return {name: longest[name][0] or 1 for name in texts}


def build_clibd(staging: Staging, settings: ReleaseSettings, progress: Progress = silent) -> None:
    """Write `hdf5/clibd.hdf5` from the staged metadata and images, which must be built.

    Raises:
        InvariantError: the metadata or the images are not built yet.
    """
    if not settings.wants("clibd"):
        return
    with staging.building("clibd", owned(settings)["clibd"]) as fresh:
        if fresh:
            _images_are_built(staging)
            columns = {"split", "chunk", "area_fraction", *COLUMNS.values()} - {"image_file"}
            rows = with_image(released(staging, sorted(columns)))
            rows = rows.with_columns(image_file=pl.concat_str("processid", pl.lit(".jpg")))
            root = _package(staging, settings, "cropped_256")
            write_clibd(rows, root, staging.tree / "hdf5" / "clibd.hdf5", progress)


def build_archives(staging: Staging, settings: ReleaseSettings, progress: Progress = silent) -> None:
    """Write `packages/*.zip` and `packages/*.tar` from the staged metadata and images; resumes by archive.

    Raises:
        InvariantError: the metadata or the images are not built yet.
    """
    if "archives" not in owned(settings):
        return
    with staging.building("archives", owned(settings)["archives"], resumable=True) as fresh:
        if not fresh:
            return
        _images_are_built(staging)
        folder = staging.tree / "packages"
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        images = with_image(released(staging))
        for package in settings.zip_packages:
            for name, paths in archives.zip_plan(images, package, settings):
                if not (folder / name).is_file():
                    root = _package(staging, settings, package)
                    archives.write_zip(paths, root, f"{images_name(settings)}/{package}", folder / name)
                progress(f"packages/{name}", len(paths), len(paths))
        counts = dict(images.group_by("split").len().iter_rows())
        for package in settings.webdataset_packages:
            _write_tars(staging, settings, package, counts, progress)


def _write_tars(
    staging: Staging, settings: ReleaseSettings, package: str, counts: dict[str, int], progress: Progress
) -> None:
    plan = list(archives.tar_plan(counts, package, settings))
    for split in schema.SPLITS:
        shards = [(name, length) for of, name, _, length in plan if of == split]
        paths = [staging.tree / "packages" / name for name, _ in shards]
        if not all(path.is_file() for path in paths):
            samples = with_image_groups(released_groups(staging, schema.METADATA.names(), [split]))
            rows = data_images.Rows(samples)
            for path, (_, length) in zip(paths, shards, strict=True):
                pieces = rows.take(length, settings.images_per_group)
                if path.is_file():
                    for _ in pieces:
                        pass
                else:
                    archives.write_tar(pieces, _package(staging, settings, package), path)
                progress(f"packages/{path.name}", length, length)


def with_image_groups(groups: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """`with_image` of each piece."""
    for rows in groups:
        yield with_image(rows)


def _package(staging: Staging, settings: ReleaseSettings, package: str) -> Path:
    return staging.tree / images_name(settings) / package


def _sweep(folder: Path) -> None:
    """Remove the temporary files that a killed run has left in a resumable part."""
    for path in folder.glob(".*"):
        path.unlink()


def build_parts(
    staging: Staging,
    curated: pl.DataFrame,
    partitions: pl.DataFrame,
    logs: Logs,
    crops: Iterable[tuple[str, Path]],
    settings: ReleaseSettings,
    progress: Progress = silent,
    originals: Mapping[str, Originals] | None = None,
) -> None:
    """Build all parts that the settings ask for, one after the other; those that are complete are left.

    Args:
        staging: where to.
        curated: `schema.CURATED`.
        partitions: `schema.PARTITIONS` of the same process IDs.
        logs: the tables beside.
        crops: batch and the folder of its crops (see `images.write_images`).
        settings: names and parts.
        progress: told of the images.
        originals: where the originals of each batch lie.

    Raises:
        InvariantError: the tables or images cannot be released together.
    """
    build_metadata(staging, curated, partitions, logs, settings)
    build_jsonld(staging, settings)
    build_partitioned(staging, settings)
    build_splits(staging, settings)
    build_barcodebert(staging, settings)
    build_images(staging, curated, crops, settings, progress, originals)
    build_data_images(staging, settings, progress)
    build_hdf5(staging, settings, progress)
    build_clibd(staging, settings, progress)
    build_archives(staging, settings, progress)
