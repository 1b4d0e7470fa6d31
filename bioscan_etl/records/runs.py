"""Sorting rows by process ID where they do not fit into memory, and writing them in fixed row groups.

Belongs here: spilling to scratch files and merging them. Does not belong here: which rows are wanted
(`extract`). Rows are collected into runs, each sorted and spilled when it is full; the runs are then read
range by range of process IDs, so that each row passes the disk once. Where all rows fit into one run nothing
is spilled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from bioscan_etl.errors import InvariantError

ROW_GROUP = 100_000
"""Rows of a Parquet row group (spec: the release)."""

RUN_BYTES = 512 << 20
RANGE_ROWS = 2 * ROW_GROUP
_RUN_ROW_GROUP = 8192
_SPILL_BYTES = 64 << 20


class Runs:
    """Rows with a `processid`, `source` and `source_line`, of any further columns; the last two are their key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[pl.DataFrame] = []
        self._bytes = 0
        self._spilled: list[Path] = []
        self.columns: dict[str, None] = {}

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows in; spill a sorted run where enough have come together."""
        self.columns |= dict.fromkeys(rows.columns)
        self._held.append(rows)
        self._bytes += int(rows.estimated_size())
        if self._bytes >= RUN_BYTES:
            path = self._folder / f"run-{len(self._spilled)}.parquet"
            self._gather().write_parquet(
                path, compression="lz4", row_group_size=_RUN_ROW_GROUP, statistics=True, use_pyarrow=False
            )
            self._spilled.append(path)
            self._held, self._bytes = [], 0

    def _gather(self) -> pl.DataFrame:
        held = [rows for rows in self._held if rows.height] or self._held[:1]
        if not held:
            return pl.DataFrame(schema={"source": pl.UInt32, "source_line": pl.Int64, "processid": pl.String})
        return pl.concat(held, how="diagonal").sort("processid", maintain_order=True)

    def _lazy(self) -> list[pl.LazyFrame]:
        if not self._held and self._spilled:
            return [pl.scan_parquet(path) for path in self._spilled]
        if len(self._held) != 1 or not self._held[0]["processid"].flags["SORTED_ASC"]:
            self._held = [self._gather()]
        return [*(pl.scan_parquet(path) for path in self._spilled), self._held[0].lazy()]

    def select(self, processids: pl.Series, *columns: pl.Expr) -> pl.DataFrame:
        """Expressions over the rows of some process IDs, in no particular order."""
        wanted = processids.to_frame("processid").lazy()
        parts = [part.join(wanted, on="processid", how="semi").select(columns) for part in self._lazy()]
        return pl.concat(pl.collect_all(parts))

    def merge(
        self,
        chosen: pl.DataFrame,
        finish: Callable[[pl.DataFrame], pl.DataFrame],
        schema: Mapping[str, pl.DataType],
        path: Path,
    ) -> int:
        """Write the chosen rows to a Parquet file, in the order of `chosen`, in row groups of `ROW_GROUP`.

        Args:
            chosen: sorted by processid, which is unique; keys processid, source, source_line, and columns that
                are added to the rows.
            finish: makes the final columns out of rows.
            schema: the columns `finish` makes.
            path: file to write.

        Returns:
            The number of rows written.
        """

        def ranges(
            with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
        ) -> Iterator[pl.DataFrame]:
            del batch_size
            for start in range(0, chosen.height if n_rows is None else min(n_rows, chosen.height), RANGE_ROWS):
                rows = finish(self._range(chosen.slice(start, RANGE_ROWS)))
                rows = rows if predicate is None else rows.filter(predicate)
                yield rows if with_columns is None else rows.select(with_columns)

        if not chosen.height:
            pl.DataFrame(schema=schema).write_parquet(path, row_group_size=ROW_GROUP)
            return 0
        source = register_io_source(ranges, schema=pl.Schema(schema))
        source.sink_parquet(path, row_group_size=ROW_GROUP, maintain_order=True)
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())

    def _range(self, chosen: pl.DataFrame) -> pl.DataFrame:
        first, last = chosen["processid"][0], chosen["processid"][-1]
        between = pl.col("processid").is_between(pl.lit(first), pl.lit(last))
        parts = pl.collect_all([part.filter(between) for part in self._lazy()])
        rows = pl.concat(parts, how="diagonal").drop("processid")
        joined = chosen.join(rows, on=["source", "source_line"], how="left", maintain_order="left")
        if joined["record_id"].null_count():
            raise InvariantError(f"rows between {first} and {last} were lost on the way to the records table")
        return joined


class Spill:
    """Rows kept in the order they come, in scratch files where they are many."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._held: list[pl.DataFrame] = []
        self._bytes = 0
        self._spilled: list[Path] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows in."""
        if not rows.height:
            return
        self._held.append(rows)
        self._bytes += int(rows.estimated_size())
        if self._bytes >= _SPILL_BYTES:
            path = self._folder / f"{self._name}-{len(self._spilled)}.parquet"
            pl.concat(self._held).write_parquet(path, compression="lz4")
            self._spilled.append(path)
            self._held, self._bytes = [], 0

    def parts(self) -> list[pl.LazyFrame]:
        """All rows, in order."""
        return [*(pl.scan_parquet(path) for path in self._spilled), *(rows.lazy() for rows in self._held)]
