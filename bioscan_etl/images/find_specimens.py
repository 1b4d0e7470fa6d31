"""Find the specimens of any images, without batches and records: the command `bioscan-etl detect`.

Belongs here: from a folder, zip or S3 prefix to a table of boxes. Does not belong here: the steps, which are
those of the image stage (`images.one_image`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import cv2
import numpy as np
import polars as pl
import pyarrow.parquet as pq

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detect import load_detector
from bioscan_etl.images.index import list_images
from bioscan_etl.images.one_image import ImageWork, Outcome, Row
from bioscan_etl.images.sources import DamagedFile, Sources, open_sources
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.schema import BOX_STATUSES, BOXES
from bioscan_etl.settings import ImageSettings
from bioscan_etl.threads import ordered_map, workers

COLUMNS = (
    *("processid", "image_file", "width_original", "height_original", "x0", "y0", "x1", "y1"),
    *("confidence", "specimens", "status", "area_fraction", "scale_factor", "image_measurement_value"),
    *("detector", "detail"),
)
"""Columns of the output, as the table `boxes` defines them; `processid` is null if the file name has none."""

_SCHEMA = {name: BOXES[name].dtype for name in COLUMNS}
_GROUP = 10_000  # rows written at a time
_REPORT_EVERY = 50
_LONGEST_NAME = 200  # bytes; file systems take 255

Write = Callable[[pl.DataFrame], None]


def find_specimens(
    location: str,
    output: Path,
    settings: ImageSettings,
    masks: Path | None = None,
    progress: Progress = silent,
) -> dict[str, int]:
    """Find the specimen of each image, as the image stage does.

    Args:
        location: folder, zip (read in place) or `s3://` prefix; its .jpg, .jpeg, .png, .tif and .tiff files.
        output: table to write, `.parquet` or `.csv`: `COLUMNS`, one row per image, also if it is empty or
            unreadable, sorted by `image_file`. It appears when it is complete.
        settings: detector, thresholds, limits and number of threads.
        masks: folder for the organism's masks, 8-bit PNG, 255 on the organism, over the whole image (reduced to
            1024 px if that is larger), named by `mask_name`; none if the detector gives none.
        progress: is called with the step "detect" and the number of images done.

    Returns:
        Number of images (`images`), by status, and of masks written (`masks`).

    Raises:
        SettingsError: the output's ending or the detector is unknown.
        SourceError: the source is absent or out of reach.
    """
    if output.suffix.lower() not in _WRITERS:
        raise SettingsError(f"output {output} ends in {output.suffix or 'nothing'}; use .parquet or .csv")

    @contextmanager
    def writing() -> Iterator[Write]:
        with atomic_file(output) as stream, _WRITERS[output.suffix.lower()](stream) as write:
            yield write

    return _find(location, writing, settings, masks, progress)


def specimens_of(location: str, settings: ImageSettings, progress: Progress = silent) -> pl.DataFrame:
    """Find the specimen of each image, as `find_specimens` does, and return the table instead of a file."""
    frames: list[pl.DataFrame] = []
    _find(location, lambda: nullcontext(frames.append), settings, None, progress)
    return pl.concat(frames)


def _find(
    location: str,
    writing: Callable[[], AbstractContextManager[Write]],
    settings: ImageSettings,
    masks: Path | None,
    progress: Progress,
) -> dict[str, int]:
    work = ImageWork(settings, load_detector(settings), ())
    counts = dict.fromkeys(("images", *BOX_STATUSES, "masks"), 0)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # images are spread over threads
    try:
        with open_sources([location]) as sources:
            images = list_images(sources)
            if masks is not None:
                masks.mkdir(parents=True, exist_ok=True)
            with writing() as write:
                rows: list[Row] = []
                progress("detect", 0, images.height)
                for task, outcome in _outcomes(work, images, sources):
                    rows.append({name: task[name] for name in ("processid", "image_file")} | outcome.row)
                    counts["images"] += 1
                    counts[outcome.row["status"]] += 1
                    if masks is not None:
                        counts["masks"] += _write_mask(masks, task["image_file"], outcome)
                    if len(rows) == _GROUP:
                        write(_frame(rows))
                        rows = []
                    if counts["images"] % _REPORT_EVERY == 0:
                        progress("detect", counts["images"], images.height)
                write(_frame(rows))
        progress("detect", images.height, images.height)
    finally:
        cv2.setNumThreads(threads)
    return counts


def find_specimen(image: Path | RGB, settings: ImageSettings) -> pl.DataFrame:
    """Find the specimen of one image, as the image stage does.

    Args:
        image: a file, or pixels (height, width, 3), RGB, uint8.
        settings: detector, thresholds and limits.

    Returns:
        One row of `COLUMNS`, also where the image is empty or unreadable. `processid` is null; so is `image_file`
        where pixels were given.

    Raises:
        SettingsError: the detector is unknown.
        SourceError: the file cannot be read, or the array holds no RGB pixels.
    """
    work = ImageWork(settings, load_detector(settings), ())
    name: str | None = None
    if isinstance(image, Path):
        try:
            data = image.read_bytes()
        except OSError as error:
            raise SourceError(f"{image} cannot be read: {error.strerror or error}; check the path") from None
        name = image.name
    else:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise SourceError(
                f"an array of shape {image.shape} and type {image.dtype} is no image; give (height, width, 3), uint8"
            )
        # Encode without loss, so that pixels are processed in the same way as a file.
        data = cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()
    return _frame([{"processid": None, "image_file": name} | work.process(lambda: data).row])


def _outcomes(work: ImageWork, images: pl.DataFrame, sources: Sources) -> Iterator[tuple[Row, Outcome]]:
    def one(task: Row) -> Outcome:
        def read() -> bytes:
            if task["problem"]:
                raise DamagedFile(task["problem"])
            return sources.read(task["name"])

        return work.process(read)

    return ordered_map(one, images.iter_rows(named=True), workers(work.settings.workers))


def _frame(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame([{name: row[name] for name in COLUMNS} for row in rows], schema=_SCHEMA)


def mask_name(image_file: str) -> str:
    """The file name of an image's mask: its path with all but letters, digits and `_.-~` escaped, and `.png`.

    Example:
        >>> mask_name("plate 1/AAASF005-17.jpg")
        'plate%201%2FAAASF005-17.jpg.png'
    """
    name = quote(image_file, safe="", errors="replace")
    if len(name) > _LONGEST_NAME:
        name = name[:_LONGEST_NAME] + "-" + hashlib.sha256(image_file.encode("utf-8", "replace")).hexdigest()[:16]
    return name + ".png"


def _write_mask(folder: Path, image_file: str, outcome: Outcome) -> int:
    mask = None if outcome.detection is None else outcome.detection.mask
    if mask is None or outcome.row["x0"] is None:
        return 0
    drawn = (np.asarray(mask) > 0).astype(np.uint8) * 255
    with atomic_file(folder / mask_name(image_file)) as stream:
        stream.write(cv2.imencode(".png", drawn, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes())
    return 1


@contextmanager
def _parquet(stream: BinaryIO) -> Iterator[Write]:
    schema = pl.DataFrame(schema=_SCHEMA).to_arrow().schema
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        yield lambda frame: writer.write_table(frame.to_arrow().cast(schema))


@contextmanager
def _csv(stream: BinaryIO) -> Iterator[Write]:
    pl.DataFrame(schema=_SCHEMA).write_csv(stream)
    yield lambda frame: frame.write_csv(stream, include_header=False)


_WRITERS: dict[str, Any] = {".parquet": _parquet, ".csv": _csv}
