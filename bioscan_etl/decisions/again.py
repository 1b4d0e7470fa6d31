"""Reading the decisions of a corpus again and again, as the desk does after each save.

Belongs here: keeping what was read. Does not belong here: what a line means (`read`).

A file is recognised by its text, not by its date: two saves can be within one tick of a clock. Of a file that changed,
only lines that were not there are split into cells and judged. What a line is follows from its text and the header of
its file alone, except for records of several lines and broken ones, which are read again each time. Contradictions are
between lines, so they are looked for among all lines each time.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from bioscan_etl.decisions.csv_lines import (
    REFUSED,
    CsvLine,
    header_of,
    is_blank,
    judged,
    records,
    split_lines,
)
from bioscan_etl.decisions.read import Decisions, form, mark_contradictions
from bioscan_etl.schema import DECISIONS


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was read.

    Attributes:
        text: of the file.
        header: its columns.
        places: row of `rows` by the text of its line, for records of a single whole line.
        rows: `schema.DECISIONS`, contradictions not marked.
        problem: why the file is refused; None if it is not.
    """

    text: str
    header: list[str]
    places: dict[str, int]
    rows: pl.DataFrame
    problem: str | None = None


@dataclass(slots=True)
class Reader:
    """Reads the decisions of a corpus, and keeps what it has read for the next time."""

    _files: dict[str, _File] = field(default_factory=dict)
    _last: Decisions | None = None
    _unreadable: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, texts: Mapping[str, str], unreadable: Mapping[str, str]) -> Decisions:
        """The same as `read.read_decisions`."""
        with self._lock:
            files = {name: self._read(name, text) for name, text in sorted(texts.items())}
            same = files.keys() == self._files.keys() and all(files[name] is self._files[name] for name in files)
            if self._last is None or not same or dict(unreadable) != self._unreadable:
                self._files, self._unreadable = files, dict(unreadable)
                refused = [*unreadable.items(), *((name, one.problem) for name, one in files.items() if one.problem)]
                # One chunk: polars 2.1 panics where `pl.format` meets columns whose chunks differ.
                lines = pl.concat([DECISIONS.empty(), *(one.rows for one in files.values())], rechunk=True)
                listed = pl.DataFrame(sorted(refused), schema=REFUSED, orient="row")
                self._last = Decisions(mark_contradictions(lines), listed)
            return self._last

    def ids(self, name: str, header: Sequence[str]) -> dict[str, str]:
        """Ids of the lines of a file by their text, if it had this header; of records of a single whole line."""
        with self._lock:
            found = self._files.get(name)
            if found is None or found.header != list(header):
                return {}
            ids = found.rows["id"].to_list()
            return {line: ids[place] for line, place in found.places.items()}

    def _read(self, name: str, text: str) -> _File:
        before = self._files.get(name)
        if before is not None and before.text == text:
            return before
        lines = split_lines(text)
        try:
            header = header_of(lines[0], form())
        except ValueError as error:
            return _File(text, [], {}, DECISIONS.empty(), str(error))
        known = before.places if before is not None and before.header == header else {}
        was = before.rows if before is not None and known else DECISIONS.empty()
        picked: list[int] = []
        numbers: list[int] = []
        places: dict[str, int] = {}
        fresh: list[CsvLine] = []
        for number, line, record in split_again(lines[1:], len(header), known):
            if record is not None and is_blank(record):
                continue
            if record is None or (not record.broken and len(record.cells) == len(header) and "\n" not in record.text):
                places[line] = len(picked)
            if record is None:
                picked.append(known[line])
            else:
                picked.append(was.height + len(fresh))
                fresh.append(record)
            numbers.append(number)
        new = pl.DataFrame(list(judged(name, fresh, header, form())), schema=DECISIONS.schema())
        rows = pl.concat([was, new], rechunk=True)[pl.Series(picked, dtype=pl.UInt32)]
        rows = rows.with_columns(line=pl.Series(numbers, dtype=pl.Int64))
        return _File(text, header, places, rows)


def split_again(lines: Sequence[str], width: int, known: Container[str]) -> Iterator[tuple[int, str, CsvLine | None]]:
    """Split lines into records, as `csv_lines.records` does, but those that are known are not parsed.

    No record extends over a line that is a record itself, so a known line is one wherever it is.

    Args:
        lines: lines including their line feed, without the header.
        width: number of cells of a record.
        known: lines that are a record of so many cells.

    Returns:
        Number of the first line of a record (the header is line 1), its text with the line feed, and the record; None
        for a known line.
    """
    at = 0
    while at < len(lines):
        if lines[at] in known:
            yield at + 2, lines[at], None
            at += 1
            continue
        for record in records(lines[at:], width, at + 2):
            yield record.line, f"{record.text}\n", record
            at = record.line - 2 + record.text.count("\n") + 1
            if at < len(lines) and lines[at] in known:
                break
