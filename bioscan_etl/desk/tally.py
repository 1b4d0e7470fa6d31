"""Counting what a group of specimens is like: gates, rules, distributions, and what the detector says.

Belongs here: pure counts of rows, and how far two distributions are apart. Does not belong here: which rows are counted
(`trends`), and which batch is worth an alert (`alerts.compare`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from bioscan_etl.vocabulary import RANKS

NEEDED: Mapping[str, Any] = {
    "where": pl.String(),
    "gates": pl.List(pl.String),
    "flags": pl.List(pl.String),
    "country": pl.String(),
    "barcode_length": pl.Int64(),
    **{rank: pl.String() for rank in RANKS},
    "image_status": pl.String(),
    "detector": pl.String(),
    "confidence": pl.Float64(),
    "exposure": pl.Float64(),
    "blur": pl.Float64(),
}
"""Columns of the rows that are counted; one that is not known is null."""

MISSING = "none"
"""What a distribution calls a missing value."""

_LENGTHS = ((500, "below 500 bp"), (600, "500 to 599 bp"), (658, "600 to 657 bp"), (659, "658 bp"))
_LONGEST = "above 658 bp"
_MEANS = ("confidence", "exposure", "blur")


@dataclass(slots=True)
class Tally:
    """What a group of specimens is like.

    Attributes:
        specimens: how many there are.
        released: how many fail no gate.
        rules: specimens by gate or rule.
        distributions: of the columns country, order, barcode_length: specimens by value, missing ones as `MISSING`.
        unlabelled: specimens without a label, by rank.
        statuses: specimens by status of the detector.
        detectors: the detectors that found their boxes, sorted.
        means: mean of confidence, exposure and blur of the specimens that have one.
    """

    specimens: int = 0
    released: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    distributions: dict[str, dict[str, int]] = field(default_factory=dict)
    unlabelled: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    detectors: tuple[str, ...] = ()
    means: dict[str, float] = field(default_factory=dict)


def tally(rows: pl.LazyFrame, *, only_released: bool, ruled: pl.LazyFrame | None = None) -> dict[str, Tally]:
    """What each group of specimens is like.

    Args:
        rows: the columns `NEEDED`, one row per specimen.
        only_released: count distributions and missing labels of specimens that fail no gate; False: of all.
        ruled: `where`, `gates` and `flags` of the same specimens, of which gates and rules are counted; None: `rows`.

    Returns:
        By the value of `where`.
    """
    is_released = pl.col("gates").list.len() == 0
    counted = is_released if only_released else pl.lit(value=True)
    whole = (
        rows.group_by("where")
        .agg(
            specimens=pl.len(),
            released=is_released.sum(),
            detectors=pl.col("detector").drop_nulls().unique().sort(),
            # Of whole millionths: sums of them do not depend on the order in which threads add them.
            **{f"mean_{name}": (pl.col(name) * 1e6).round().cast(pl.Int64).mean() / 1e6 for name in _MEANS},
            **{f"without_{rank}": (counted & pl.col(rank).is_null()).sum() for rank in RANKS},
        )
        .collect(engine="streaming")
    )
    found: dict[str, Tally] = {}
    for row in whole.iter_rows(named=True):
        found[row["where"]] = Tally(
            specimens=row["specimens"],
            released=row["released"],
            unlabelled={rank: row[f"without_{rank}"] for rank in RANKS},
            detectors=tuple(row["detectors"]),
            means={name: row[f"mean_{name}"] for name in _MEANS if row[f"mean_{name}"] is not None},
        )
    listed = pl.concat_list("gates", "flags").list.unique()
    rules = (rows if ruled is None else ruled).select("where", value=listed).explode("value").drop_nulls("value")
    for where, rule, number in _numbers(
        rules.group_by("where", "value").agg(number=pl.len()).collect(engine="streaming")
    ):
        found[where].rules[rule] = number
    # Few values occur together, so one pass counts all columns.
    values = {"country": pl.col("country"), "order": pl.col("order"), "barcode_length": _length()}
    together = (
        rows.select(
            "where", "image_status", counted=counted, **{name: one.fill_null(MISSING) for name, one in values.items()}
        )
        .group_by(pl.all())
        .agg(number=pl.len())
        .collect(engine="streaming")
    )
    statuses = together.select("where", "number", value="image_status").drop_nulls("value")
    for where, status, number in _numbers(statuses):
        found[where].statuses[status] = number
    for name in values:
        for where, one, number in _numbers(together.filter("counted").select("where", "number", value=name)):
            found[where].distributions.setdefault(name, {})[one] = number
    return found


def _numbers(counts: pl.DataFrame) -> Iterable[tuple[str, str, int]]:
    """Each `where` and `value` with the sum of its `number`, sorted."""
    summed: list[tuple[str, str, int]] = (
        counts.group_by("where", "value").agg(pl.col("number").sum()).sort("where", "value").rows()
    )
    return summed


def _length() -> pl.Expr:
    length = pl.col("barcode_length")
    found: Any = pl.when(length.is_null()).then(pl.lit(None, pl.String))
    for below, name in _LENGTHS:
        found = found.when(length < below).then(pl.lit(name))
    named: pl.Expr = found.otherwise(pl.lit(_LONGEST))
    return named


def distance(before: Mapping[str, int], after: Mapping[str, int]) -> float | None:
    """Total variation distance of two distributions: the share of specimens that would have to change their value.

    None if one of them is empty.

    >>> distance({"Kenya": 3, "China": 1}, {"Kenya": 1, "China": 1})
    0.25
    """
    parts = shares(before, after)
    return sum(abs(one - other) for _, one, other in parts) / 2 if parts else None


def shares(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, float, float]]:
    """Share of each value before and after, the largest difference first; nothing if one distribution is empty.

    >>> shares({"Kenya": 3, "China": 1}, {"Kenya": 1, "China": 1})
    [('China', 0.25, 0.5), ('Kenya', 0.75, 0.5)]
    """
    then, now = sum(before.values()), sum(after.values())
    if not then or not now:
        return []
    found = [(name, before.get(name, 0) / then, after.get(name, 0) / now) for name in {**before, **after}]
    return sorted(found, key=lambda one: (-abs(one[1] - one[2]), one[0]))


def summed(tallies: Iterable[Tally], name: str) -> dict[str, int]:
    """A distribution over several groups."""
    found: dict[str, int] = {}
    for one in tallies:
        for value, number in one.distributions.get(name, {}).items():
            found[value] = found.get(value, 0) + number
    return found
