"""Image packages: the crops of the lake laid out by split and chunk.

Belongs here: which image goes where. Does not belong here: how a crop is made (`bioscan_etl.images`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from bioscan_etl.errors import InvariantError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.metadata import named

_ROWS_AT_ONCE = 64
_DONE = ".done"


def image_path(split: pl.Expr, chunk: pl.Expr, processid: pl.Expr) -> pl.Expr:
    """Path of an image within its package: `<split>/[<chunk>/]<processid>.jpg` (spec: images, packages)."""
    return pl.concat_str(
        split, pl.lit("/"), pl.when(chunk != "").then(pl.concat_str(chunk, pl.lit("/"))).otherwise(pl.lit("")),
        processid, pl.lit(".jpg"),
    )  # fmt: skip


def write_images(
    metadata: pl.DataFrame,
    crops: Iterable[tuple[str, Path]],
    packages: Sequence[str],
    root: Path,
    progress: Progress = silent,
) -> dict[str, int]:
    """Write every package's image of every released specimen that has one; none extra, none missing.

    Crops are read in pieces of a few dozen, so memory does not grow with the corpus. A package and batch that
    is complete is marked and not written again, so a killed run resumes.

    Args:
        metadata: processid, image_batch, split, chunk; rows without image_batch have no image.
        crops: batch and the folder that holds `crops/<package>-NNNNN.parquet` (`schema.CROPS`, sorted).
        packages: names of the packages.
        root: folder of the packages, such as `bioscan5m/images`; a package in it that is not asked for goes.
        progress: told of each image written.

    Returns:
        Number of images by package.

    Raises:
        InvariantError: a specimen's image is missing from the lake, or is there twice.
    """
    folders = dict(crops)
    wanted = metadata.filter(pl.col("image_batch").is_not_null()).select(
        "processid", "image_batch", path=image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
    )
    missing = sorted(set(wanted["image_batch"].unique()) - set(folders))
    if missing:
        without = wanted.filter(pl.col("image_batch").is_in(missing))["processid"].to_list()
        raise InvariantError(
            f"no crops of batches {', '.join(missing)}, which hold the images of {named(without)}; "
            "materialise specimen_boxes of them"
        )
    root.mkdir(parents=True, exist_ok=True)
    for leftover in root.iterdir():
        if leftover.name not in packages and leftover.name != _DONE:
            shutil.rmtree(leftover)
    done, total = 0, wanted.height * len(packages)
    progress("image packages", done, total)
    for (batch,), rows in wanted.sort("image_batch", "processid").group_by("image_batch", maintain_order=True):
        paths = dict(zip(rows["processid"], rows["path"], strict=True))
        for package in packages:
            marker = root / _DONE / f"{package}.{batch}"
            if not marker.exists():
                for written in _write_batch(folders[str(batch)], str(batch), package, paths, root / package):
                    progress("image packages", done + written, total)
                # The marker must not outlive its images in a power cut.
                os.sync()
                marker.parent.mkdir(exist_ok=True)
                marker.touch()
            done += len(paths)
            progress("image packages", done, total)
    shutil.rmtree(root / _DONE, ignore_errors=True)
    return dict.fromkeys(packages, wanted.height)


def _write_batch(source: Path, batch: str, package: str, paths: Mapping[str, str], target: Path) -> Iterator[int]:
    """Write one package's images of one batch; yields how many are written now and then."""
    seen: set[str] = set()
    for folder in {(target / path).parent for path in paths.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    for shard in sorted((source / "crops").glob(f"{package}-[0-9]*.parquet")):
        with pq.ParquetFile(shard) as file:
            for piece in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=["processid", "jpeg"]):
                for processid, jpeg in zip(piece["processid"].to_pylist(), piece["jpeg"], strict=True):
                    if processid not in paths:
                        continue
                    if processid in seen:
                        raise InvariantError(
                            f"batch {batch} holds two {package} images of {processid}; materialise its specimen_boxes"
                        )
                    seen.add(processid)
                    (target / paths[processid]).write_bytes(jpeg.as_buffer())
                yield len(seen)
    if len(seen) < len(paths):
        lost = sorted(set(paths) - seen)
        raise InvariantError(
            f"batch {batch} has no {package} image of {len(lost)} released specimens ({named(lost)}); "
            "materialise its specimen_boxes again"
        )
