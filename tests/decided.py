"""Lines of decisions for tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.decisions.vocabulary import COLUMNS

HEADER = ",".join(COLUMNS) + "\n"
TAIL = {"reason": "checked", "curator": "E. Stur", "date": "2025-01-31"}


def csv_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> str:
    """A file of decisions; reason, curator and date need not be given."""
    frame = pl.DataFrame(
        [dict.fromkeys(columns) | TAIL | dict(row) for row in rows], schema=dict.fromkeys(columns, pl.String)
    )
    return frame.write_csv()


def decisions(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Usable lines; each row must be one."""
    found = read_decisions({"a.csv": csv_of(rows)})
    assert found.refused.is_empty()
    assert found.lines["problem"].drop_nulls().to_list() == []
    return found.usable
