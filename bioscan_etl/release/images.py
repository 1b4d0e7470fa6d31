"""Image packages: the crops of the lake laid out by split and chunk.

Belongs here: which image goes where. Does not belong here: how a crop is made (`bioscan_etl.images`).

Crops come from the lake. `original_full` is not a crop: its bytes are the imager's, unchanged. It is copied from
the delivery of the batch, each file checked against its sha256 in the image index.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl.errors import InvariantError, SourceError, name_some
from bioscan_etl.images.sources import DamagedFile, open_sources
from bioscan_etl.io.tables import parquet_file, read_parquet
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.layout import image_path
from bioscan_etl.vocabulary import ORIGINALS

_ROWS_AT_ONCE = 64
_DONE = ".done"


@dataclass(frozen=True, slots=True)
class Originals:
    """Where the original images of a batch are.

    Attributes:
        boxes: its `schema.BOXES` as Parquet: which file belongs to which specimen, and its sha256.
        sources: folders, zips and S3 prefixes that it was indexed from.
    """

    boxes: Path
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """The images of a batch whose box a curator drew: the folder of their crops, and their process IDs."""

    folder: Path
    processids: frozenset[str]


def write_images(
    metadata: pl.DataFrame,
    crops: Iterable[tuple[str, Path]],
    packages: Sequence[str],
    root: Path,
    progress: Progress = silent,
    originals: Mapping[str, Originals] | None = None,
    drawn: Mapping[str, Drawn] | None = None,
) -> dict[str, int]:
    """Write every package's image of every released specimen that has one; none extra, none missing.

    Crops are read in pieces of a few dozen, so memory does not grow with the corpus. A package and batch that
    is complete is marked and not written again, so a killed run resumes.

    Args:
        metadata: processid, image_batch, split, chunk; rows without image_batch have no image.
        crops: batch and the folder that holds `crops/<package>-NNNNN.parquet` (`schema.CROPS`, sorted).
        packages: names of the packages.
        root: folder of the packages, such as `bioscan5m/images`; a package in it that is not asked for is removed.
        progress: reports each image written.
        originals: where the originals of each batch are; read for the package original_full only.
        drawn: images of each batch whose box a curator drew; their crops lie elsewhere.

    Returns:
        Number of images by package.

    Raises:
        InvariantError: a specimen's image is missing from the lake, or is there twice.
        SourceError: an original is out of reach, or is not the file that was indexed.
    """
    folders = dict(crops)
    wanted = metadata.filter(pl.col("image_batch").is_not_null()).select(
        "processid", "image_batch", path=image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
    )
    missing = sorted(set(wanted["image_batch"].unique()) - set(folders))
    if missing:
        without = wanted.filter(pl.col("image_batch").is_in(missing))["processid"].to_list()
        raise InvariantError(
            f"no crops of batches {', '.join(missing)}, which hold the images of {name_some(without)}; "
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
                target = root / package
                if package == ORIGINALS:
                    pieces = _write_originals((originals or {}).get(str(batch)), str(batch), paths, target)
                else:
                    redrawn = (drawn or {}).get(str(batch))
                    pieces = _write_crops(folders[str(batch)], redrawn, str(batch), package, paths, target)
                for written in pieces:
                    progress("image packages", done + written, total)
                # After a power cut, the marker must not exist without its images.
                os.sync()
                marker.parent.mkdir(exist_ok=True)
                marker.touch()
            done += len(paths)
            progress("image packages", done, total)
    shutil.rmtree(root / _DONE, ignore_errors=True)
    return dict.fromkeys(packages, wanted.height)


def _write_crops(
    source: Path, drawn: Drawn | None, batch: str, package: str, paths: Mapping[str, str], target: Path
) -> Iterator[int]:
    """As `_write_batch`, with the images that have a drawn box from their own folder."""
    own = {name: path for name, path in paths.items() if drawn is not None and name in drawn.processids}
    others = {name: path for name, path in paths.items() if name not in own}
    yield from _write_batch(source, batch, package, others, target)
    if drawn is not None and own:
        for written in _write_batch(drawn.folder, batch, package, own, target):
            yield len(others) + written


def _write_batch(source: Path, batch: str, package: str, paths: Mapping[str, str], target: Path) -> Iterator[int]:
    """Write one package's images of one batch; yield from time to time how many are written."""
    seen: set[str] = set()
    _make_folders(target, paths)
    for shard in sorted((source / "crops").glob(f"{package}-[0-9]*.parquet")):
        with parquet_file(shard) as file:
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
            f"batch {batch} has no {package} image of {len(lost)} released specimens ({name_some(lost)}); "
            "materialise its specimen_boxes again"
        )


def _make_folders(target: Path, paths: Mapping[str, str]) -> None:
    for folder in {(target / path).parent for path in paths.values()}:
        folder.mkdir(parents=True, exist_ok=True)


def _write_originals(originals: Originals | None, batch: str, paths: Mapping[str, str], target: Path) -> Iterator[int]:
    """Copy the original images of one batch; yield from time to time how many are written."""
    if originals is None:
        raise InvariantError(f"it is not known where the original images of batch {batch} lie; land the batch again")
    files = read_parquet(originals.boxes, columns=["processid", "image_file", "sha256"])
    files = files.filter(pl.col("processid").is_in(list(paths))).sort("processid")
    lost = sorted(set(paths) - set(files["processid"]))
    if lost or files["processid"].is_duplicated().any():
        raise InvariantError(
            f"batch {batch} does not have one original image of each released specimen (such as {name_some(lost)}); "
            "materialise its specimen_boxes again"
        )
    _make_folders(target, paths)
    with open_sources(originals.sources) as sources:
        for done, (processid, name, sha256) in enumerate(files.iter_rows()):
            try:
                data = sources.read(name)
            except DamagedFile as error:
                raise SourceError(
                    f"original image {name} of {processid} in batch {batch} can no longer be read ({error}); "
                    "restore the file, or land the batch again"
                ) from None
            if hashlib.sha256(data).hexdigest() != sha256:
                raise SourceError(
                    f"original image {name} of {processid} in batch {batch} has changed since it was indexed; "
                    "restore the file, or land the batch again"
                )
            (target / paths[processid]).write_bytes(data)
            if done % _ROWS_AT_ONCE == 0:
                yield done
