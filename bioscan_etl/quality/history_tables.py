"""The history of expectations as a table of words: one row per expectation, with its trend over the releases.

Belongs here: that. Does not belong here: where the history is from (`history`), and the page (`report`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_BARS = "▁▂▃▄▅▆▇█"
RELEASES = 8
"""Releases that a trend shows at most, the last ones."""
_BATCHES = 5
"""Failing batches that a row names at most."""


def history_rows(found: pl.DataFrame) -> pl.DataFrame:
    """One row per table and expectation, in the order of `found`.

    Args:
        found: `quality.history.HISTORY`, in its order.

    Returns:
        table, expectation, trend, releases, batches as text, and ever_failed. A bar of the trend is the share of
        failing rows in a release, beside the highest share of the same expectation.
    """
    rows = []
    for (table, expectation), group in found.group_by("table", "expectation", maintain_order=True):
        released = group.filter(pl.col("where").str.starts_with("release ")).tail(RELEASES)
        batches = group.filter(pl.col("where").str.starts_with("batch "))
        rows.append(
            (
                table,
                expectation,
                trend([failing / max(1, of) for failing, of in released.select("failing", "rows").iter_rows()]),
                _released(released),
                _batched(batches),
                not group["passed"].all(),
            )
        )
    names = ("table", "expectation", "trend", "releases", "batches")
    return pl.DataFrame(rows, schema={**dict.fromkeys(names, pl.String()), "ever_failed": pl.Boolean()}, orient="row")


def trend(shares: Sequence[float]) -> str:
    """A bar per value, from none at all to the highest of them.

    >>> trend([0.0, 0.2, 0.1, 0.0001])
    '▁█▅▂'
    """
    highest = max(shares, default=0.0)
    steps = len(_BARS) - 1
    # A value above 0 never looks like none.
    return "".join(_BARS[max(1, round(steps * one / highest)) if one else 0] for one in shares)


def _released(rows: pl.DataFrame) -> str:
    """Failing rows by release."""
    found = rows.select(pl.col("where").str.strip_prefix("release "), "failing", "rows").iter_rows()
    return "; ".join(f"{version}: {_of(failing, of)}" for version, failing, of in found)


def _batched(rows: pl.DataFrame) -> str:
    """How many batches fail, and the first of them."""
    if rows.is_empty():
        return ""
    failed = rows.filter(~pl.col("passed")).select(pl.col("where").str.strip_prefix("batch "), "failing", "rows")
    if failed.is_empty():
        return f"all {rows.height} hold"
    named = ", ".join(f"{batch} ({_of(failing, of)})" for batch, failing, of in failed.head(_BATCHES).iter_rows())
    more = f", {failed.height - _BATCHES} more" if failed.height > _BATCHES else ""
    return f"{failed.height} of {rows.height} fail: {named}{more}"


def _of(failing: int, rows: int) -> str:
    return f"{failing:,} of {rows:,}" if failing else "0"
