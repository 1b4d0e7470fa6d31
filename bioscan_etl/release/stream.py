"""The released rows written in blocks, with barcodes that are put in order on disk.

Belongs here: putting barcodes in order, and writing rows while they come in. Does not belong here: which rows a release
has (`metadata`), and how one table is written (`tables`).

The two barcodes of a specimen are nine tenths of its row: of 5 million specimens they take 7 GB, and twice that once
they are put in order. So all other columns are put in order in memory, and barcodes go to a file per block of the
order, are sorted there, and join their rows a block at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.release.rows import Pieces
from bioscan_etl.release.tables import csv_lines, parquet_writer, shards
from bioscan_etl.settings import ReleaseSettings

ROWS = 100_000
"""Rows of a block; with barcodes they take 130 MB."""


def spill(pieces: Iterable[pl.DataFrame], places: pl.Series, folder: Path, rows: int = ROWS) -> list[Path]:
    """Write rows to a file per block of another order.

    Args:
        pieces: rows.
        places: (n,) unsigned integers, the place of each row in the other order, a permutation.
        folder: where the files go.
        rows: of a block.

    Returns:
        The files, in that order; each with a column `place` beside those of the rows.
    """
    found: dict[int, Path] = {}
    writers: dict[int, pq.ParquetWriter] = {}
    start = 0
    with ExitStack() as stack:
        for piece in pieces:
            placed = piece.with_columns(place=places.slice(start, piece.height))
            start += piece.height
            parts = placed.with_columns(block=pl.col("place") // rows).partition_by(
                "block", as_dict=True, include_key=False
            )
            for (block,), part in parts.items():
                table = part.to_arrow(compat_level=pl.CompatLevel.oldest())
                if block not in writers:
                    found[block] = folder / f"{block}.parquet"
                    # Read once, and soon: what is fast to write and to read.
                    writers[block] = stack.enter_context(
                        pq.ParquetWriter(
                            found[block], table.schema, compression="lz4", use_dictionary=False, write_statistics=False
                        )
                    )
                writers[block].write_table(table)
    return [found[block] for block in sorted(found)]


def spilled(files: Iterable[Path]) -> Iterator[pl.DataFrame]:
    """The rows of `spill` in their order, a block at a time. Each file is removed once it is read."""
    for path in files:
        rows = read_parquet(path).sort("place").drop("place")
        path.unlink()
        yield rows


def write_rows(
    blocks: Iterable[pl.DataFrame], counts: Mapping[str, int], csv: Path, folder: Path, settings: ReleaseSettings
) -> None:
    """Write the metadata as CSV, and as `<split>-NNNNN-of-NNNNN.parquet`, the split column kept in the files.

    A split without specimens has one file without rows, so that all eight can be opened. The files do not depend on the
    size of the blocks.

    Args:
        blocks: `schema.METADATA_EXTENDED`, sorted.
        counts: rows of each split; of one that is missing, none.
        csv: the CSV, with the columns of `schema.METADATA`.
        folder: where the Parquet files go.
        settings: rows of a shard and of a row group.
    """
    names, arrow = schema.METADATA.names(), schema.METADATA_EXTENDED.arrow()
    empty = schema.METADATA_EXTENDED.empty()
    with atomic_file(csv) as stream, ThreadPoolExecutor(1) as pool:
        csv_lines(empty.select(names), stream, include_header=True)

        def both() -> Iterator[pl.DataFrame]:
            for block in blocks:
                lines = pool.submit(csv_lines, block.select(names), stream)
                yield block
                lines.result()

        coming = both()
        pieces = Pieces(coming)
        for split in vocabulary.SPLITS:
            parts = list(shards(counts.get(split, 0), settings.rows_per_shard))
            for number, _, length in parts:
                path = folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet"
                by_content = settings.content_defined_chunking
                with atomic_file(path) as file, parquet_writer(file, arrow, by_content=by_content) as writer:
                    # No rows make one group, too. Where pages end must not depend on where blocks do.
                    for group in pieces.take(length, settings.rows_per_group) if length else [empty]:
                        table = group.rechunk().to_arrow().cast(arrow)
                        writer.write_table(table, row_group_size=settings.rows_per_group)
        for _ in coming:
            raise ValueError("more rows come in than their splits have")
