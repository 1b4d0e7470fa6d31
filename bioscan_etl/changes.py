"""The change log: one table for all stages that change values.

A change records the value before and after, its rule and its evidence. The changes of one field of one
specimen are numbered in the order in which they were made; undoing them from last to first restores the
delivered value.
"""

from collections.abc import Sequence

import polars as pl

from bioscan_etl import schema

RULESET = "2"
"""Version of the rules. 1: a gap between the bases of a barcode became N. 2: it is removed, and logged."""

_COLUMNS = [name for name in schema.CHANGES.names() if name not in {"step", "ruleset"}]


def number_changes(stages: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Combine the changes of several stages into one log.

    Args:
        stages: frames with the columns of `schema.CHANGES`, in the order of the stages; `step` and `ruleset` may
            be missing. Within a stage, `step` orders the changes of a field.

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
    log = pl.concat([empty, *parts], how="vertical_relaxed", rechunk=True)
    # Sorting and counting numbers is several times faster than texts, and copies no text.
    keys = log.select(pl.col("processid", "field", "rule").rank("dense"), "stage", "within")
    keys = keys.with_row_index("row").sort("processid", "field", "stage", "within", "rule", maintain_order=True)
    opens = keys.select(
        ((pl.col("processid") != pl.col("processid").shift()) | (pl.col("field") != pl.col("field").shift())).fill_null(
            True
        )
    )
    place = pl.int_range(pl.len(), dtype=pl.Int32)
    step = opens.select(place - pl.when(pl.first()).then(place).forward_fill()).to_series()
    return schema.CHANGES.conform(log[keys["row"]].with_columns(step=step, ruleset=pl.lit(RULESET)))
