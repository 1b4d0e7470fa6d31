"""The change log: one table for every stage that changes a value.

A change names the value before and after, its rule and its evidence; the changes of one field of one
specimen are numbered in the order in which they were made, so undoing them from the last to the first gives
back the delivered value.
"""

from collections.abc import Sequence

import polars as pl

from bioscan_etl import schema

RULESET = "1"

_COLUMNS = [name for name in schema.CHANGES.names() if name not in {"step", "ruleset"}]


def number_changes(stages: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put the changes of several stages into one log.

    Args:
        stages: frames with the columns of `schema.CHANGES`, in the order of the stages; `step` and `ruleset` may
            be absent. Within a stage, `step` orders the changes of a field.

    Returns:
        `schema.CHANGES`, sorted by processid, field, step; steps numbered from 0 per field and specimen.
    """
    parts = [
        frame.select(
            *_COLUMNS,
            stage=pl.lit(number),
            within=pl.col("step") if "step" in frame.columns else pl.lit(0, dtype=pl.Int32),
        )
        for number, frame in enumerate(stages)
    ]
    empty = schema.CHANGES.empty().select(*_COLUMNS, stage=pl.lit(0), within="step")
    log = pl.concat([empty, *parts], how="vertical_relaxed").sort("processid", "field", "stage", "within", "rule")
    return schema.CHANGES.conform(
        log.with_columns(
            step=pl.int_range(pl.len(), dtype=pl.Int32).over("processid", "field"),
            ruleset=pl.lit(RULESET),
        )
    )
