"""What expectations found, as it is kept and shown.

Belongs here: the shape of a result, and reading results back. Does not belong here: evaluating expectations
(`validate`); code that only shows results depends on this module alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RESULTS = "results.json"
"""The file of the stage `curated_expectations` that holds the results."""

SAMPLE = 10
"""Failing rows that a result shows at most."""


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What one expectation found.

    Attributes:
        id: of the `ExpectationRule`, unique within a table.
        statement: what a failing row has wrong.
        column: the columns it looks at, joined by a comma and a blank; empty for the whole table.
        severity: blocking or warning.
        success: whether no row fails.
        element_count: rows looked at; columns, for the order of columns.
        unexpected_count: rows that fail.
        unexpected_percent: failing rows per 100 rows, those without a value included.
        sample: the first `SAMPLE` failing rows by process ID, as "processid: value", values cut at 120 characters.
    """

    id: str
    statement: str
    column: str
    severity: Literal["blocking", "warning"]
    success: bool
    element_count: int
    unexpected_count: int
    unexpected_percent: float
    sample: tuple[str, ...] = ()


def read_results(path: Path) -> list[ExpectationResult]:
    """The results that a file such as `RESULTS` holds, in their order.

    Raises:
        OSError: there is no such file.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    return [ExpectationResult(**result | {"sample": tuple(result["sample"])}) for result in found]
