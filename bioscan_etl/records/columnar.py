"""Records as Parquet, for example a table exported from a database.

Belongs here: reading row groups as text columns. Does not belong here: the meaning of values. Parquet cannot be read
sequentially, so a stream (from S3, the web, an archive) is first copied to a temporary file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars._typing import PolarsDataType

from bioscan_etl.errors import SourceError
from bioscan_etl.records.blocks import REJECTS, Block, canonical, no_rejects, no_rows, part_unfit
from bioscan_etl.records.layouts import Layout, recognise
from bioscan_etl.records.sources import DamagedError
from bioscan_etl.settings import RecordSettings

MAGIC = b"PAR1"
_ROWS = 10_000

WHOLE = frozenset(
    {
        *("sampleid", "fieldid", "museumid", "specimenid", "taxid", "collection_event_id", "site_code", "geoid"),
        *("nuc_basecount", "image_measurement_value", "index_bioscan_1M_insect"),
    }
)
"""Columns of counts and identifiers, whose numbers are whole."""


def read(pieces: Iterator[bytes], path: Path | None, settings: RecordSettings, source: str) -> Iterator[Block]:
    """Read a Parquet file block by block; at least one block is yielded.

    Values become text as BOLD's tables have it (`as_text`). `source_line` is the row's number, the first being 1; a
    reject's `raw_text` is the row as JSON.

    Args:
        pieces: the file's bytes.
        path: the local file of the same bytes, if there is one; `pieces` is then not used.
        settings: null markers.
        source: what to call the file in an error.

    Raises:
        SourceError: the file is damaged, or its layout is unknown.
    """
    with _opened(pieces, path, source) as file, _readable(source):
        layout = recognise(file.schema_arrow.names, source)
        yield Block(layout, no_rows(layout), no_rejects(), 0)
        first = 1
        for batch in file.iter_batches(_ROWS):
            yield _block(batch, first, layout, settings)
            first += batch.num_rows


def look(pieces: Iterator[bytes], path: Path | None, source: str) -> tuple[Layout, int]:
    """A file's layout and its number of rows.

    Raises:
        SourceError: the file is damaged, or its layout is unknown.
    """
    with _opened(pieces, path, source) as file, _readable(source):
        return recognise(file.schema_arrow.names, source), file.metadata.num_rows


@contextmanager
def _readable(source: str) -> Iterator[None]:
    """Say of any error of the two libraries what it means."""
    try:
        yield
    except SourceError:
        raise
    except pl.exceptions.PolarsError as error:
        raise SourceError(
            f"{source} has a column that cannot be read as text: {_reason(error)}; "
            "write that column as text, or leave it out"
        ) from None
    except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
        # ValueError: names of columns that are not UTF-8; OverflowError: sizes that no file has.
        raise SourceError(f"{source} is a damaged Parquet file: {_reason(error)}; fetch it again") from None


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def _opened(pieces: Iterator[bytes], path: Path | None, source: str) -> Iterator[pq.ParquetFile]:
    with tempfile.TemporaryFile() if path is None else path.open("rb") as stream:
        if path is None:
            _lay_down(pieces, stream, source)
        with _readable(source):
            file = pq.ParquetFile(stream)
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
    table = pl.DataFrame(
        [_series(name, column) for name, column in zip(names, batch.columns, strict=True)], nan_to_null=False
    )
    text = table.select(
        as_text(name, kind, target) for (name, kind), target in zip(table.schema.items(), layout.targets, strict=True)
    )
    number = pl.int_range(first, first + text.height, dtype=pl.Int64, eager=True).alias("source_line")
    rows, unsafe = part_unfit(canonical(text, layout, settings).insert_column(0, number))
    raw = text.rename(dict(zip(names, layout.targets, strict=True))).select(
        raw_text=pl.struct(pl.all()).struct.json_encode()
    )
    rejects = unsafe.join(raw.with_columns(number), on="source_line", how="left", maintain_order="left")
    return Block(layout, rows, rejects.select(*REJECTS), text.height)


def _series(name: str, column: pa.Array) -> pl.Series:
    """A column as polars has it; of types without a text in polars, such as maps, each value as JSON."""
    try:
        if "map<" in str(column.type):
            raise TypeError(column.type)
        return pl.Series(name, pl.from_arrow(column))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, ValueError, TypeError):
        values = [None if value is None else json.dumps(value, default=str) for value in column.to_pylist()]
        return pl.Series(name, values, pl.String)


def as_text(name: str, kind: pl.DataType, target: str | None = None) -> pl.Expr:
    """A column of any type as the text that BOLD's tables have.

    Dates are in ISO form, those with a time of midnight without it. Lists are `['AACTA', 'DS-CAPP']` and
    `[53.59, -106.278]`; a list of nothing (`[]`, `[None, None]`) and NaN are missing. Counts and identifiers that are
    floating-point numbers, because a data frame had missing ones among them, are whole numbers again. Bytes are UTF-8,
    with U+FFFD where they are not. Structs are JSON; one of a latitude and a longitude is a coordinate.

    Args:
        name: the column.
        kind: its type.
        target: the canonical column that it fills.
    """
    value = pl.col(name)
    if target == "coord" and isinstance(kind, pl.Struct):
        fields = {field.name.lower()[:3]: str(at) for at, field in enumerate(kind.fields)}
        if {"lat", "lon"} <= set(fields):
            numbered = _numbered(value, kind)
            pair = [numbered.struct.field(fields[half]).cast(pl.String, strict=False) for half in ("lat", "lon")]
            both = pl.format("[{}, {}]", *(half.fill_null("") for half in pair))
            return pl.when(pl.any_horizontal(half.is_not_null() for half in pair)).then(both).alias(name)
    if kind.is_float() and target in WHOLE:
        return _shortest(value.fill_nan(None)).alias(name)
    return _text(value, kind).alias(name)


def _shortest(value: pl.Expr) -> pl.Expr:
    """Numbers without an empty fraction."""
    whole = (value == value.round()) & (value.abs() < 2**53)
    return pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))


def _text(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    text = value.cast(pl.String, strict=False)
    match kind:
        case pl.List() | pl.Array():
            text = _listed(value.arr.to_list() if isinstance(kind, pl.Array) else value, _instance(kind.inner))
        case pl.Struct():
            numbered = _numbered(value, kind)
            fields = [
                _member(numbered.struct.field(str(at)), _instance(field.dtype)).alias(field.name)
                for at, field in enumerate(kind.fields)
            ]
            given = pl.any_horizontal(pl.lit(False), *(field.is_not_null() for field in fields))
            text = pl.when(given).then(pl.struct(fields).struct.json_encode()) if fields else pl.lit(None, pl.String)
        case pl.Binary():
            text = value.map_batches(_decoded, return_dtype=pl.String)
        case pl.Datetime():
            day = value.dt.to_string("%Y-%m-%d")
            text = pl.when(value.dt.time() == pl.time(0)).then(day).otherwise(value.dt.to_string("iso"))
        case pl.Date() | pl.Time() | pl.Duration():
            text = value.dt.to_string("iso")
        case pl.Float32() | pl.Float64():
            text = value.fill_nan(None).cast(pl.String, strict=False)
    return text


def _listed(value: pl.Expr, inner: pl.DataType) -> pl.Expr:
    element = _text(pl.element(), inner)
    if isinstance(inner, (pl.String, pl.Categorical, pl.Enum)):
        element = pl.concat_str(pl.lit("'"), element, pl.lit("'"))
    texts = value.list.eval(element)
    members = texts.list.eval(pl.element().fill_null("None")).list.join(", ")
    return pl.when(texts.list.drop_nulls().list.len() > 0).then(pl.concat_str(pl.lit("["), members, pl.lit("]")))


def _numbered(value: pl.Expr, kind: pl.Struct) -> pl.Expr:
    """A struct whose fields are named by position: polars takes a name such as `*` or `^a.*$` for several fields."""
    return value.struct.rename_fields([str(at) for at in range(len(kind.fields))])


def _member(field: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """A field of a struct, of a type that JSON has."""
    return field if kind.is_integer() or kind.is_float() or kind == pl.Boolean else _text(field, kind)


def _instance(kind: PolarsDataType) -> pl.DataType:
    return kind() if isinstance(kind, type) else kind


def _decoded(values: pl.Series) -> pl.Series:
    # Such columns are rare, and only Python's codec replaces what it cannot decode.
    texts = [None if value is None else value.decode("utf-8", "replace") for value in values.to_list()]
    return pl.Series(values.name, texts, pl.String)
