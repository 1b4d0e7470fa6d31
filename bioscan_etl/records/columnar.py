"""Records as Parquet, for example a table exported from a database.

Belongs here: reading row groups as text columns. Does not belong here: the meaning of values. Parquet cannot be read
sequentially, so a stream (from S3, the web, an archive) is first copied to a temporary file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl.errors import SourceError
from bioscan_etl.records.blocks import REJECTS, Block, canonical, no_rejects, no_rows, part_unfit
from bioscan_etl.records.layouts import Layout, recognise
from bioscan_etl.records.sources import DamagedError
from bioscan_etl.settings import RecordSettings

MAGIC = b"PAR1"
_ROWS = 10_000


def read(pieces: Iterator[bytes], path: Path | None, settings: RecordSettings, source: str) -> Iterator[Block]:
    """Read a Parquet file block by block; at least one block is yielded.

    Values become text: dates in ISO form, numbers as polars writes them, lists as BOLD's tables have them,
    `['AACTA', 'DS-CAPP']` and `[53.59, -106.278]`. `source_line` is the row's number, the first being 1; a
    reject's `raw_text` is the row as JSON.

    Args:
        pieces: the file's bytes.
        path: the local file of the same bytes, if there is one; `pieces` is then not used.
        settings: null markers.
        source: what to call the file in an error.

    Raises:
        SourceError: the file is damaged, or its layout is unknown.
    """
    with _opened(pieces, path, source) as file:
        try:
            layout = recognise(file.schema_arrow.names, source)
            yield Block(layout, no_rows(layout), no_rejects(), 0)
            first = 1
            for batch in file.iter_batches(_ROWS):
                yield _block(batch, first, layout, settings)
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{source} is a damaged Parquet file: {str(error).splitlines()[0]}; fetch it again"
            ) from None
        except pl.exceptions.PolarsError as error:
            raise SourceError(
                f"{source} has a column that cannot be read as text: {str(error).splitlines()[0]}; "
                "write that column as text, or leave it out"
            ) from None


def look(pieces: Iterator[bytes], path: Path | None, source: str) -> tuple[Layout, int]:
    """A file's layout and its number of rows.

    Raises:
        SourceError: the file is damaged, or its layout is unknown.
    """
    with _opened(pieces, path, source) as file:
        return recognise(file.schema_arrow.names, source), file.metadata.num_rows


@contextmanager
def _opened(pieces: Iterator[bytes], path: Path | None, source: str) -> Iterator[pq.ParquetFile]:
    with tempfile.TemporaryFile() if path is None else path.open("rb") as stream:
        if path is None:
            _lay_down(pieces, stream, source)
        try:
            file = pq.ParquetFile(stream)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{source} is a damaged Parquet file: {str(error).splitlines()[0]}; fetch it again"
            ) from None
        yield file


def _lay_down(pieces: Iterator[bytes], stream: IO[bytes], source: str) -> None:
    try:
        for piece in pieces:
            stream.write(piece)
    except DamagedError as error:
        # The directory of a Parquet file is at its end, so no rows of an incomplete file can be read.
        raise SourceError(f"{source} is an incomplete Parquet file: {error}; fetch it again") from None
    stream.seek(0)


def _block(batch: pa.RecordBatch, first: int, layout: Layout, settings: RecordSettings) -> Block:
    # Columns are named by position, because a name may occur twice.
    names = [str(position) for position in range(batch.num_columns)]
    table = pl.from_arrow(pa.RecordBatch.from_arrays(batch.columns, names=names))
    if not isinstance(table, pl.DataFrame):
        raise TypeError("a record batch is a table")
    text = table.select(as_text(name, kind) for name, kind in table.schema.items())
    number = pl.int_range(first, first + text.height, dtype=pl.Int64, eager=True).alias("source_line")
    rows, unsafe = part_unfit(canonical(text, layout, settings).insert_column(0, number))
    raw = text.rename(dict(zip(names, layout.targets, strict=True))).select(
        raw_text=pl.struct(pl.all()).struct.json_encode()
    )
    rejects = unsafe.join(raw.with_columns(number), on="source_line", how="left", maintain_order="left")
    return Block(layout, rows, rejects.select(*REJECTS), text.height)


def as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """A column of any type as the text that BOLD's tables have: dates in ISO form, lists as `['AACTA', 'DS-CAPP']`."""
    value = pl.col(name)
    match kind:
        case pl.List() | pl.Array():
            value = value.arr.to_list() if isinstance(kind, pl.Array) else value
            inner = pl.element().cast(pl.String)
            quoted = pl.concat_str(pl.lit("'"), inner, pl.lit("'")) if kind.inner == pl.String else inner
            listed = value.list.eval(quoted).list.join(", ", ignore_nulls=True)
            return pl.concat_str(pl.lit("["), listed, pl.lit("]")).alias(name)
        case pl.Struct():
            return value.struct.json_encode()
        case _:
            return value.cast(pl.String, strict=False)
