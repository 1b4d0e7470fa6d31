"""What an alert is, and which alerts are of the same event.

Belongs here: the alert and its id. Does not belong here: what causes one (`conditions`, `compare`, `doubts`,
`failed_runs`), and whether it was sent (`ledger`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bioscan_etl.lake.store import digest
from bioscan_etl.printable import printable

Kind: TypeAlias = Literal[
    "batch_failed", "release_failed", "run_failed", "check_failed", "batch_deviates", "old_doubts", "test"
]

_LONGEST = 500  # characters of a line: messages are read on telephones
_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that needs a person.

    Attributes:
        kind: what kind of thing it is.
        subject: what it is about, such as `batch plate-7`.
        event: which event of this kind and subject it is; two alerts of one event have the same.
        title: what happened, in one line.
        lines: details, one line each.
    """

    kind: Kind
    subject: str
    event: tuple[str, ...]
    title: str
    lines: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """16 hex digits that identify the event; neither time nor wording counts."""
        return event_id(self.kind, self.subject, self.event)


def alert(kind: Kind, subject: str, event: tuple[str, ...], title: str, lines: tuple[str, ...] = ()) -> Alert:
    """An alert whose texts are safe to show: each is one printable line of a limited length.

    Args:
        kind: what kind of thing it is.
        subject: what it is about.
        event: what identifies the event, beside kind and subject.
        title: what happened; it may quote data.
        lines: details; they may quote data.
    """
    shown = [_line(one) for one in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"and {len(lines) - _MOST_LINES:,} more")
    return Alert(kind, _line(subject), event, _line(title), tuple(shown))


def event_id(kind: Kind, subject: str, event: tuple[str, ...]) -> str:
    """The id of an event.

    Example:
        >>> event_id("run_failed", "job tidy_up", ("disk full",)) == event_id("run_failed", "job tidy_up", ("disk",))
        False
    """
    return digest([kind, _line(subject), *event])[:16]


def _line(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
