"""What every check needs that computes values of a release again with the functions that made them.

Belongs here: when that may be done, and the change log as these checks read it. Does not belong here: any one check.

A release that another version of the package made can be right by its own rules. So a check that computes again asks
first: `Origin.computes` compares the code of the stages, and `all_stated` the settings of a section. If the answer is
no, the check says nothing.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.settings_stated import Stated, log_pieces
from bioscan_etl.settings import Settings

CHANGES = "changes.parquet"


def all_stated(stated: Stated, section: str) -> bool:
    """Whether every setting of a section that decides a result is stated and valid."""
    return all(f"{section}.{name}" in stated for name in Settings().choices(section)[section])


def read_log(root: Path) -> pl.DataFrame:
    """The change log, sorted by process ID, field and step; without rows if it cannot be read."""
    pieces = [schema.CHANGES.empty(), *log_pieces(root, CHANGES, schema.CHANGES, schema.CHANGES.names())]
    log = pl.concat(pieces)
    return log if log["processid"].is_sorted() else log.sort("processid", "field", "step")


def first_before(log: pl.DataFrame, field: str, where: pl.Expr | None = None) -> pl.DataFrame:
    """Per process ID, the value of a field before the first of its changes for which a condition holds.

    Args:
        log: `schema.CHANGES`, sorted.
        field: name of the column.
        where: condition on the changes; all by default.

    Returns:
        processid and before; a process ID whose field has no such change is not in it.
    """
    chosen = log.filter(pl.col("field") == field, *([] if where is None else [where]))
    return chosen.select("processid", "before").unique("processid", keep="first", maintain_order=True)


def restored(values: pl.DataFrame, earlier: pl.DataFrame, field: str) -> pl.Series:
    """The values of a field, exchanged for earlier ones where there are any.

    Args:
        values: processid and the field.
        earlier: processid and before, from `first_before`.
        field: name of the column.
    """
    if earlier.is_empty():
        return values[field]
    joined = values.select("processid", field).join(
        earlier.with_columns(changed=pl.lit(value=True)), on="processid", how="left", maintain_order="left"
    )
    return joined.select(pl.when("changed").then("before").otherwise(field).alias(field)).to_series()


def whole(data: Rows, columns: list[str]) -> pl.DataFrame:
    """Some columns of all specimens, once each."""
    pieces = list(data.pieces(columns))
    frame = pl.concat(pieces) if pieces else pl.DataFrame(schema=dict.fromkeys(["processid", *columns], pl.String))
    return frame.unique("processid", keep="first", maintain_order=True)
