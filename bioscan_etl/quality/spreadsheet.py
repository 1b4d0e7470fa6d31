"""CSV files that are safe to open in a spreadsheet.

Belongs here: lists that curators open by hand. Does not belong here: the release's own CSV, which programs
read and whose values stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bioscan_etl.io.write import atomic_file

# A cell that begins with one of these is run as a formula (OWASP: CSV injection).
_FORMULA = r"^[=+\-@\t\r]"


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with `'` before text that a spreadsheet would run; lists of text are joined by a blank."""
    lists = frame.with_columns(
        pl.col(name).list.join(" ", ignore_nulls=True)
        for name, dtype in frame.schema.items()
        if dtype == pl.List(pl.String)
    )
    return lists.with_columns(
        pl.when(pl.col(name).str.contains(_FORMULA)).then("'" + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, dtype in lists.schema.items()
        if dtype == pl.String
    )


def write_spreadsheet(path: Path, frame: pl.DataFrame) -> None:
    """Write a CSV (UTF-8, LF) in which text that a spreadsheet would run as a formula begins with `'`.

    Args:
        path: the file, which appears whole or not at all.
        frame: any columns; see `harmless`.
    """
    with atomic_file(path) as stream:
        harmless(frame).write_csv(stream)
