"""Partitions of a curated table, as a first release or from one release to the next.

Belongs here: row order and memory around a protocol. Does not belong here: the protocol itself, and files (`files`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from bioscan_etl.schema import PARTITION_MOVES, PARTITIONS
from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits import bioscan_5m
from bioscan_etl.splits.stable import assign_stable, remember


def _assign_first(table: pl.DataFrame) -> pl.DataFrame:
    """The protocol "stable" without an earlier assignment."""
    return assign_stable(table, None, SplitSettings(protocol="stable"))[0]


PROTOCOLS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = MappingProxyType(
    {"bioscan-5m": bioscan_5m.assign, "stable": _assign_first}
)


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """The result of one run of a protocol.

    Attributes:
        partitions: table `schema.PARTITIONS`, sorted by processid.
        moves: table `schema.PARTITION_MOVES`, sorted by processid: specimens in another partition than before.
        memory: table `schema.PARTITION_MEMORY`, sorted by processid: `earlier` of the next release.
    """

    partitions: pl.DataFrame
    moves: pl.DataFrame
    memory: pl.DataFrame


def partition(curated: pl.DataFrame, settings: SplitSettings, groups: pl.DataFrame | None = None) -> pl.DataFrame:
    """Assign every curated specimen its partition, as for a first release.

    The protocol gets the rows in the order of process IDs.

    Args:
        curated: columns processid, genus, species, dna_barcode (and dna_bin where BINs are kept together), text; in
            any order, other columns are ignored. Barcodes are identities, missing where there is none: what
            `barcodes.identity.barcode_identity` makes of a sequence.
        settings: names the protocol.
        groups: as in `stable.assign_stable`.

    Returns:
        Table `schema.PARTITIONS`, sorted by processid.
    """
    return _assign(_sorted(curated), settings, None, groups)[0]


def partition_onward(
    curated: pl.DataFrame,
    settings: SplitSettings,
    earlier: pl.DataFrame | pl.LazyFrame | None,
    groups: pl.DataFrame | None = None,
) -> PartitionResult:
    """Assign every curated specimen its partition, given the previous release.

    Args:
        curated: as in `partition`.
        settings: names the protocol. "bioscan-5m" looks at no earlier release: it assigns anew, and no move is listed.
        earlier: `memory` of the release before, best as `pl.scan_parquet(path)`; or that release's extended metadata
            with identities for barcodes, if no specimen was ever withdrawn; None for the first release. It may come
            from a release that "bioscan-5m" made.
        groups: as in `stable.assign_stable`.

    Raises:
        InvariantError: `earlier` lacks a column, or has a process ID twice or an unknown partition.
        SettingsError: BINs must be kept together but there is no column dna_bin.
    """
    # Sorted once for both: the memory has the same order.
    columns = _sorted(curated)
    partitions, moves = _assign(columns, settings, earlier, groups)
    return PartitionResult(partitions, moves, remember(columns, partitions, earlier))


def _sorted(curated: pl.DataFrame) -> pl.DataFrame:
    """What a protocol reads of a table, in the order of process IDs."""
    optional = ("dna_bin",) if "dna_bin" in curated.columns else ()
    columns = curated.select(*bioscan_5m.COLUMNS, *optional)
    return columns if columns["processid"].is_sorted() else columns.sort("processid")


def _assign(
    columns: pl.DataFrame,
    settings: SplitSettings,
    earlier: pl.DataFrame | pl.LazyFrame | None,
    groups: pl.DataFrame | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Partitions and moves of a table in the order of process IDs."""
    if settings.protocol == "stable":
        assigned, moves = assign_stable(columns, earlier, settings, groups)
    else:
        assigned, moves = PROTOCOLS[settings.protocol](columns), PARTITION_MOVES.empty()
    return PARTITIONS.conform(assigned), moves
