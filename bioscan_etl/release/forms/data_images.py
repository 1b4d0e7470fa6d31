"""`data_images/`: the rows of data/ with each specimen's image, as Hugging Face reads it.

Belongs here: the image column and the shards of images. Does not belong here: the rows themselves
(`release.tables`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.tables import shards
from bioscan_etl.settings import ReleaseSettings

PACKAGE = "cropped_256"
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Without this the column is a struct to Hugging Face, and no image (spec: the release, Parquet).
_FEATURES = {b"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}}).encode()}


def images_schema() -> pa.Schema:
    """Arrow schema of the files: `schema.METADATA_EXTENDED`, then `image`; one for all files."""
    return schema.METADATA_EXTENDED.arrow().append(pa.field("image", _IMAGE)).with_metadata(_FEATURES)


def write_data_images(
    groups: Callable[[str], Iterable[pl.DataFrame]],
    counts: dict[str, int],
    root: Path,
    folder: Path,
    settings: ReleaseSettings,
    progress: Progress = silent,
) -> None:
    """Write `<split>-NNNNN-of-NNNNN.parquet`; a shard that is there is kept, so a killed run resumes.

    Memory holds the images of one row group. A split without specimens has one file without rows.

    Args:
        groups: rows of a split, in pieces, sorted: `schema.METADATA_EXTENDED` and `image_path` within the package,
            null where a specimen has no image.
        counts: rows by split.
        root: folder of the package `cropped_256`.
        folder: where the files go.
        settings: rows of a file and of a row group.
        progress: told of each row group.
    """
    done, total = 0, sum(counts.values())
    for split in schema.SPLITS:
        parts = list(shards(counts.get(split, 0), settings.images_per_shard))
        paths = [folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet" for number, _, _ in parts]
        if not all(path.is_file() for path in paths):
            rows = Rows(groups(split))
            for path, (_, _, length) in zip(paths, parts, strict=True):
                pieces = rows.take(length, settings.images_per_group)
                if path.is_file():
                    for piece in pieces:
                        progress("data_images", done + piece.height, total)
                else:
                    _write_shard(pieces, root, path)
                done += length
                progress("data_images", done, total)
        else:
            done += counts.get(split, 0)


def _write_shard(pieces: Iterator[pl.DataFrame], root: Path, path: Path) -> None:
    arrow = images_schema()
    # JPEG does not compress: trying would cost time and gain nothing.
    codecs = {name: "zstd" for name in arrow.names if name not in {"image", "flags"}}
    codecs |= {"flags.list.element": "zstd", "image.bytes": "none", "image.path": "zstd"}
    with (
        atomic_file(path) as stream,
        pq.ParquetWriter(stream, arrow, compression=codecs, write_page_index=True, write_page_checksum=True) as writer,
    ):
        for piece in pieces:
            writer.write_table(_with_images(piece, root, arrow), row_group_size=max(piece.height, 1))


def _with_images(rows: pl.DataFrame, root: Path, arrow: pa.Schema) -> pa.Table:
    table = rows.select(schema.METADATA_EXTENDED.names()).to_arrow()
    names = rows["image_path"].to_list()
    pictures: list[dict[str, Any] | None] = [
        None if name is None else {"bytes": (root / name).read_bytes(), "path": name.rsplit("/", 1)[-1]}
        for name in names
    ]
    return table.append_column("image", pa.array(pictures, _IMAGE)).cast(arrow)


class Rows:
    """Rows that come in pieces, handed out in other pieces."""

    def __init__(self, pieces: Iterable[pl.DataFrame]) -> None:
        self._pieces = iter(pieces)
        self._held = pl.DataFrame()

    def take(self, rows: int, at_once: int) -> Iterator[pl.DataFrame]:
        """The next rows, in pieces of `at_once`, the last one shorter."""
        while rows:
            while self._held.height < min(at_once, rows):
                piece = next(self._pieces)
                self._held = pl.concat([self._held, piece]) if self._held.height else piece
            part = self._held.head(min(at_once, rows))
            self._held = self._held.slice(part.height)
            rows -= part.height
            yield part
