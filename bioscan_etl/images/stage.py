"""The image stage of one batch: images in, boxes and crops out, streaming and resumable.

Belongs here: the shards that images and their rows are written to. Does not belong here: what is done with one image
(`images.one_image`), and duplicates across batches (`images.duplicates`).

Images are taken in the order of process IDs and written in shards. A shard is complete when its part of the
boxes is there, which is written after its crops; all carry a fingerprint of the shard's images, the settings
and the detector. A killed run therefore resumes at its current shard and produces the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.images import crops, quality
from bioscan_etl.images.decode import UnreadableImage
from bioscan_etl.images.detect import load_detector
from bioscan_etl.images.measure import Box
from bioscan_etl.images.one_image import ImageWork, Outcome, Row
from bioscan_etl.images.sources import Sources, open_sources
from bioscan_etl.io.tables import parquet_file, scan_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.schema import BOX_STATUSES, BOXES
from bioscan_etl.settings import ImageSettings
from bioscan_etl.threads import ordered_map, workers
from bioscan_etl.vocabulary import IMAGE_PACKAGES

__all__ = ["process_images"]

_PARTS = "parts"
_ROW_GROUP = 100_000
_REPORT_EVERY = 50
_AHEAD = 32  # images per thread that may wait to be written, about 0.1 MB each


@dataclass(frozen=True, slots=True)
class _Shard:
    number: int
    images: pl.DataFrame
    fingerprint: str


def process_images(
    index: pl.DataFrame,
    sources: Sequence[str],
    settings: ImageSettings,
    packages: Sequence[str],
    folder: Path,
    batch: str,
    progress: Progress = silent,
    drawn: Mapping[str, Box] | None = None,
) -> dict[str, int]:
    """Decode, detect, measure, judge and crop the images of a batch.

    Writes `folder/boxes.parquet` (table `boxes`, one row per image of status found, sorted by process ID) and
    `folder/crops/<package>-NNNNN.parquet` (table `crops`) with every readable image in which a specimen was
    found. The folder is the stage's own: leftovers of a killed run are used or removed. An image that cannot
    be read, or that a step fails on, is a row of status unreadable. Neither the number of threads nor an
    interruption changes a byte.

    Args:
        index: table `image_index` of the batch.
        sources: locations that the index was made from, in any order.
        settings: detector, crop, JPEG quality, thresholds, threads, images per shard.
        packages: of `vocabulary.IMAGE_PACKAGES`.
        folder: where the output goes.
        batch: name of the batch.
        progress: is called with the step "images" and the number of images done.
        drawn: boxes that curators drew, by process ID; the detector's are used for all others.

    Returns:
        Number of images (`images`), by status, and `crops` (per package).

    Raises:
        SettingsError: an unknown package or detector.
        SourceError: a source is out of reach, or an image has changed since it was indexed. A new run resumes.
    """
    unknown = sorted(set(packages) - set(IMAGE_PACKAGES))
    if unknown:
        raise SettingsError(f"image packages {unknown} are unknown; there are {', '.join(IMAGE_PACKAGES)}")
    detector = load_detector(settings)
    images = index.filter(pl.col("status") == "found").select("processid", "image_file", "sha256", "detail")
    images = images.sort("processid", "image_file")
    chosen = tuple(sorted(set(packages)))
    # The shard's detector is the detector and the boxes that take its place.
    named = detector.name if not drawn else f"{detector.name} {json.dumps(drawn, sort_keys=True)}"
    fingerprint = _fingerprint(images, settings, named, chosen, batch)
    shards = list(_plan(images, settings, named, chosen, batch))
    boxes = folder / "boxes.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder, shards, chosen)
    if crops.stored_fingerprint(boxes) != fingerprint or not all(_has_crops(folder, s, chosen) for s in shards):
        boxes.unlink(missing_ok=True)
        work = _Drawn(ImageWork(settings, detector, chosen), drawn or {})
        _process(work, batch, shards, sources, folder, progress)
        _assemble([_part(folder, shard.number) for shard in shards], boxes, fingerprint)
    for shard in shards:
        _part(folder, shard.number).unlink(missing_ok=True)
    if (folder / _PARTS).is_dir():
        (folder / _PARTS).rmdir()
    progress("images", images.height, images.height)
    return _count(boxes)


def _plan(
    images: pl.DataFrame, settings: ImageSettings, detector: str, packages: tuple[str, ...], batch: str
) -> Iterator[_Shard]:
    # An empty batch has one empty shard, so that each package has a file.
    for number, start in enumerate(range(0, max(images.height, 1), settings.shard_images)):
        part = images.slice(start, settings.shard_images)
        yield _Shard(number, part, _fingerprint(part, settings, detector, packages, batch))


def _fingerprint(
    images: pl.DataFrame, settings: ImageSettings, detector: str, packages: tuple[str, ...], batch: str
) -> str:
    # The model is identified by its content (in the detector's name), not by its path.
    values = settings.model_dump(
        mode="json", exclude={"detector", "workers", "shard_images", "decode_memory_mb", "allow_pickle"}
    )
    # The folder is of one code version (its name says so), so code is not part of a shard's fingerprint.
    head = [values, detector, packages, batch]
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for rows in images.iter_slices(10_000):
        digest.update(rows.write_csv(include_header=False).encode())
    return digest.hexdigest()


def _part(folder: Path, number: int) -> Path:
    return folder / _PARTS / f"boxes-{number:05d}.parquet"


def _has_crops(folder: Path, shard: _Shard, packages: tuple[str, ...]) -> bool:
    paths = [crops.shard_path(folder, package, shard.number) for package in packages]
    return all(crops.stored_fingerprint(path) == shard.fingerprint for path in paths)


def _sweep(folder: Path, shards: Sequence[_Shard], packages: tuple[str, ...]) -> None:
    """Remove what a killed run or other settings have left behind."""
    numbers = range(len(shards))
    wanted = {crops.shard_path(folder, package, number) for package in packages for number in numbers}
    wanted |= {_part(folder, number) for number in numbers}
    for place in (folder / crops.FOLDER, folder / _PARTS):
        for path in place.glob("*"):
            if path not in wanted:
                path.unlink()
    for path in folder.glob(".*"):  # temporary names of atomic_file
        if path.is_file():
            path.unlink()


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The steps of an image, with the boxes that curators drew."""

    work: ImageWork
    boxes: Mapping[str, Box]


