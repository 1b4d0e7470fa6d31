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
from bioscan_etl.barcodes.counted import extents, kinds_of_groups
from bioscan_etl.barcodes.distances import Distribution, Distributions, k2p, p_distance
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
_QUANTILES = {"minimum": 0.0, "lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75, "maximum": 1.0}
_PAIRS = 200_000  # pairs of small groups that are compared together

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
    priority, extent = _priorities(on_frame, settings.seed), extents(on_frame)
    groups, levels = [], []
    species: list[tuple[float, str, Distribution]] = []
    placed = rows.join(position, on="barcode_id").select("at", *LEVELS)
    for number, level in enumerate(LEVELS):
        small, found = 0, []
        todo = []
        for name, at in _by_group(placed.select("at", group=level).drop_nulls()):
            if len(at) < settings.min_group_barcodes:
                small += 1
                continue
            most = len(at) if level == WHOLE else settings.max_group_barcodes
            todo.append(_Group(level, name, len(at), _chosen(at, priority, most)))
        for group, row, p in _compared(todo, on_frame, extent, least):
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
        members: group and at; in any order, and a pair several times.
    """
    names = members["group"].unique().sort()
    number = members["group"].cast(pl.Enum(names)).to_physical().to_numpy().astype(np.uint64)
    pairs = np.unique((number << np.uint64(32)) | members["at"].to_numpy())  # sorting text takes several times as long
    at = (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    sizes = np.bincount((pairs >> np.uint64(32)).astype(np.int64), minlength=len(names))
    for name, size, end in zip(names, sizes.tolist(), np.cumsum(sizes).tolist(), strict=True):
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


def _compared(
    groups: list[_Group], on_frame: Framed, extent: _Numbers, least: int
) -> Iterator[tuple[_Group, _Row, Distribution]]:
    """Each group with its row of `DISTANCES_TABLE` and the p-distances of its pairs."""

    def work(part: list[_Group]) -> list[tuple[_Row, Distribution]]:
        return _rows(part, on_frame, extent, least)

    for part, rows in ordered_map(work, _parts(groups), cores()):
        for group, (row, p) in zip(part, rows, strict=True):
            yield group, row, p


def _parts(groups: list[_Group]) -> Iterator[list[_Group]]:
    """Neighbouring groups that have about `_PAIRS` pairs together: most groups have a few."""
    part: list[_Group] = []
    pairs = 0
    for group in groups:
        part.append(group)
        pairs += len(group.chosen) ** 2 // 2
        if pairs >= _PAIRS:
            yield part
            part, pairs = [], 0
    if part:
        yield part


def _rows(groups: list[_Group], on_frame: Framed, extent: _Numbers, least: int) -> list[tuple[_Row, Distribution]]:
    sizes = np.array([len(group.chosen) for group in groups])
    kinds = kinds_of_groups(on_frame, extent, np.concatenate([group.chosen for group in groups]), sizes)
    kept = kinds.shared >= least
    numbers = kinds.shared[kept], kinds.transitions[kept], kinds.transversions[kept]
    p, k = (
        Distributions.of(kinds.group[kept], distance(*numbers), kinds.count[kept], len(groups))
        for distance in (p_distance, k2p)
    )
    pairs, with_k2p = p.sizes().tolist(), k.sizes().tolist()
    rows: list[_Row] = [
        {
            "level": group.level,
            "group": group.name,
            "barcodes": group.barcodes,
            "compared": size,
            "pairs": compared,
            "left_out": size * (size - 1) // 2 - compared,
            "mean": mean,
            "standard_deviation": spread,
            **dict(zip(_QUANTILES, quantiles, strict=True)),
            "mean_k2p": mean_k2p,
            "standard_deviation_k2p": spread_k2p,
            "without_k2p": compared - other,
        }
        for group, size, compared, other, quantiles, (mean, spread), (mean_k2p, spread_k2p) in zip(
            groups,
            sizes.tolist(),
            pairs,
            with_k2p,
            p.quantiles(*_QUANTILES.values()),
            p.moments(),
            k.moments(),
            strict=True,
        )
    ]
    return list(zip(rows, p.each(), strict=True))


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
        rows.append((number + 1, len(inside), pooled.size, x, *pooled.quantiles(*_QUANTILES.values())))
    return pl.DataFrame(rows, schema=DISTANCE_BINS_TABLE.schema(), orient="row")
