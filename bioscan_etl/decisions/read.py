"""Reading the decisions of a corpus.

Belongs here: the files, the form of a line, and lines that contradict each other. Does not belong here: whether a
specimen or a name exists, which each stage knows of its own data.

A file is refused as a whole only if it is no table of decisions. A line of the wrong form is left out alone. Lines of
several files count as one list: equal ones count once, and of lines that contradict each other none applies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import polars as pl

from bioscan_etl.decisions.csv_lines import LONGEST, Form, line_id, read_tables
from bioscan_etl.decisions.values import box_of, coordinates
from bioscan_etl.decisions.vocabulary import ACTIONS, BARCODE_OF, COLUMNS, REASONS, REQUIRED, Action, keeps_spelling
from bioscan_etl.geography.countries import iso_of_name
from bioscan_etl.printable import printable
from bioscan_etl.processids import reasons_unfit
from bioscan_etl.schema import BIN_PATTERN, DECISIONS
from bioscan_etl.taxonomy.curator_names import label_problem
from bioscan_etl.vocabulary import RANKS

_ABOUT = ("processid", "name", "group")
_TARGET = ("processid", "rank", "name", "group")
_EVIDENCE = re.compile(r"[0-9a-f]{16}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of a corpus.

    Attributes:
        lines: `schema.DECISIONS`, by file and line.
        refused: `csv_lines.REFUSED`, files that are no table of decisions.
    """

    lines: pl.DataFrame
    refused: pl.DataFrame

    @property
    def usable(self) -> pl.DataFrame:
        """Lines that have no problem, by `id`; of lines that say the same, the earliest."""
        right = self.lines.filter(pl.col("problem").is_null()).sort("date", "file", "line")
        said = [*_TARGET, "action", "field", "value"]
        return right.unique(said, keep="first", maintain_order=True).sort("id")


def read_decisions(texts: Mapping[str, str], unreadable: Mapping[str, str] | None = None) -> Decisions:
    """Read files of decisions.

    Columns, in any order: those of `vocabulary.COLUMNS`; `vocabulary.REQUIRED` and one that names what the lines are
    about must be there. The words are those of `vocabulary`. `date` is YYYY-MM-DD.

    Args:
        texts: the text of each file by its name.
        unreadable: why a file has no text, by its name.

    Returns:
        All lines, and the files that are refused.
    """
    rows, refused = read_tables(texts, unreadable, form())
    frame = pl.DataFrame(rows, schema=DECISIONS.schema())
    return Decisions(mark_contradictions(frame), refused)


def form() -> Form:
    """The form of a file of decisions."""
    return Form(COLUMNS, REQUIRED, _ABOUT, line_problems)


def decision_id(cells: Mapping[str, str | None]) -> str:
    """16 hexadecimal digits that identify the content of a line."""
    return line_id(cells, COLUMNS)


def line_problem(cells: Mapping[str, str | None]) -> str | None:
    """Why a line has the wrong form, and what to write; None if it is right.

    Args:
        cells: by column of `COLUMNS`; None is blank.
    """
    return line_problems([cells])[0]


def line_problems(lines: Sequence[Mapping[str, str | None]]) -> list[str | None]:
    """`line_problem` of each line. Process IDs are judged together: one by one, 100,000 lines would take a minute."""
    named = (
        text
        for cells in lines
        for text in (cells.get("processid"), (cells.get("group") or "").removeprefix(BARCODE_OF))
        if text
    )
    unfit = reasons_unfit(named)
    return [_problem(cells, unfit) for cells in lines]


def _problem(cells: Mapping[str, str | None], unfit: Mapping[str, str]) -> str | None:
    action = ACTIONS.get(cells["action"] or "")
    problem = _text_problem(cells) or _words_problem(cells)
    if problem is None and action is not None:
        problem = (
            _target_problem(cells, action, unfit) or _field_problem(cells, action) or _value_problem(cells, action)
        )
    return problem


def _text_problem(cells: Mapping[str, str | None]) -> str | None:
    for column, value in cells.items():
        if value is not None and len(value) > LONGEST:
            return f"{column} has more than {LONGEST:,} characters"
        if value is not None and printable(value) != value:
            return f"{column} holds characters that cannot be seen: {printable(value)[:100]}"
    return None


def _words_problem(cells: Mapping[str, str | None]) -> str | None:
    problem = None
    if missing := [column for column in REQUIRED if not cells.get(column)]:
        problem = f"{', '.join(missing)} is missing"
    elif cells["action"] not in ACTIONS:
        problem = f"unknown action {cells['action']!r}; actions are {', '.join(ACTIONS)}"
    elif cells["reason"] not in REASONS:
        problem = f"unknown reason {cells['reason']!r}; reasons are {', '.join(REASONS)}; say more in note"
    elif not _is_date(cells["date"] or ""):
        problem = f"date {cells['date']!r} is not YYYY-MM-DD"
    elif (evidence := cells.get("evidence")) and not _EVIDENCE.fullmatch(evidence):
        problem = f"evidence {evidence!r} is not the fingerprint of the desk; leave it blank"
    return problem


