"""What became of every line of the decisions: one table out of the lines and the effects that the stages state.

Belongs here: combining them. Does not belong here: deciding what a line does.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from bioscan_etl import schema

_SAID = ("processid", "rank", "name", "group", "action", "field", "value")


def outcome(lines: pl.DataFrame, effects: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Every line with what became of it.

    Args:
        lines: `schema.DECISIONS`.
        effects: `schema.DECISION_EFFECTS` of the stages that apply decisions.

    Returns:
        `schema.DECISION_LOG`, by file and line. A line that no stage applies, such as `keep`, is noted.
    """
    told = pl.concat([schema.DECISION_EFFECTS.empty(), *effects])
    right = lines.filter(pl.col("problem").is_null()).sort("date", "file", "line")
    first = right.unique(_SAID, keep="first", maintain_order=True)
    earlier = first.select(*_SAID, first_id="id", first_file="file", first_line="line")
    joined = (
        lines.join(told, on="id", how="left", maintain_order="left")
        .join(earlier, on=_SAID, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(
            repeats=pl.col("problem").is_null()
            & ((pl.col("first_file") != pl.col("file")) | (pl.col("first_line") != pl.col("line")))
        )
    )
    wrong = pl.col("problem").is_not_null()
    status = (
        pl.when(wrong)
        .then(pl.lit("left_out"))
        .when(pl.col("repeats"))
        .then(pl.lit("repeats"))
        .otherwise(pl.col("status").fill_null("noted"))
    )
    detail = (
        pl.when(wrong)
        .then("problem")
        .when(pl.col("repeats"))
        .then(pl.format("says the same as {}, line {}", "first_file", "first_line"))
        .otherwise("detail")
    )
    counted = pl.when(wrong | pl.col("repeats")).then(pl.lit(0)).otherwise(pl.col("specimens").fill_null(0))
    frame = joined.with_columns(status=status, detail=detail, specimens=counted.cast(pl.Int64))
    return schema.DECISION_LOG.conform(frame.sort("file", "line"))
