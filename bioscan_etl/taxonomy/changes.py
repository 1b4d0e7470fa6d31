"""Changes of the curation steps: differences between two states of the labels, and undoing them.

Belongs here: the rows that become `schema.CHANGES`. Does not belong here: why a label changed; each step
provides its notes.

States of the labels are frames with the seven ranks and a key column (a record's row, or a combination of
labels), in the same order of rows.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.changes import number_changes
from bioscan_etl.errors import InvariantError
from bioscan_etl.taxonomy.names import name_table
from bioscan_etl.vocabulary import RANKS

# A record's row number, the rank, the label before and after, the rule and its evidence.
LOG = pl.Schema(
    {
        "row": pl.UInt32,
        "field": pl.String,
        "before": pl.String,
        "after": pl.String,
        "rule": pl.String,
        "evidence": pl.String,
    }
)
# Why the label of a rank changed, for a row, a barcode group or a combination of labels.
NOTES = pl.Schema({"key": pl.UInt32, "field": pl.String, "rule": pl.String, "evidence": pl.String})


def differences(before: pl.DataFrame, after: pl.DataFrame, notes: pl.DataFrame, key: str) -> pl.DataFrame:
    """List the cells in which two states of the labels differ.

    Args:
        before: `key`, `row` if there is one, and the ranks.
        after: the ranks; the same number and order of rows.
        notes: `NOTES`; one row per key and field that changed.
        key: the column of `before` that the notes' `key` refers to.

    Returns:
        `LOG`; with `key` instead of `row` if `before` has no `row`.
    """
    identity = list(dict.fromkeys(name for name in ("row", key) if name in before.columns))
    parts = []
    for rank in RANKS:
        cells = before.select(*identity, before=rank).with_columns(after=after[rank])
        cells = cells.filter(pl.col("before").ne_missing(pl.col("after")))
        reasons = notes.filter(pl.col("field") == rank).select(pl.col("key").alias(key), "rule", "evidence")
        parts.append(
            cells.join(reasons, on=key, how="left")
            .with_columns(field=pl.lit(rank))
            .select(identity[0], "field", "before", "after", "rule", "evidence")
        )
    return pl.concat(parts)


def overlaid(labels: pl.DataFrame, new: pl.DataFrame, key: str) -> pl.DataFrame:
    """Replace the labels of some rows.

    Args:
        labels: `key` and the ranks.
        new: `key`, each value once, and the ranks.
        key: a column, nulls allowed in `labels`.

    Returns:
        `labels` in their order, with the labels of `new` in the rows that have one of its keys.
    """
    places = new.select(key).with_row_index("_place")
    at = labels.select(key).join(places, on=key, how="left", maintain_order="left")["_place"]
    hit = at.is_not_null()
    # One rank after the other: a join of all would hold the labels of millions of records twice.
    for rank in RANKS:
        labels = labels.with_columns(pl.when(hit).then(new[rank].gather(at)).otherwise(pl.col(rank)).alias(rank))
    return labels


def name_changes(specimens: pl.DataFrame) -> list[pl.DataFrame]:
    """The steps from the delivered labels to the normalised ones.

    If repeating the steps of a name does not give the normalised label (a table made by other rules, or a
    correction by another stage), it gets one step with the rule NAME_NORMALISED.

    Args:
        specimens: `row`, `<rank>_verbatim` and the ranks.

    Returns:
        `LOG` frames, in the order in which the steps were taken.
    """
    logs: list[pl.DataFrame] = []
    for rank in RANKS:
        cells = specimens.select("row", before=f"{rank}_verbatim", after=rank)
        cells = cells.filter(pl.col("before").ne_missing(pl.col("after"))).with_columns(field=pl.lit(rank))
        table = name_table(cells["before"], rank).rename({"after": "retaken"}).select("before", "retaken", "steps")
        cells = cells.join(table, on="before", how="left")
        known = pl.col("retaken").eq_missing(pl.col("after")) & (pl.col("steps").list.len() > 0)
        if rank == "species":
            # The record's species_reference may have confirmed the author (`names.normalise_names`).
            unknown = cells.filter(~known.fill_null(False))["before"]
            also = name_table(unknown, rank, confirmed=True).select("before", _retaken="after", _steps="steps")
            hit = ~known.fill_null(False) & pl.col("_retaken").eq_missing(pl.col("after"))
            cells = cells.join(also, on="before", how="left").select(
                "row",
                "before",
                "after",
                "field",
                retaken=pl.when(hit).then("_retaken").otherwise("retaken"),
                steps=pl.when(hit).then("_steps").otherwise("steps"),
            )
        other = cells.filter(~known.fill_null(False))
        logs.append(
            other.select(
                "row", "field", "before", "after", rule=pl.lit("NAME_NORMALISED"), evidence=pl.lit(None, pl.String)
            )
        )
        left = cells.filter(known.fill_null(False)).select("row", "field", "before", "steps")
        while left.height:
            step = pl.col("steps").list.first()
            logs.append(
                left.select(
                    "row",
                    "field",
                    "before",
                    after=step.struct.field("after"),
                    rule=step.struct.field("rule"),
                    evidence=pl.lit(None, pl.String),
                )
            )
            left = left.select(
                "row", "field", before=step.struct.field("after"), steps=pl.col("steps").list.slice(1)
            ).filter(pl.col("steps").list.len() > 0)
    return logs


def change_log(logs: list[pl.DataFrame], processids: pl.Series) -> pl.DataFrame:
    """Number the changes of all stages.

    Args:
        logs: `LOG` frames, in the order of the stages.
        processids: process ID by row number.

    Returns:
        `schema.CHANGES`.
    """
    return number_changes(
        [log.cast(LOG).with_columns(processid=processids.gather(log["row"])) for log in logs if log.height]
    )


def undo(frame: pl.DataFrame, changes: pl.DataFrame, fields: tuple[str, ...] = RANKS) -> pl.DataFrame:
    """Apply the change log backwards.

    Args:
        frame: `processid` and the fields, with their final values.
        changes: `schema.CHANGES`; changes of other fields are ignored.
        fields: String columns to restore.

    Returns:
        The frame with the fields as they were before their first change, row order kept.

    Raises:
        InvariantError: the log is inconsistent: a step does not start from the result of the step before it,
            the last step does not give the final value, or a specimen is not in the frame.
    """
    log = changes.filter(pl.col("field").is_in(fields)).sort("processid", "field", "step")
    starts = (pl.struct("processid", "field") != pl.struct("processid", "field").shift()).fill_null(True)
    log = log.with_columns(starts=starts)
    broken = log.filter(~pl.col("starts") & pl.col("before").ne_missing(pl.col("after").shift()))
    if broken.height:
        raise InvariantError(_misfit(broken, "does not start from the value that the step before it left"))
    last = log.filter(pl.col("starts").shift(-1, fill_value=True))
    ends = log.filter("starts").select("processid", "field", "before").hstack(last.select("after", "step"))
    rows = frame.select("processid").with_row_index("_row")
    ends = ends.join(rows, on="processid", how="left")
    stray = ends.filter(pl.col("_row").is_null())
    if stray.height:
        raise InvariantError(_misfit(stray, "belongs to no specimen of the table"))
    restored = {}
    for field in fields:
        first = ends.filter(pl.col("field") == field).select(
            "_row", "field", "step", _before="before", _after="after", _changed=pl.lit(True)
        )
        if not first.height:
            continue
        rows = frame.select("processid", field).with_row_index("_row")
        joined = rows.join(first, on="_row", how="left", maintain_order="left")
        misfit = joined.filter(pl.col("_changed") & pl.col("_after").ne_missing(pl.col(field)))
        if misfit.height:
            raise InvariantError(_misfit(misfit, f"does not leave the value of the table, {misfit[field][0]!r}"))
        restored[field] = joined.select(pl.when("_changed").then("_before").otherwise(field).alias(field)).to_series()
    return frame.with_columns(**restored)


def _misfit(rows: pl.DataFrame, what: str) -> str:
    row = rows.row(0, named=True)
    return (
        f"change log: step {row['step']} of {row['field']} of {row['processid']} {what} "
        f"({rows.height} such); curate again from the specimens"
    )