def _target_problem(cells: Mapping[str, str | None], action: Action, unfit: Mapping[str, str]) -> str | None:
    processid, rank, name, group = (cells.get(column) for column in ("processid", "rank", "name", "group"))
    given = [word for word, there in (("specimen", processid), ("name", rank or name), ("group", group)) if there]
    wanted = {"specimen": "processid", "name": "rank and name", "group": "group"}
    if len(given) != 1 or given[0] not in action.targets:
        allowed = " or ".join(wanted[one] for one in action.targets)
        return f"{cells['action']} needs {allowed}" + (", and only one of them" if len(given) > 1 else "")
    if processid and (why := unfit.get(processid)):
        return f"processid {processid!r} {why}"
    if given == ["name"]:
        if not (rank and name):
            return "give rank and name"
        if rank not in RANKS:
            return f"unknown rank {rank!r}; ranks are {', '.join(RANKS)}"
    if group and not re.fullmatch(BIN_PATTERN, group):
        member = group.removeprefix(BARCODE_OF)
        if not group.startswith(BARCODE_OF) or not member or member in unfit:
            return f"group {group!r} is neither a BIN (BOLD:AAA1234) nor a barcode ({BARCODE_OF} and a process ID)"
    return None


def _field_problem(cells: Mapping[str, str | None], action: Action) -> str | None:
    field = cells.get("field")
    if field is None:
        return None if action.blank_field else f"{cells['action']} needs field: {', '.join(action.fields)}"
    if action.fields == ("*",):
        return None if _FIELD.fullmatch(field) else f"field {field!r} is no rule"
    if not action.fields:
        return f"{cells['action']} takes no field, but it is {field!r}"
    return None if field in action.fields else f"unknown field {field!r}; fields are {', '.join(action.fields)}"


def _value_problem(cells: Mapping[str, str | None], action: Action) -> str | None:
    value, field, name = cells.get("value"), cells.get("field"), cells["action"]
    if value is None:
        return f"{name} needs a value" if action.value == "some" else None
    if action.value == "none":
        return f"{name} takes no value, but it is {value!r}"
    problem = None
    if name == "box":
        form = "four whole numbers of pixels: left top right bottom, right and bottom the larger ones"
        problem = None if box_of(value) else f"box {value!r} is not {form}"
    elif name == "merge":
        problem = _label_problem(value, cells["rank"] or "")
        if problem is None and value == cells["name"]:
            problem = "name and value are the same"
    elif name == "relabel":
        problem = _label_problem(value, field or "")
    elif field == "coord":
        problem = None if coordinates(value) else f"coord {value!r} is not latitude, longitude, such as 9.93, -84.08"
    elif field == "country" and not _is_country(value):
        problem = f"country {value!r} is no country of ISO 3166-1; write its English name"
    return problem


# Many lines give the same country or label, and each is judged by expressions that are made for columns.
_label_problem = cache(label_problem)


@cache
def _is_country(name: str) -> bool:
    return pl.select(iso_of_name(pl.lit(name))).item() is not None


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Find again what is wrong with the form of lines.

    Args:
        lines: `schema.DECISIONS`.

    Returns:
        The same lines with `id` and `problem` as reading them gives.
    """
    given = [{name: row[name] for name in COLUMNS} for row in lines.to_dicts()]
    problems = pl.Series(line_problems(given), dtype=pl.String)
    ids = pl.Series([decision_id(cells) for cells in given], dtype=pl.String)
    return mark_contradictions(lines.select(DECISIONS.names()).with_columns(id=ids, problem=problems))


def mark_contradictions(frame: pl.DataFrame) -> pl.DataFrame:
    """Give lines that contradict each other a problem that names the other.

    Lines are about one question if they have the same target and subject: `accept`, `reject` are about the release of a
    specimen, `merge` and `keep` of a spelling about the name's spelling, every other about its field. They contradict
    each other if action or value differ.
    """
    subject = (
        pl.when(pl.col("action").is_in(["accept", "reject"]))
        .then(pl.lit("release"))
        .when((pl.col("action") == "merge") | keeps_spelling())
        .then(pl.lit("spelling"))
        .when(pl.col("action") == "keep")
        .then(pl.format("doubt {}", pl.col("field").fill_null("")))
        .when(pl.col("action") == "box")
        .then(pl.lit("box"))
        .otherwise(pl.format("field {}", pl.col("field").fill_null("")))
    )
    # `accept` of one gate does not contradict that of another.
    answer = pl.concat_str(pl.col("action"), pl.col("value").fill_null(""), separator="\t")
    asked = frame.with_row_index("row").with_columns(subject=subject, answer=answer)
    good = asked.filter(pl.col("problem").is_null())
    keys = [*(pl.col(name).fill_null("") for name in _TARGET), pl.col("subject")]
    place = pl.format("{}, line {}", "file", "line")
    split = good.with_columns(
        answers=pl.col("answer").n_unique().over(keys),
    ).filter(pl.col("answers") > 1)
    if split.is_empty():
        return frame
    named = {
        row: _contradiction(row, group)
        for group in split.with_columns(place=place).partition_by([*_TARGET, "subject"], maintain_order=True)
        for row in group["row"].to_list()
    }
    said = pl.Series([named.get(row) for row in range(frame.height)], dtype=pl.String)
    return frame.with_columns(problem=pl.coalesce("problem", said))


def _contradiction(row: int, group: pl.DataFrame) -> str:
    own = group.row(by_predicate=pl.col("row") == row, named=True)
    other = group.filter(pl.col("answer") != own["answer"]).row(0, named=True)
    says = " ".join(filter(None, (other["action"], other["field"], other["value"])))
    return f"contradicts {other['place']}, which says {says!r}; neither applies until one of them is taken away"
