"""Rows stored until reading ends: in memory while they are few, otherwise in scratch files.

Belongs here: storing rows by source in their original order. Does not belong here: which rows are wanted
(`extract`). Nothing is sorted, so each row is written and read once, whatever the size of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import polars as pl

from bioscan_etl.io.tables import scan_parquet

HELD_BYTES = 128 << 20
"""Bytes of rows of one kind that are held in memory; twice that while a scratch file is written."""

_SAMPLED = 256  # rows from which the size of a block is estimated


class Scratch:
    """Rows of numbered sources, of any columns. A context manager; the folder is the caller's to remove."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._held: dict[int, list[pl.DataFrame]] = {}
        self._bytes = 0
        self._files: dict[int, list[Path]] = {}
        # Files are written while the next rows are read.
        self._writer = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self.columns: dict[str, None] = {}

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.shutdown(wait=True)

    def add(self, source: int, rows: pl.DataFrame) -> None:
        """Append rows of a source."""
        self.columns |= dict.fromkeys(rows.columns)
        if not rows.height:
            return
        self._held.setdefault(source, []).append(rows)
        # Adding up the texts of all rows would take as long as parting them by their markers does.
        some = rows.head(_SAMPLED)
        self._bytes += int(some.estimated_size() * rows.height / some.height)
        if self._bytes >= HELD_BYTES:
            self._await()
            self._writing = self._writer.submit(self._write, self._held)
            self._held, self._bytes = {}, 0

    def parts(self, source: int) -> Iterator[pl.LazyFrame]:
        """All rows of a source in order, in parts of `HELD_BYTES` or less; parts may differ in columns."""
        self._await()
        yield from (scan_parquet(path) for path in self._files.get(source, ()))
        if held := self._held.get(source):
            yield pl.concat(held, how="diagonal").lazy()

    def _write(self, held: dict[int, list[pl.DataFrame]]) -> None:
        for source, frames in held.items():
            files = self._files.setdefault(source, [])
            path = self._folder / f"{self._name}-{source}-{len(files)}.parquet"
            # Dictionaries make them small enough; compression costs more time than it saves on disk.
            pl.concat(frames, how="diagonal").write_parquet(path, compression="uncompressed", statistics=False)
            files.append(path)

    def _await(self) -> None:
        if self._writing is not None:
            self._writing.result()
