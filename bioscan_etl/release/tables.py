"""The metadata and the logs as files: CSV, Parquet shards, Hive folders.

Belongs here: how a table is written so that every reader reads it (spec: the release). Does not belong here:
which values it holds (`release.metadata`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema, storage, vocabulary
from bioscan_etl.settings import ReleaseSettings

# Not Hive's own __HIVE_DEFAULT_PARTITION__: pandas refuses a folder of it, and the other engines read it as null. A
# text reads the same in all of them; `release.metadata` keeps any order from having this name.
HIVE_NULL = schema.NOT_CLASSIFIED
# Shards that are encoded at the same time; arrow encodes one on one core.
_THREADS = 2
# What Hive and Spark escape in a partition's folder name; readers undo it as in a URL.
_HIVE_ESCAPED = frozenset(map(chr, range(1, 32))) | frozenset("\"#%'*/:=?\\{[]^\x7f")


def hive_name(value: str | None) -> str:
    """A partition value as folder name.

    Example:
        >>> hive_name("Dip/tera"), hive_name(None)
        ('Dip%2Ftera', 'not_classified')
    """
    if value is None:
        return HIVE_NULL
    return "".join(f"%{ord(letter):02X}" if letter in _HIVE_ESCAPED else letter for letter in value)


def write_csv(frame: pl.DataFrame, path: Path, separator: str = ",") -> None:
    """Write UTF-8 without BOM, LF, minimal quoting; missing is the empty field.

    Args:
        frame: columns of numbers and texts. An empty text is written as missing: quotes would tell them apart,
            but not to every reader.
        path: the file, written whole or not at all.
        separator: one character.
    """
    plain = frame.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)) for name, dtype in frame.schema.items() if dtype == pl.String
    )
    with storage.atomic_file(path) as stream:
        plain.write_csv(stream, separator=separator, line_terminator="\n", quote_style="necessary")


def write_parquet(frame: pl.DataFrame, path: Path, arrow: pa.Schema, rows_per_group: int) -> None:
    """Write one Parquet file: zstd, statistics and page index on.

    Args:
        frame: the columns of `arrow`, in order.
        path: the file, written whole or not at all.
        arrow: schema of the file, the same for all files of one form.
        rows_per_group: rows of a row group.
    """
    with storage.atomic_file(path) as stream, _writer(stream, arrow) as writer:
        # A group at a time: arrow's copy of a whole shard of barcodes is gigabytes. No rows are a group too.
        for rows in frame.iter_slices(rows_per_group) if frame.height else [frame]:
            writer.write_table(rows.to_arrow().cast(arrow), row_group_size=rows_per_group)


def _writer(stream: object, arrow: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        stream, arrow, compression="zstd", write_statistics=True, write_page_index=True, write_page_checksum=True
    )


def write_table(frame: pl.DataFrame, table: schema.Table, path: Path, rows_per_group: int) -> None:
    """Write a table of `bioscan_etl.schema`, in an order that depends on its rows only.

    Raises:
        SchemaError: the frame does not conform.
    """
    conforming = table.conform(frame)
    order = list(table.key) or [column.name for column in table.columns if column.dtype != pl.List(pl.String)]
    write_parquet(conforming.sort(order, nulls_last=True), path, table.arrow(), rows_per_group)


def shards(rows: int, rows_per_shard: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, first row, rows) of each shard; a table without rows has one empty shard."""
    for number, start in enumerate(range(0, max(rows, 1), rows_per_shard)):
        yield number, start, min(rows_per_shard, rows - start)


