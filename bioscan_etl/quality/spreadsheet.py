"""CSV files that are safe to open in a spreadsheet.

Belongs here: lists that curators open. Does not belong here: the release's own CSV, which programs read and which
keeps its values unchanged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.io.tables import read_csv
from bioscan_etl.io.write import atomic_file

# A spreadsheet runs a cell that starts with one of these as a formula (OWASP: CSV injection). A text that begins like
# an escaped one is escaped too, so that reading gives back what was written.
_FORMULA = r"^'*[=+\-@\t\r]"
_ESCAPED = r"^'('*[=+\-@\t\r])"


def escape_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Prefix text that a spreadsheet would run as a formula with `'`, and join lists of text with blanks."""
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
    """Write a CSV (UTF-8, LF) whose formula-like texts are prefixed with `'`; `read_spreadsheet` reads it.

    Args:
        path: the file; written atomically.
        frame: any columns; see `escape_formulas`.
    """
    with atomic_file(path) as stream:
        escape_formulas(frame).write_csv(stream)


def read_spreadsheet(path: Path, **options: Any) -> pl.DataFrame:
    """Read what `write_spreadsheet` wrote, with its texts as they were; `options` are those of `polars.read_csv`."""
    return read_csv(path, **options).with_columns(pl.col(pl.String).str.replace(_ESCAPED, "$1"))
