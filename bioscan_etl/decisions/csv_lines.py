"""Tables that people write as CSV: a broken record hides no other, and a file is refused only if it is no such table.

Belongs here: splitting text into records, the columns, and the id of a line. Does not belong here: what the cells mean
(`decisions.read`, `proposals.read`).

A quoted cell may contain line breaks, but an unclosed quote must not swallow the lines after it: no record extends over
a line that is a record itself.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile

import polars as pl

from bioscan_etl.printable import printable

REFUSED = pl.Schema(dict.fromkeys(("file", "problem"), pl.String()))
"""Files that are no such table, and why."""

LONGEST = 2_000
"""Characters of a cell."""

Cells = dict[str, str | None]
"""Cells by column; None is blank."""
Row = dict[str, str | int | None]
"""A line as a row of a table."""


@dataclass(frozen=True, slots=True)
class CsvLine:
    """A record.

    Attributes:
        line: number of its first line, the first of the file being 1.
        text: the record as it is in the file.
        cells: its cells, without blanks around them.
        broken: why it cannot be read; empty if it can.
    """

    line: int
    text: str
    cells: list[str]
    broken: str = ""


def split_lines(text: str) -> list[str]:
    """Lines including their line feed; CR and CR LF end a line too."""
    return [f"{line}\n" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def cells_of(line: str) -> list[str]:
    """Cells of a single line, without blanks around them; none if its quotes do not match."""
    try:
        return _stripped(next(csv.reader([line], strict=True)))
    except (csv.Error, StopIteration):
        return []


def records(lines: Sequence[str], width: int, first: int = 2) -> Iterator[CsvLine]:
    """Split lines into records; each line is part of exactly one.

    Args:
        lines: lines including their line feed, without the header.
        width: number of cells of a record.
        first: number of the first of the lines.
    """
    start = 0
    while start < len(lines):
        following = (lines[number] for number in range(start + 1, len(lines)))
        # The lines that the reader may consume while a quote is open.
        within = takewhile(lambda line: len(cells_of(line)) != width, following)
        reader = csv.reader(chain([lines[start]], within), strict=True)
        cells, broken, end = [], "", start + 1
        try:
            cells = _stripped(next(reader))
            end = start + reader.line_num
        except csv.Error as error:
            broken = str(error)
        except StopIteration:  # a blank line
            pass
        yield CsvLine(start + first, "".join(lines[start:end]).rstrip("\n"), cells, broken)
        start = end


def _stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells]


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a table that people write.

    Attributes:
        columns: in any order; no other may be there. One is `note`.
        required: columns that must be there.
        about: of these, one must be there; empty: no such rule.
        problems: why the cells of each line have the wrong form, and what to write; None if they are right.
    """

    columns: Sequence[str]
    required: Sequence[str]
    about: Sequence[str]
    problems: Callable[[Sequence[Cells]], list[str | None]]


def read_tables(
    texts: Mapping[str, str], unreadable: Mapping[str, str] | None, form: Form
) -> tuple[list[Row], pl.DataFrame]:
    """Read files of a form; they count as one list.

    Args:
        texts: the text of each file by its name.
        unreadable: why a file has no text, by its name.
        form: of all of them.

    Returns:
        A row per line: `id`, `file`, `line`, the columns, and `problem`; and `REFUSED`.
    """
    rows: list[Row] = []
    refused = list((unreadable or {}).items())
    for name in sorted(texts):
        try:
            rows += _lines_of(name, texts[name], form)
        except ValueError as error:
            refused.append((name, str(error)))
    return rows, pl.DataFrame(sorted(refused), schema=REFUSED, orient="row")


def line_id(cells: Mapping[str, str | None], columns: Iterable[str]) -> str:
    """16 hexadecimal digits that identify the content of a line."""
    content = [cells.get(name) or "" for name in columns]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]


def header_of(first: str, form: Form) -> list[str]:
    """The columns that the first line of a file names.

    Raises:
        ValueError: the file is no table of this form; the message says why.
    """
    header = cells_of(first.removeprefix("\ufeff"))
    unknown = [column for column in header if column not in form.columns]
    twice = sorted({column for column in header if header.count(column) > 1})
    missing = [column for column in form.required if column not in header]
    said = [f"it lacks {', '.join(missing)}"] if missing else []
    said += [f"{printable(', '.join(unknown))[:100]} is unknown"] if unknown else []
    said += [f"{', '.join(twice)} is there twice"] if twice else []
    if not said and form.about and not set(form.about) & set(header):
        said = ["no column names what the lines are about"]
    if said:
        raise ValueError(f"line 1: {'; '.join(said)}; the columns are {', '.join(form.columns)}")
    return header


def judged(name: str, found: Iterable[CsvLine], header: Sequence[str], form: Form) -> Iterator[Row]:
    """A row per record that is not blank: `id`, `file`, `line`, the columns, and `problem`."""
    kept: list[tuple[CsvLine, Cells, str | None]] = []
    for record in found:
        if is_blank(record):
            continue
        cells: Cells = dict.fromkeys(form.columns)
        broken = None
        if record.broken:
            broken = f"cannot be read as CSV ({record.broken}); check its quotes"
        elif len(record.cells) != len(header):
            broken = f"{len(record.cells)} cells instead of {len(header)}"
        else:
            cells |= {column: cell or None for column, cell in zip(header, record.cells, strict=True)}
        kept.append((record, cells, broken))
    problems = iter(form.problems([cells for _, cells, broken in kept if broken is None]))
    for record, cells, broken in kept:
        problem = next(problems) if broken is None else broken
        if problem is not None and not any(cells.values()):
            cells["note"] = record.text[:LONGEST]  # what can be shown of it
        yield {"id": line_id(cells, form.columns), "file": name, "line": record.line, **cells, "problem": problem}


def is_blank(record: CsvLine) -> bool:
    """Whether a record says nothing at all."""
    return not record.broken and not any(record.cells)


def _lines_of(name: str, text: str, form: Form) -> Iterator[Row]:
    first, *rest = split_lines(text)
    header = header_of(first, form)
    yield from judged(name, records(rest, len(header)), header, form)
