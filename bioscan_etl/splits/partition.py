"""Partitions of a curated table, and of a table in a file.

Belongs here: row order, reading and writing around a protocol. Does not belong here: the protocol itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.schema import PARTITION_MOVES, PARTITIONS
from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits import bioscan_5m
from bioscan_etl.splits.stable import assign_stable, remember
from bioscan_etl.storage import atomic_file


def _assign_first(table: pl.DataFrame) -> pl.DataFrame:
    """The protocol "stable" for a table without a past."""
    return assign_stable(table, None, SplitSettings(protocol="stable"))[0]


PROTOCOLS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = MappingProxyType(
    {"bioscan-5m": bioscan_5m.assign, "stable": _assign_first}
)
_OUTPUTS = (".csv", ".parquet")
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What one run of a protocol gives.

    Attributes:
        partitions: table `schema.PARTITIONS`, sorted by processid.
        moves: table `schema.PARTITION_MOVES`, sorted by processid: specimens that lay elsewhere in the release before.
        memory: table `schema.PARTITION_MEMORY`, sorted by processid: `earlier` of the next release.
    """

    partitions: pl.DataFrame
    moves: pl.DataFrame
    memory: pl.DataFrame


def partition(curated: pl.DataFrame, settings: SplitSettings) -> pl.DataFrame:
    """Assign every curated specimen its partition, as for a first release.

    Our input row order is the order of process IDs.

    Args:
        curated: table `schema.CURATED`, or any with processid, genus, species, dna_barcode (and dna_bin where BINs
            are kept together); in any order.
        settings: names the protocol.

    Returns:
        Table `schema.PARTITIONS`, sorted by processid.
    """
    return _assign(curated, settings, None)[0]


def partition_onward(
    curated: pl.DataFrame, settings: SplitSettings, earlier: pl.DataFrame | pl.LazyFrame | None
) -> PartitionResult:
    """Assign every curated specimen its partition, given the release before.

    Args:
        curated: as in `partition`.
        settings: names the protocol. "bioscan-5m" looks at no earlier release: it assigns anew, and no move is listed.
        earlier: `memory` of the release before, best as `pl.scan_parquet(path)`; or that release's extended metadata,
            if no specimen was ever withdrawn; None for the first release. It may come from a release that
            "bioscan-5m" made.

    Raises:
        InvariantError: `earlier` lacks a column, or has a process ID twice or an unknown partition.
        SettingsError: BINs are to be kept together and there is no column dna_bin.
    """
    partitions, moves = _assign(curated, settings, earlier)
    return PartitionResult(partitions, moves, remember(curated, partitions, earlier))


def _assign(
    curated: pl.DataFrame, settings: SplitSettings, earlier: pl.DataFrame | pl.LazyFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    optional = ("dna_bin",) if settings.keep_bins_together and "dna_bin" in curated.columns else ()
    columns = curated.select(*bioscan_5m.COLUMNS, *optional).sort("processid")
    if settings.protocol == "stable":
        assigned, moves = assign_stable(columns, earlier, settings)
    else:
        assigned, moves = PROTOCOLS[settings.protocol](columns), PARTITION_MOVES.empty()
    return PARTITIONS.conform(assigned), moves


def split_table(source: Path, output: Path, protocol: str) -> pl.DataFrame:
    """Assign the partitions of a table in a file, as for a first release.

    Args:
        source: CSV (with a header, comma-separated, empty is missing; `.gz` is read too) or Parquet with columns
            processid, genus, species, dna_barcode, all taken as text; further columns are ignored.
        output: file to write, `.csv` or `.parquet`: processid, split, in the order of the rows of `source`. It
            appears whole or not at all.
        protocol: name of a protocol of `PROTOCOLS`.

    Returns:
        What was written.

    Raises:
        SourceError: the source is absent, cannot be read as a table, or lacks a column.
        SettingsError: there is no such protocol, or the output is neither `.csv` nor `.parquet`.
    """
    if protocol not in PROTOCOLS:
        raise SettingsError(f"there is no protocol {protocol!r}; choose one of {', '.join(PROTOCOLS)}")
    if output.suffix not in _OUTPUTS:
        raise SettingsError(f"{output} ends in neither .csv nor .parquet; name the output accordingly")
    assigned = PROTOCOLS[protocol](_read(source))
    with atomic_file(output) as stream:
        if output.suffix == ".parquet":
            assigned.write_parquet(stream)
        else:
            assigned.write_csv(stream)
    return assigned


def _read(source: Path) -> pl.DataFrame:
    """The four columns of a CSV or Parquet file as text, in file order."""
    try:
        with source.open("rb") as stream:
            is_parquet = stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
        # No sniffing of types: a genus such as "1e5" or "true" is a text.
        scan = pl.scan_parquet(source) if is_parquet else pl.scan_csv(source, infer_schema=False)
        missing = [name for name in bioscan_5m.COLUMNS if name not in scan.collect_schema()]
        if missing:
            raise SourceError(
                f"{source} has no column {', '.join(missing)}; a table needs {', '.join(bioscan_5m.COLUMNS)}"
            )
        return scan.select(_text(name) for name in bioscan_5m.COLUMNS).collect(engine="streaming")
    except OSError as error:
        raise SourceError(f"{source} cannot be read: {error.strerror or error}; check the path") from None
    except (pl.exceptions.PolarsError, UnicodeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceError(f"{source} cannot be read as CSV or Parquet: {reason}; check the file") from None


def _text(name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    return pl.when(text != "").then(text).alias(name)
