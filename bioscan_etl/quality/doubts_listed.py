"""Doubts on the report: counts by state, and the state of what the lists beside the page hold.

Belongs here: these tables. Does not belong here: finding doubts and their state (`bioscan_etl.doubts`), and the page.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.doubts.kinds import KINDS
from bioscan_etl.doubts.state import STATES, count_states

_REPORT = "report"
_LISTED = (
    *("state", "kind", "rule", "processid", "rank", "name", "group", "batch", "specimens", "why", "proposed"),
    *("decided_as", "decided_by", "decided_on", "decided_why"),
)


def state_counts(doubts: pl.DataFrame) -> pl.DataFrame:
    """Doubts by kind and rule: kind (its title), rule, open, changed, decided; those with open ones first.

    Args:
        doubts: of `doubts.state.with_state`.
    """
    titles = {name: kind.title for name, kind in KINDS.items()}
    counts = count_states(doubts).with_columns(pl.col("kind").replace_strict(titles, return_dtype=pl.String))
    waits = (pl.col("open") + pl.col("changed")) > 0
    return counts.with_row_index("row").sort(~waits, "row").drop("row")


def listed(doubts: pl.DataFrame) -> pl.DataFrame:
    """The complete list, open ones first.

    What users wrote of a specimen, and their names, are for the desk: a release is public.

    Args:
        doubts: of `doubts.state.with_state`.
    """
    of_user = pl.col("kind") == _REPORT
    shown = doubts.with_columns(pl.when(~of_user).then(name).alias(name) for name in ("why", "decided_why"))
    return shown.with_row_index("row").sort(_order(), "row").select(_LISTED)


def mark_typos(typos: pl.DataFrame, doubts: pl.DataFrame) -> pl.DataFrame:
    """Add `state` to typos, open ones first; null where a rule has mended the name.

    Args:
        typos: `taxonomy.typos.TYPOS`.
        doubts: of `doubts.state.with_state`.
    """
    states = _worst(doubts.filter(pl.col("kind") == "typo"), "rank", "name", "proposed")
    marked = typos.join(
        states, left_on=["rank", "from", "to"], right_on=["rank", "name", "proposed"], how="left", maintain_order="left"
    )
    return _open_first(marked.with_columns(state=pl.when(~pl.col("fixed")).then("state")))


def mark_conflicts(conflicts: pl.DataFrame, doubts: pl.DataFrame) -> pl.DataFrame:
    """Add `state` to conflicts, open ones first.

    Args:
        conflicts: `taxonomy.conflicts.CONFLICTS`.
        doubts: of `doubts.state.with_state`.
    """
    of_groups = doubts.filter(pl.col("rule").is_in(["BARCODE_CONFLICT", "BIN_CONFLICT_CLEARED"]))
    states = _worst(of_groups.with_columns(first=pl.col("members").list.first()), "rule", "first")
    rule = pl.when(pl.col("within") == "BIN").then(pl.lit("BIN_CONFLICT_CLEARED")).otherwise(pl.lit("BARCODE_CONFLICT"))
    marked = conflicts.with_columns(rule=rule, first=pl.col("processids").list.first())
    return _open_first(marked.join(states, on=["rule", "first"], how="left", maintain_order="left")).drop(
        "rule", "first"
    )


def _worst(doubts: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """The state that asks most for a look, by keys."""
    return doubts.group_by(keys).agg(pl.col("state").sort_by(_order()).first())


def _open_first(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_row_index("row").sort(_order(), "row", nulls_last=True).drop("row")


def _order() -> pl.Expr:
    return pl.col("state").replace_strict(
        {name: n for n, name in enumerate(STATES)}, default=None, return_dtype=pl.Int32
    )
