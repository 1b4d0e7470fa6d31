"""Lists of names, one per row: which of several conditions hold.

Belongs here: the fast way to such a list. Does not belong here: what the conditions are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

_LISTS = pl.List(pl.String())


def holding(conditions: Mapping[str, pl.Expr]) -> pl.Expr:
    """The names of the conditions that hold for a row, as a list in the order of the mapping.

    A list is built once per combination that occurs, of which there are few, and not once per row.

    Args:
        conditions: up to 63 of them, bool; one on missing values does not hold.

    Returns:
        List[String], never null.

    Example:
        >>> depth = pl.col("depth")
        >>> flags = holding({"DEEP": depth > 1, "NEGATIVE": depth < 0})
        >>> pl.DataFrame({"depth": [2, -1, None]}).select(flags.alias("flags"))["flags"].to_list()
        [['DEEP'], ['NEGATIVE'], []]
    """
    names = tuple(conditions)
    if len(names) > 63:
        raise ValueError(f"{len(names)} conditions; a combination of 63 fits into a number")
    bits = (
        condition.fill_null(value=False).cast(pl.Int64) * (1 << place)
        for place, condition in enumerate(conditions.values())
    )
    return pl.sum_horizontal(bits).map_batches(
        lambda combinations: _named(combinations, names), return_dtype=_LISTS, is_elementwise=True
    )


def _named(combinations: pl.Series, names: Sequence[str]) -> pl.Series:
    kinds = combinations.unique().sort()
    lists = [[name for place, name in enumerate(names) if kind >> place & 1] for kind in kinds]
    return pl.Series(combinations.name, lists, _LISTS).gather(kinds.search_sorted(combinations))


def count_flags(frame: pl.DataFrame) -> dict[str, int]:
    """Rows by rule id in the column `flags`, sorted by id."""
    hits = frame["flags"].explode().drop_nulls().value_counts().sort("flags")
    return dict(zip(hits["flags"], hits["count"], strict=True))
