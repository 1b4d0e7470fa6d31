"""What a check found: a fault of a file, and the shape of lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

# Faults of one kind in one file that are listed; the others are counted.
LISTED = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        file: path within the release.
        processid: the specimen it concerns, if it concerns one.
        fault: what is wrong, in words.
    """

    file: str
    processid: str | None
    fault: str

    def __str__(self) -> str:
        return f"{self.file}: {f'{self.processid}: ' if self.processid else ''}{self.fault}"


def capped(faults: Iterable[Fault]) -> Iterator[Fault]:
    """The first faults of one kind, then their number."""
    more, file = 0, ""
    for number, fault in enumerate(faults):
        if number < LISTED:
            yield fault
        else:
            more, file = more + 1, fault.file
    if more:
        yield Fault(file, None, f"and {more} more of the same kind")


def faulty_rows(file: str, rows: pl.DataFrame, message: str) -> Iterator[Fault]:
    """A fault per row of a frame.

    Args:
        file: path within the release.
        rows: faulty rows; `processid` and the columns that the message names.
        message: what is wrong, with column names in braces.
    """
    yield from capped(
        Fault(file, row.get("processid"), message.format_map(_Shown(row))) for row in rows.iter_rows(named=True)
    )


class Listing:
    """Faulty rows that come in pieces: of each kind the first are listed, in the order they came, and all counted."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[dict[str, object]]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, file: str, rows: pl.DataFrame, message: str) -> None:
        """Take in rows with one kind of fault: `processid` and the columns that the message names."""
        if not rows.height:
            return
        kind = file, message
        listed = self._rows.setdefault(kind, [])
        listed += rows.head(max(LISTED - len(listed), 0)).rows(named=True)
        self._counts[kind] = self._counts.get(kind, 0) + rows.height

    def faults(self) -> Iterator[Fault]:
        """The faults, kind by kind."""
        for (file, message), rows in self._rows.items():
            for row in rows:
                processid = row.get("processid")
                yield Fault(file, None if processid is None else str(processid), message.format_map(_Shown(row)))
            more = self._counts[file, message] - len(rows)
            if more:
                yield Fault(file, None, f"and {more} more of the same kind")


class _Shown(dict[str, object]):
    """Values as a message shows them: texts cut to a line."""

    def __getitem__(self, name: str) -> object:
        value = super().__getitem__(name)
        if isinstance(value, str):
            return repr(value if len(value) <= 60 else f"{value[:57]}…")
        return "missing" if value is None else value
