"""Distances between barcodes as published with BIOSCAN-5M, on demand (spec: statistics and figures, distances).

They need the program MAFFT and take hours on a large release, so that no release has them. Groups and their sizes
follow the settings of the other distances; the published code compares groups of five barcodes or more, where its text
says four.

Belongs here: which barcodes are compared, and what is stated of a group and a rank. Does not belong here: alignment and
edits (`barcodes.published`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.barcodes.published import Edits, Mafft, align, edits, find_mafft
from bioscan_etl.errors import SourceError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import StatisticsSettings
from bioscan_etl.statistics.definitions import LEVELS, PUBLISHED_DISTANCES_TABLE, PUBLISHED_LEVELS_TABLE
from bioscan_etl.statistics.distances import WHOLE, mean_of_groups
from bioscan_etl.threads import cores, ordered_map

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    barcodes: int
    chosen: list[str]


def find_aligner(levels: Sequence[str]) -> Mafft:
    """Check what can be checked before hours of work: that the levels exist, and MAFFT.

    Raises:
        SourceError: a level is none of `definitions.LEVELS`, or MAFFT is not installed.
    """
    if unknown := [level for level in levels if level not in LEVELS]:
        raise SourceError(f"there is no rank {', '.join(unknown)}; distances are within {', '.join(LEVELS)}")
    return find_mafft()


def published_distances(
    rows: pl.LazyFrame,
    levels: Sequence[str],
    settings: StatisticsSettings,
    mafft: Mafft,
    progress: Progress = silent,
) -> dict[str, pl.DataFrame]:
    """Compare the distinct barcodes within the groups of some levels by the published recipe.

    Args:
        rows: columns dna_barcode and the levels, text; a row per specimen.
        levels: some of `definitions.LEVELS`; others are not compared.
        settings: sizes of the groups, and the seed of the choice.
        mafft: from `find_aligner`.
        progress: reports the groups of each level.

    Returns:
        published_levels and published_distances, as `definitions` has them. The same rows, settings and version of
        MAFFT give the same tables.

    Raises:
        SourceError: MAFFT failed.
    """
    identified = rows.with_columns(barcode=barcode_identity(pl.col("dna_barcode")))
    found: list[_Row] = []
    summaries: list[_Row] = []
    for level in (level for level in LEVELS if level in levels):
        members = identified.select("barcode", group=level).drop_nulls().unique().sort("group", "barcode").collect()
        groups = list(_groups(members, level, settings))
        large = [group for group in groups if group.barcodes >= settings.min_group_barcodes]
        part: list[_Row] = []
        for group, compared in ordered_map(lambda group: _compared(group, mafft), large, cores()):
            part.append(_row(level, group, *compared))
            progress(f"published distances, {level}", len(part), len(large))
        found += part
        summaries.append(_summary(level, part, len(groups) - len(large), mafft))
    return {
        "published_levels": pl.DataFrame(summaries, schema=PUBLISHED_LEVELS_TABLE.schema(), orient="row"),
        "published_distances": pl.DataFrame(found, schema=PUBLISHED_DISTANCES_TABLE.schema(), orient="row"),
    }


def _groups(members: pl.DataFrame, level: str, settings: StatisticsSettings) -> Iterator[_Group]:
    for (name,), frame in members.group_by(["group"], maintain_order=True):
        barcodes = frame["barcode"].to_list()
        most = len(barcodes) if level == WHOLE else settings.max_group_barcodes
        yield _Group(str(name), len(barcodes), _chosen(barcodes, most, settings.seed))


def _chosen(barcodes: list[str], most: int, seed: int) -> list[str]:
    """At most so many barcodes, by a hash of their letters, in lexical order."""
    if len(barcodes) <= most:
        return barcodes
    key = seed.to_bytes(4, "big")
    return sorted(sorted(barcodes, key=lambda text: blake2b(text.encode(), digest_size=8, key=key).digest())[:most])


def _compared(group: _Group, mafft: Mafft) -> tuple[int, Edits]:
    """Columns of the alignment, and the pairs."""
    try:
        aligned = align(group.chosen, mafft)
    except SourceError as error:
        raise SourceError(f"{group.name}: {error}") from None
    return len(aligned[0]), edits(aligned, cores())


def _row(level: str, group: _Group, columns: int, found: Edits) -> _Row:
    pairs = found.pairs
    values = np.flatnonzero(found.count)
    mean = int((values * found.count[values]).sum()) / pairs if pairs else None
    deviation = None
    if mean is not None and pairs > 1:
        deviation = math.sqrt(math.fsum((values - mean) ** 2 * found.count[values]) / (pairs - 1))
    return {
        "level": level,
        "group": group.name,
        "barcodes": group.barcodes,
        "compared": len(group.chosen),
        "columns": columns,
        "pairs": pairs,
        "left_out": len(group.chosen) * (len(group.chosen) - 1) // 2 - pairs,
        "mean": mean,
        "standard_deviation": deviation,
        "minimum": int(values[0]) if pairs else None,
        "maximum": int(values[-1]) if pairs else None,
        "mean_substitutions": found.substitutions / pairs if pairs else None,
    }


def _summary(level: str, groups: list[_Row], small: int, mafft: Mafft) -> _Row:
    return {
        "level": level,
        "groups": sum(group["mean"] is not None for group in groups),
        "too_small": small,
        "pairs": sum(group["pairs"] for group in groups),
        **{name: mean_of_groups(groups, name) for name in ("mean", "standard_deviation", "mean_substitutions")},
        "aligned_by": f"MAFFT {mafft.version}",
    }
