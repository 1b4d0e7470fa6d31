"""Wide tables of the whole corpus, made and written in slices of process IDs.

Millions of specimens with all their texts do not fit into memory at once. What depends on the whole corpus is
computed from the few columns that it needs; the wide rows are then joined slice by slice, while they are read.
Belongs here: iterating over the slices. Does not belong here: what a row contains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
from polars.io.plugins import register_io_source

from bioscan_etl.progress import Progress, silent
from bioscan_etl.schema import Table
from bioscan_etl.threads import ordered_map

ROW_GROUP = 100_000
"""Rows of a row group in the lake: slices are a multiple of it, because pages begin anew with each slice."""
_ROWS = 3 * ROW_GROUP


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows whose process ID is from `first` to `last`."""

    first: str
    last: str

    @property
    def condition(self) -> pl.Expr:
        """True for the rows of the slice; in a sorted Parquet file, only their row groups are read."""
        return pl.col("processid").is_between(pl.lit(self.first), pl.lit(self.last))

    def of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of the slice in a frame sorted by process ID, found by binary search."""
        ids = frame["processid"]
        return frame[ids.search_sorted(self.first, "left") : ids.search_sorted(self.last, "right")]


def in_slices(
    table: Table,
    processids: pl.Series,
    make: Callable[[Slice], pl.DataFrame],
    progress: Progress = silent,
    rows_each: int | None = None,
) -> pl.LazyFrame:
    """A lazy table that is made slice by slice while it is read, for streaming into a file, or collecting if it fits.

    Args:
        table: the table to make.
        processids: its process IDs, sorted.
        make: returns the rows of a slice, sorted.
        progress: receives the number of finished rows while the table is read.
        rows_each: rows per slice, a multiple of `ROW_GROUP`; None: 300,000. Three slices are in memory at a time: fewer
            rows take less of it, but each slice reads the row groups of its ends anew, of all batches between which
            its process IDs lie.

    Returns:
        The table, sorted by process ID. Reading checks each slice against `table`, and raises its SchemaError.
    """
    each = rows_each or _ROWS
    slices = [
        Slice(processids[start], processids[min(start + each, len(processids)) - 1])
        for start in range(0, len(processids), each)
    ]

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        del size
        left = len(processids) if rows is None else rows
        # The next slice is made while the reader writes this one. Rechunk: Parquet page boundaries follow chunk
        # boundaries, which depend on the thread count.
        done = 0
        for _, made in ordered_map(lambda part: table.conform(make(part)).rechunk(), slices, threads=1, ahead=1):
            done += made.height
            progress(table.name, done, len(processids))
            part = made if predicate is None else made.filter(predicate)
            part = (part if columns is None else part.select(columns)).head(left)
            left -= part.height
            yield part

    return register_io_source(source, schema=table.schema())


def join_by_processid(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of `right` to `left`, joined by process ID; copies nothing if both have the same IDs in order.

    Args:
        left: processid (unique) and other columns.
        right: processid (unique) and other columns; rows without a match in `left` are dropped.

    Returns:
        The rows of `left`, in order.
    """
    if left["processid"].equals(right["processid"]):
        return left.hstack(right.drop("processid"))
    return left.join(right, on="processid", how="left", validate="1:1", maintain_order="left")