def _process(
    drawn: _Drawn, batch: str, shards: Sequence[_Shard], sources: Sequence[str], folder: Path, progress: Progress
) -> None:
    work = drawn.work
    total = sum(shard.images.height for shard in shards)
    todo = [
        shard
        for shard in shards
        if crops.stored_fingerprint(_part(folder, shard.number)) != shard.fingerprint
        or not _has_crops(folder, shard, work.packages)
    ]
    done = total - sum(shard.images.height for shard in todo)
    progress("images", done, total)
    usual = cv2.getNumThreads()
    # The images are spread over threads; OpenCV's own would compete with them for the cores.
    cv2.setNumThreads(1)
    try:
        with open_sources(sources) if todo else open_sources(()) as opened:
            tasks = (row for shard in todo for row in shard.images.iter_rows(named=True))
            # While a shard is closed, the next one's images are worked on.
            threads = workers(work.settings.workers)
            results = ordered_map(lambda task: _image(drawn, task, opened), tasks, threads, _AHEAD * threads)
            try:
                for shard in todo:
                    rows = []
                    with crops.ShardWriter(folder, work.packages, shard.number, shard.fingerprint) as writer:
                        for _ in range(shard.images.height):
                            task, outcome = next(results)
                            for package, data in outcome.files.items():
                                writer.packages[package].add(task["processid"], data)
                            named = {name: task[name] for name in ("processid", "image_file", "sha256")}
                            rows.append({"batch": batch, **named, **outcome.row})
                            done += 1
                            if done % _REPORT_EVERY == 0:
                                progress("images", done, total)
                    _write_part(rows, work.settings, _part(folder, shard.number), shard.fingerprint)
            finally:
                results.close()
    finally:
        cv2.setNumThreads(usual)


def _image(drawn: _Drawn, task: Row, sources: Sources) -> Outcome:
    def read() -> bytes:
        if task["sha256"] is None:
            raise UnreadableImage(task["detail"] or "the file could not be read when it was indexed")
        data = sources.read(task["image_file"])
        if hashlib.sha256(data).hexdigest() != task["sha256"]:
            raise SourceError(f"image {task['image_file']} has changed since the batch was indexed; index it again")
        return data

    # Its mask is ten times as large as its files, and has been measured.
    return replace(drawn.work.process(read, drawn.boxes.get(task["processid"])), detection=None)


def _write_part(rows: list[Row], settings: ImageSettings, path: Path, fingerprint: str) -> None:
    names = [name for name in BOXES.names() if name != "flags"]
    frame = pl.DataFrame(rows, schema={name: BOXES[name].dtype for name in names})
    table = BOXES.conform(frame.with_columns(flags=quality.image_flags(settings))).to_arrow()
    with atomic_file(path) as stream, _boxes_writer(stream, fingerprint) as writer:
        writer.write_table(table.cast(writer.schema))


def _boxes_writer(stream: Any, fingerprint: str) -> pq.ParquetWriter:
    schema = BOXES.arrow().with_metadata({crops.FINGERPRINT: fingerprint.encode()})
    return pq.ParquetWriter(stream, schema, compression="zstd")


def _assemble(parts: Sequence[Path], target: Path, fingerprint: str) -> None:
    """Join the parts in row groups of a fixed size, independent of the size of a shard."""
    with atomic_file(target) as stream, _boxes_writer(stream, fingerprint) as writer:
        held = pa.Table.from_batches([], writer.schema)
        for part in parts:
            held = pa.concat_tables([held, parquet_file(part).read().cast(writer.schema)])
            while held.num_rows >= _ROW_GROUP:
                writer.write_table(held.slice(0, _ROW_GROUP).combine_chunks())
                held = held.slice(_ROW_GROUP)
        if held.num_rows:
            writer.write_table(held.combine_chunks())


def _count(boxes: Path) -> dict[str, int]:
    # One pass over two columns; the table of a large batch is not held.
    found = scan_parquet(boxes).select(
        pl.len().alias("images"),
        *((pl.col("status") == status).sum().alias(status) for status in BOX_STATUSES),
        pl.col("x0").is_not_null().sum().alias("crops"),
    )
    return {name: int(value) for name, value in found.collect().row(0, named=True).items()}
