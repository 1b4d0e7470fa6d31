"""What expectations found, as it is kept and shown.

Belongs here: the shape of a result, writing results and reading them back. Does not belong here: evaluating
expectations (`validate`); code that only shows results depends on this module alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bioscan_etl.io.write import write_text

RESULTS = "results.json"
"""The file of a stage of expectations that holds its results."""

SAMPLE = 10
"""Failing rows that a result shows at most."""


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What one expectation found.

    Attributes:
        table: name of the table.
        id: of the `ExpectationRule`, unique within a table.
        statement: what holds if no row fails; empty if it was not kept.
        column: the columns it looks at, joined by a comma and a blank; empty for the whole table.
        severity: blocking or warning.
        success: whether no row fails.
        element_count: rows looked at; columns, for the order of columns.
        unexpected_count: rows that fail.
        unexpected_percent: failing rows per 100 rows, those without a value included.
        sample: the first `SAMPLE` failing rows by process ID, as "processid: value", values cut at 120 characters.
    """

    table: str
    id: str
    statement: str
    column: str
    severity: Literal["blocking", "warning"]
    success: bool
    element_count: int
    unexpected_count: int
    unexpected_percent: float
    sample: tuple[str, ...] = ()


def write_results(path: Path, results: Sequence[ExpectationResult], *, prose: bool = True) -> None:
    """Write results as JSON, in their order.

    Args:
        path: the file; written atomically.
        results: of one or several tables.
        prose: also write the statements, so that another wording is another file.
    """
    rows = [asdict(result) for result in results]
    if not prose:
        rows = [{name: value for name, value in row.items() if name != "statement"} for row in rows]
    write_text(path, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def read_results(path: Path) -> list[ExpectationResult]:
    """The results that a file such as `RESULTS` holds, in their order.

    Raises:
        OSError: there is no such file.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    return [ExpectationResult(**{"statement": ""} | result | {"sample": tuple(result["sample"])}) for result in found]
