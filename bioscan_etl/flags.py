"""Lists of flags: which of several conditions hold for each row.

Belongs here: building and counting such lists. Does not belong here: the conditions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

_LISTS = pl.List(pl.String())


def flags_from(conditions: Mapping[str, pl.Expr]) -> pl.Expr:
    """The names of the conditions that hold for a row, as a list in the order of the mapping.

    Builds each list once per combination of conditions, not once per row: few combinations occur.

    Args:
        conditions: up to 63 boolean expressions; null counts as false.

    Returns:
        List[String], never null.

    Example:
        >>> depth = pl.col("depth")
        >>> flags = flags_from({"DEEP": depth > 1, "NEGATIVE": depth < 0})
        >>> pl.DataFrame({"depth": [2, -1, None]}).select(flags.alias("flags"))["flags"].to_list()
        [['DEEP'], ['NEGATIVE'], []]
    """
    names = tuple(conditions)
    if len(names) > 63:
        raise ValueError(f"{len(names)} conditions, but at most 63 fit into a 64-bit integer")
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
