"""Tables of statistics as files.

Belongs here: how a table is written. Does not belong here: what it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bioscan_etl.io.write import atomic_file
from bioscan_etl.quality.spreadsheet import write_spreadsheet


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> list[Path]:
    """Write each table as `<name>.csv`, which is safe to open in a spreadsheet, and `<name>.parquet`.

    Returns:
        The paths, by table.
    """
    paths = []
    for name, table in tables.items():
        csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
        write_spreadsheet(csv, table)
        with atomic_file(parquet) as stream:
            table.write_parquet(stream, compression="zstd")
        paths += [csv, parquet]
    return paths
