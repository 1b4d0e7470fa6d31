"""Statistics of the release."""

from __future__ import annotations

from bioscan_etl.release.rows import released_rows
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.tables import statistics, write_tables


def build(work: Work) -> None:
    """Write the tables, as Parquet and CSV."""
    tables = statistics(released_rows(work.release))
    write_tables(tables, work.out.folder)
    work.out.counts |= {name: table.height for name, table in tables.items()}
