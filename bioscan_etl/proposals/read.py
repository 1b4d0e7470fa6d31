"""Reading the reports of a corpus.

Belongs here: the files and the form of a line. Does not belong here: whether a batch has the specimen
(`stages.proposals`), and what curators make of a report.

A file is refused as a whole only if it is no table of reports. A line of the wrong form is left out alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from bioscan_etl.decisions.csv_lines import Form, read_tables
from bioscan_etl.decisions.read import line_problems
from bioscan_etl.decisions.vocabulary import COLUMNS as DECISION_COLUMNS
from bioscan_etl.decisions.vocabulary import SETTABLE
from bioscan_etl.printable import printable
from bioscan_etl.schema import PROPOSAL_COLUMNS, PROPOSALS
from bioscan_etl.vocabulary import RANKS

COLUMNS = tuple(column.name for column in PROPOSAL_COLUMNS)
"""Columns of a file of reports."""

REQUIRED = ("processid", "reason", "reporter", "date")
"""Columns that a file must have, and every line must fill."""

BOX = "box"
FIELDS = (*RANKS, *SETTABLE, BOX)
"""Fields for which a report can suggest a value."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """The reports of a corpus.

    Attributes:
        lines: `schema.PROPOSALS`, by file and line; none is unknown yet.
        refused: `decisions.csv_lines.REFUSED`, files that are no table of reports.
    """

    lines: pl.DataFrame
    refused: pl.DataFrame


def read_proposals(texts: Mapping[str, str], unreadable: Mapping[str, str] | None = None) -> Proposals:
    """Read files of reports.

    Columns, in any order: those of `COLUMNS`; `REQUIRED` must be there. Reasons are those of decisions. `field` and
    `value` are what is suggested: a label of a rank, a place, or a box, in the notation of decisions.

    Args:
        texts: the text of each file by its name.
        unreadable: why a file has no text, by its name.
    """
    rows, refused = read_tables(texts, unreadable, Form(COLUMNS, REQUIRED, (), proposal_problems))
    given = pl.DataFrame(rows, schema={"id": pl.String(), **PROPOSALS.schema(), "problem": pl.String()})
    judged = given.with_columns(
        status=pl.when(pl.col("problem").is_null()).then(pl.lit("doubt")).otherwise(pl.lit("left_out")),
        detail="problem",
    )
    return Proposals(judged.select(PROPOSALS.names()), refused)


def action_of(field: str | None) -> str | None:
    """The action of a decision that takes over a suggestion for a field; None if nothing is suggested."""
    if field is None:
        return None
    return BOX if field == BOX else "relabel" if field in RANKS else "set"


def suggestion(field: str | None, value: str | None) -> str | None:
    """A suggestion in words, as a doubt has it: `species: Aedes vexans`; `country:` if the field should be blank."""
    return None if field is None else f"{field}: {value or ''}".rstrip()


def proposal_problems(lines: Sequence[Mapping[str, str | None]]) -> list[str | None]:
    """Why each line has the wrong form, and what to write; None if it is right.

    What is suggested must be what a curator could decide: it is judged as that decision.

    Args:
        lines: cells by column of `COLUMNS`; None is blank.
    """
    own = [_own_problem(cells) for cells in lines]
    decisions = [_as_decision(cells) for cells, problem in zip(lines, own, strict=True) if problem is None]
    judged = iter(line_problems(decisions))
    found = (next(judged) if problem is None else problem for problem in own)
    return [None if problem is None else re.sub("^curator ", "reporter ", problem) for problem in found]


def _own_problem(cells: Mapping[str, str | None]) -> str | None:
    field = cells.get("field")
    if missing := [column for column in REQUIRED if not cells.get(column)]:
        return f"{', '.join(missing)} is missing"
    if field is not None and field not in FIELDS:
        shown = printable(field)[:100]
        return f"unknown field {shown!r}; fields are {', '.join(FIELDS)}; leave it blank if you suggest no value"
    if field is None and cells.get("value"):
        return "there is a value, but no field that it is for"
    return None


def _as_decision(cells: Mapping[str, str | None]) -> dict[str, str | None]:
    field = cells.get("field")
    return dict.fromkeys(DECISION_COLUMNS) | {
        "processid": cells["processid"],
        "action": action_of(field) or "keep",
        "field": None if field == BOX else field,
        "value": cells.get("value"),
        **{name: cells.get(name) for name in ("reason", "note", "date")},
        "curator": cells["reporter"],
    }
