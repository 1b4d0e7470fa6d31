"""The curators' decisions of two releases: which lines are new, which were taken away, and what that did.

Belongs here: comparing the lists. Does not belong here: values that differ (`compare`), and the wording (`changelog`).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.errors import SourceError
from bioscan_etl.io.write import atomic_file
from bioscan_etl.quality.spreadsheet import escape_formulas
from bioscan_etl.release.core import DECIDED
from bioscan_etl.release.scan import ReleaseTables

_STATED = ("id", "action", "field", "value", "reason", "curator", "status", "specimens", "detail")
_ORDER = ("new", "taken away", "changed")
DECISION_CHANGES = pl.Schema(
    {
        "change": pl.String(),
        "about": pl.String(),
        "decision": pl.String(),
        "reason": pl.String(),
        "curator": pl.String(),
        "was": pl.String(),
        "is": pl.String(),
        "detail": pl.String(),
        "specimens": pl.Int64(),
    }
)


def decision_changes(before: ReleaseTables, after: ReleaseTables) -> pl.DataFrame:
    """The lines that came, went, or that another thing became of.

    Args:
        before: the earlier release.
        after: the later one.

    Returns:
        `DECISION_CHANGES`: `change` (new; taken away; changed: the line is in both), `about`, `decision` (action, field
        and value), what became of it in the releases (`was`, `is`; null where it is not), why (`detail`), and the
        `specimens` that it changes, or had changed. In this order of changes, then by what it is about.
    """
    lists = {side: _lines(tables) for side, tables in (("before", before), ("after", after))}
    both = lists["before"].join(lists["after"], on="id", how="full", suffix="_after", coalesce=True)
    came, went = pl.col("status").is_null(), pl.col("status_after").is_null()
    changed = pl.col("status") != pl.col("status_after")
    changed |= pl.col("specimens") != pl.col("specimens_after")
    found = both.with_columns(
        change=pl.when(came)
        .then(pl.lit("new"))
        .when(went)
        .then(pl.lit("taken away"))
        .when(changed)
        .then(pl.lit("changed"))
    ).filter(pl.col("change").is_not_null())
    order = pl.col("change").replace_strict({name: n for n, name in enumerate(_ORDER)}, return_dtype=pl.Int32)
    named = [pl.coalesce(f"{name}_after", name).alias(name) for name in ("about", "decision", "reason", "curator")]
    return (
        found.with_columns(
            *named,
            was="status",
            **{"is": "status_after"},
            detail="detail_after",
            specimens=pl.when(went).then("specimens").otherwise("specimens_after"),
        )
        .sort(order, "about", "decision", "id", nulls_last=True)
        .select(DECISION_CHANGES.names())
        .cast(DECISION_CHANGES)
    )


def decision_counts(changes: pl.DataFrame) -> pl.DataFrame:
    """Number of `lines` by `change` and what became of them (`became`: `is`; of lines taken away: `was`), in order.

    Args:
        changes: `DECISION_CHANGES`.
    """
    became = pl.coalesce("is", "was").alias("became")
    order = pl.col("change").replace_strict({name: n for n, name in enumerate(_ORDER)}, return_dtype=pl.Int32)
    return changes.group_by("change", became).agg(lines=pl.len().cast(pl.Int64)).sort(order, "became")


def write_decisions(changes: pl.DataFrame, output: Path) -> None:
    """Write the lines to a file, atomically.

    Args:
        changes: `DECISION_CHANGES`.
        output: `.parquet`, or `.csv` (with `'` before formula-like texts).

    Raises:
        SourceError: the output has another ending.
    """
    if output.suffix not in {".csv", ".parquet"}:
        raise SourceError(f"--decisions {output} ends in neither .csv nor .parquet; name it accordingly")
    with atomic_file(output) as stream:
        if output.suffix == ".csv":
            escape_formulas(changes).write_csv(stream)
        else:
            changes.write_parquet(stream)


def _lines(tables: ReleaseTables) -> pl.DataFrame:
    """One row per line, by id; of a line that is in two files, the one that counts."""
    frame = tables.table(DECIDED).select(schema.DECISION_LOG.names()).collect()
    repeats = pl.col("status") == "repeats"
    return (
        frame.sort(repeats, "file", "line")
        .unique("id", keep="first", maintain_order=True)
        .with_columns(
            about=pl.coalesce("processid", "group", pl.concat_str("rank", "name", separator=" ", ignore_nulls=True)),
            decision=pl.concat_str("action", "field", "value", separator=" ", ignore_nulls=True),
        )
        .select("about", "decision", *_STATED)
    )
