"""Partitions of a table in a file or a frame, for users who have no lake.

Belongs here: reading a table and an earlier assignment, writing partitions, moves and memory. Does not belong here:
what a protocol does with them (`partition`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.errors import InvariantError, SettingsError, SourceError
from bioscan_etl.io.tables import scan_csv, scan_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.schema import PARTITION_MOVES
from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits import bioscan_5m
from bioscan_etl.splits.partition import PROTOCOLS
from bioscan_etl.splits.stable import assign_stable, remember

_ENDINGS = (".csv", ".parquet")
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class SplitTable:
    """What was read and assigned.

    Attributes:
        table: columns processid, genus, species, dna_barcode (and dna_bin, where BINs are kept together), text, in
            the order of the file; of a barcode its identity, as the pipeline takes it (`barcodes.identity`).
        partitions: processid, split, in the same order.
        moves: table `schema.PARTITION_MOVES`; no rows without an earlier assignment.
        memory: table `schema.PARTITION_MEMORY`, `earlier` of the next call; None of a protocol that keeps
            none, or where only other files were to be written.
    """

    table: pl.DataFrame
    partitions: pl.DataFrame
    moves: pl.DataFrame
    memory: pl.DataFrame | None


def split_table(
    source: Path | pl.DataFrame,
    output: Path | None,
    settings: SplitSettings,
    *,
    earlier: Path | pl.DataFrame | None = None,
    moves: Path | None = None,
    memory: Path | None = None,
) -> SplitTable:
    """Assign the partitions of a table, as for a first release or onward from an earlier assignment.

    Files are CSV (with a header, comma-separated, empty is missing; `.gz` is read too) or Parquet; all columns are
    taken as text, further ones are ignored. What is written is `.csv` or `.parquet`, and appears whole or not at all.

    Barcodes are compared as in the pipeline: as a release writes them, without N at the ends (`barcodes.identity`). So
    neither case, nor gaps, nor which ambiguity code a letter is tell two barcodes apart.

    Args:
        source: file or frame: columns processid, genus, species, dna_barcode, and dna_bin where BINs are kept together.
        output: file to write: processid, split, in the order of the rows of `source`; None writes none.
        settings: the protocol and, of "stable", its seed and whether BINs are kept together.
        earlier: for "stable", a file or frame: what an earlier call gave as `memory`, a release's
            partition_memory.parquet or its metadata: processid, split and the columns of `source`, with the labels of
            that time.
        moves: file to write, for "stable": specimens whose partition changed, and why (`schema.PARTITION_MOVES`).
        memory: file to write, for "stable": `earlier` of the next call (`schema.PARTITION_MEMORY`).

    Raises:
        SourceError: a table is absent, cannot be read, lacks a column, or is no earlier assignment.
        SettingsError: an output is neither `.csv` nor `.parquet`, two of them are one file, or the protocol keeps
            no memory.
    """
    wanted = [path for path in (output, moves, memory) if path is not None]
    _check_outputs(wanted)
    if settings.protocol != "stable" and any(path is not None for path in (earlier, moves, memory)):
        raise SettingsError(
            f"protocol {settings.protocol} ignores earlier assignments: earlier, moves and memory need protocol stable"
        )
    columns = (*bioscan_5m.COLUMNS, *(("dna_bin",) if settings.keep_bins_together else ()))
    table = _read(source, columns)
    before = None if earlier is None else _scan(earlier, (*columns, "split"))
    if settings.protocol == "stable":
        if (twice := table["processid"].is_duplicated()).any():
            raise SourceError(
                f"{_name(source)} has more than one row of {table['processid'].filter(twice).sort()[0]}; keep one"
            )
        with _one_line(source if earlier is None else earlier):
            partitions, moved = assign_stable(table, before, settings)
            remembered = remember(table, partitions, before) if memory is not None or output is None else None
        result = SplitTable(table, partitions, moved, remembered)
    else:
        result = SplitTable(table, PROTOCOLS[settings.protocol](table), PARTITION_MOVES.empty(), None)
    for path, frame in ((output, result.partitions), (moves, result.moves), (memory, result.memory)):
        if path is not None and frame is not None:
            _write(frame, path)
    return result


def _check_outputs(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.suffix not in _ENDINGS:
            raise SettingsError(f"{path} ends in neither .csv nor .parquet; name the output accordingly")
    if len({path.absolute() for path in paths}) < len(paths):
        raise SettingsError(f"{paths[0]} is to be written twice; give partitions, moves and memory a file each")


def _write(frame: pl.DataFrame, path: Path) -> None:
    with atomic_file(path) as stream:
        if path.suffix == ".parquet":
            frame.write_parquet(stream)
        else:
            frame.write_csv(stream)


def _name(source: Path | pl.DataFrame) -> str:
    return "the table" if isinstance(source, pl.DataFrame) else str(source)


@contextmanager
def _one_line(source: Path | pl.DataFrame) -> Iterator[None]:
    """Turn what goes wrong with a table into one line that names it."""
    name = _name(source)
    try:
        yield
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}; check the path") from None
    except InvariantError as error:
        raise SourceError(f"{name}: {error}") from None
    except (pl.exceptions.PolarsError, UnicodeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        form = "text" if isinstance(source, pl.DataFrame) else "CSV or Parquet"
        raise SourceError(f"{name} cannot be read as {form}: {reason}; check the data") from None


def _read(source: Path | pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of a table as text, in its order."""
    with _one_line(source):
        return _scan(source, columns).collect(engine="streaming")


def _scan(source: Path | pl.DataFrame, columns: Sequence[str]) -> pl.LazyFrame:
    with _one_line(source):
        scan = source.lazy() if isinstance(source, pl.DataFrame) else _scan_file(source)
        missing = [name for name in columns if name not in scan.collect_schema()]
        if missing:
            raise SourceError(f"{_name(source)} has no column {', '.join(missing)}; a table needs {', '.join(columns)}")
        return scan.select(_text(name) for name in columns)


def read_texts(source: Path | pl.DataFrame) -> pl.DataFrame:
    """All columns of a table: those of a CSV file as text, those of a frame or Parquet file as they are.

    Raises:
        SourceError: the table cannot be read.
    """
    with _one_line(source):
        return source if isinstance(source, pl.DataFrame) else _scan_file(source).collect(engine="streaming")


def _scan_file(source: Path) -> pl.LazyFrame:
    with source.open("rb") as stream:
        is_parquet = stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
    # No sniffing of types: a genus such as "1e5" or "true" is a text.
    return scan_parquet(source) if is_parquet else scan_csv(source, infer_schema=False)


def _text(name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    if name == "dna_barcode":
        return barcode_identity(text).alias(name)
    return pl.when(text != "").then(text).alias(name)