def write_shards(metadata: pl.DataFrame, folder: Path, settings: ReleaseSettings) -> None:
    """Write `<split>-NNNNN-of-NNNNN.parquet`, the split column kept in the file.

    A split without specimens has one file without rows, so that all eight can be opened.

    Args:
        metadata: `schema.METADATA_EXTENDED`, sorted.
        folder: where the files go.
        settings: rows of a shard and of a row group.
    """
    arrow = schema.METADATA_EXTENDED.arrow()
    with ThreadPoolExecutor(_THREADS) as pool:
        written = []
        for split in vocabulary.SPLITS:
            rows = metadata.filter(pl.col("split") == split)
            parts = list(shards(rows.height, settings.rows_per_shard))
            for number, start, length in parts:
                path = folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet"
                part = rows.slice(start, length)
                written.append(pool.submit(write_parquet, part, path, arrow, settings.rows_per_group))
        for done in written:
            done.result()


def partitioned_schema() -> pa.Schema:
    """Arrow schema of the files of the Hive form: the partition keys are not stored."""
    fields = [field for field in schema.METADATA_EXTENDED.arrow() if field.name not in {"split", "order"}]
    return pa.schema(fields)


def write_partitioned(pieces: Iterable[pl.DataFrame], folder: Path, settings: ReleaseSettings) -> None:
    """Write `split=<split>/order=<order>/part-NNNNN.parquet`; the partition keys are not stored in the files.

    A missing order is the folder `order=not_classified`.

    Args:
        pieces: `schema.METADATA_EXTENDED`, sorted, in pieces of any size: only one row group is held in memory.
        folder: where the folders go.
        settings: rows of a file (as of a shard) and of a row group.
    """
    with ExitStack() as stack:
        partition: tuple[Any, ...] | None = None
        files: _PartFiles | None = None
        for piece in pieces:
            for rows in piece.partition_by("split", "order", maintain_order=True):
                split, order = rows.select("split", "order").row(0)
                if files is None or (split, order) != partition:
                    stack.close()
                    partition = (split, order)
                    place = folder / f"split={split}" / f"order={hive_name(order)}"
                    files = stack.enter_context(_PartFiles(place, settings))
                files.add(rows)


class _PartFiles:
    """The files of one partition, written a row group at a time: the pieces that rows come in leave no trace."""

    def __init__(self, folder: Path, settings: ReleaseSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._arrow = partitioned_schema()
        self._held = pl.DataFrame()
        self._written = 0
        self._number = 0
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _PartFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with self._open:
                self._write(last=True)
        else:
            self._open.__exit__(kind, error, trace)

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows of this partition, in order."""
        rows = rows.select(self._arrow.names)
        self._held = pl.concat([self._held, rows]) if self._held.height else rows
        self._write(last=False)

    def _write(self, *, last: bool) -> None:
        while self._held.height:
            size = min(self._settings.rows_per_group, self._settings.rows_per_shard - self._written)
            if self._held.height < size and not last:
                return
            if self._writer is None:
                stream = self._open.enter_context(
                    storage.atomic_file(self._folder / f"part-{self._number:05d}.parquet")
                )
                self._writer = self._open.enter_context(_writer(stream, self._arrow))
            group = self._held.head(size)
            self._writer.write_table(group.to_arrow().cast(self._arrow), row_group_size=size)
            self._held = self._held.slice(size)
            self._written += group.height
            if self._written == self._settings.rows_per_shard:
                self._open.close()
                self._writer, self._written, self._number = None, 0, self._number + 1


def write_splits(metadata: pl.DataFrame, folder: Path) -> None:
    """Write `<split>.csv` for each split and `all.csv`: columns processid, split; order as in the metadata."""
    rows = metadata.select("processid", "split")
    for split in vocabulary.SPLITS:
        write_csv(rows.filter(pl.col("split") == split), folder / f"{split}.csv")
    write_csv(rows, folder / "all.csv")


def write_bbox(boxes: pl.DataFrame, folder: Path, title: str) -> None:
    """Write `<title>_bbox.tsv` with commas, as its readers expect, and `<title>_bbox.tab.tsv` with tabs.

    Args:
        boxes: `schema.BBOX`.
        folder: where the files go.
        title: first part of the names.
    """
    write_csv(boxes, folder / f"{title}_bbox.tsv", ",")
    write_csv(boxes, folder / f"{title}_bbox.tab.tsv", "\t")
