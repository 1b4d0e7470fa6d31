"""Distances between the distinct barcodes of a group: of each rank, and of BINs (spec: DNA barcodes, statistics).

Belongs here: which barcodes are compared, and what is stated of a group, a rank and a hundredth of all species. Does
not belong here: the distance of a pair (`barcodes.distances`).

Of a group with many barcodes some are chosen, by a hash of their letters: whether a barcode is compared depends neither
on the other barcodes nor on their order. Groups with few barcodes are left out. A barcode whose place is in doubt is
compared with none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.columns import PUBLISHED_COLUMNS
from bioscan_etl.barcodes.distances import Distribution, Pairs, pairs_of
from bioscan_etl.barcodes.framed import Framed
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import StatisticsSettings
from bioscan_etl.statistics.definitions import (
    DISTANCE_BINS_TABLE,
    DISTANCE_LEVELS_TABLE,
    DISTANCES_TABLE,
    LEVELS,
)
from bioscan_etl.threads import cores, ordered_map

WHOLE = "species"
"""The level of whose groups all barcodes are compared."""
_BINS = 100
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)

_Numbers = npt.NDArray[np.int64]
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Group:
    """A group to compare: its barcodes without doubt, and those that are chosen, by their position."""

    level: str
    name: str
    barcodes: int
    chosen: _Numbers


def distances(
    rows: pl.DataFrame,
    position: pl.DataFrame,
    on_frame: Framed,
    settings: StatisticsSettings,
    least: int,
    progress: Progress = silent,
) -> dict[str, pl.DataFrame]:
    """Compare the distinct barcodes within the groups of each rank and within BINs.

    Args:
        rows: columns `LEVELS` (text) and barcode_id.
        position: the barcodes that can be compared (`barcodes.framed.comparable`).
        on_frame: the same on the frame.
        settings: sizes of the groups, and the seed of the choice.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        progress: reports the levels.

    Returns:
        distance_levels, distances and distance_bins, as `definitions` has them.
    """
    priority = _priorities(on_frame, settings.seed)
    groups, levels = [], []
    species: list[tuple[float, str, Distribution]] = []
    for number, level in enumerate(LEVELS):
        members = (
            rows.select("barcode_id", group=level)
            .drop_nulls()
            .unique()
            .join(position, on="barcode_id")
            .sort("group", "at")
        )
        small, found = 0, []
        todo = []
        for name, at in _by_group(members):
            if len(at) < settings.min_group_barcodes:
                small += 1
                continue
            most = len(at) if level == WHOLE else settings.max_group_barcodes
            todo.append(_Group(level, name, len(at), _chosen(at, priority, most)))
        for group, row, p in _compared(todo, on_frame, least):
            found.append(row)
            if level == WHOLE and row["mean"] is not None:
                species.append((row["mean"], group.name, p))
        groups += found
        levels.append(_level(level, found, small))
        progress("distances", number + 1, len(LEVELS))
    return {
        "distance_levels": pl.DataFrame(levels, schema=DISTANCE_LEVELS_TABLE.schema(), orient="row"),
        "distances": pl.DataFrame(groups, schema=DISTANCES_TABLE.schema(), orient="row"),
        "distance_bins": _binned(species),
    }


def _by_group(members: pl.DataFrame) -> Iterator[tuple[str, _Numbers]]:
    """The name of each group and the positions of its barcodes.

    Most of hundreds of thousands of groups have a few barcodes: a frame of each takes longer than comparing them.

    Args:
        members: group and at, sorted.
    """
    at = members["at"].to_numpy().astype(np.int64)
    ends = members.group_by("group", maintain_order=True).len().with_columns(end=pl.col("len").cum_sum())
    for name, size, end in ends.iter_rows():
        yield name, at[end - size : end]


def _priorities(barcodes: Framed, seed: int) -> npt.NDArray[np.uint64]:
    """A number per barcode that depends on its letters and the seed alone: the finaliser of SplitMix64."""
    mixed = barcodes.hashes[:, -1] ^ np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _chosen(at: _Numbers, priority: npt.NDArray[np.uint64], most: int) -> _Numbers:
    """The members with the smallest priorities, in the order of their position."""
    if len(at) <= most:
        return at
    return np.sort(at[np.argsort(priority[at], kind="stable")[:most]])


def _compared(groups: list[_Group], on_frame: Framed, least: int) -> Iterator[tuple[_Group, _Row, Distribution]]:
    """Each group with its row of `DISTANCES_TABLE` and the p-distances of its pairs."""

    def work(group: _Group) -> tuple[_Row, Distribution]:
        return _row(group, pairs_of(on_frame, group.chosen), least)

    for group, (row, p) in ordered_map(work, groups, cores()):
        yield group, row, p


def _row(group: _Group, pairs: Pairs, least: int) -> tuple[_Row, Distribution]:
    compared = pairs.sharing(least)
    p, k2p = (Distribution.of(value, compared.count) for value in (compared.p_distance(), compared.k2p()))
    minimum, lower, median, upper, maximum = p.quantiles(*_QUANTILES)
    row: _Row = {
        "level": group.level,
        "group": group.name,
        "barcodes": group.barcodes,
        "compared": len(group.chosen),
        "pairs": p.size,
        "left_out": int(pairs.count.sum()) - p.size,
        "mean": p.mean(),
        "standard_deviation": p.standard_deviation(),
        "minimum": minimum,
        "lower_quartile": lower,
        "median": median,
        "upper_quartile": upper,
        "maximum": maximum,
        "mean_k2p": k2p.mean(),
        "standard_deviation_k2p": k2p.standard_deviation(),
        "without_k2p": p.size - k2p.size,
    }
    return row, p


def _level(level: str, groups: list[_Row], small: int) -> _Row:
    """The row of a rank in `DISTANCE_LEVELS_TABLE`; a group has no mean if all its pairs share too few columns."""
    mean = mean_of_groups(groups, "mean")
    return {
        "level": level,
        "groups": sum(group["mean"] is not None for group in groups),
        "too_small": small,
        "pairs": sum(group["pairs"] for group in groups),
        "mean": mean,
        "standard_deviation": mean_of_groups(groups, "standard_deviation"),
        "mean_of_625": None if mean is None else mean * PUBLISHED_COLUMNS,
        "mean_k2p": mean_of_groups(groups, "mean_k2p"),
        "standard_deviation_k2p": mean_of_groups(groups, "standard_deviation_k2p"),
    }


def mean_of_groups(groups: list[_Row], name: str) -> float | None:
    """The mean of a column over the groups that have a value; None if none has."""
    values = [group[name] for group in groups if group[name] is not None]
    return math.fsum(values) / len(values) if values else None


def _binned(species: list[tuple[float, str, Distribution]]) -> pl.DataFrame:
    """`DISTANCE_BINS_TABLE`: the pairs of neighbouring species together."""
    species = sorted(species, key=lambda one: one[:2])
    rows = []
    for number, part in enumerate(np.array_split(np.arange(len(species)), min(_BINS, len(species)) or 1)):
        inside = [species[at] for at in part.tolist()]
        if not inside:
            continue
        pooled = Distribution.of(
            np.concatenate([one.values for _, _, one in inside]), np.concatenate([one.counts for _, _, one in inside])
        )
        x = math.fsum(mean for mean, _, _ in inside) / len(inside)
        rows.append((number + 1, len(inside), pooled.size, x, *pooled.quantiles(*_QUANTILES)))
    return pl.DataFrame(rows, schema=DISTANCE_BINS_TABLE.schema(), orient="row")
