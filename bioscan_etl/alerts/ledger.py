"""The ledger: the known events, and the channels that each was or still has to be sent to.

Belongs here: the file `OUTPUT/alerts/alerts.json`, and when an event is new or over. Does not belong here: sending.

The ledger is a file of the corpus. If Dagster's database is lost, no alert is sent twice.

- An event is new if the ledger does not have it.
- An event is over when a round does not find it any more.
- An event that is over is removed once every channel has it. If it occurs again later, it is new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bioscan_etl.alerts.event import Alert
from bioscan_etl.errors import LakeError
from bioscan_etl.lake import small_files
from bioscan_etl.lake.store import Lake

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that is known.

    Attributes:
        id: of the event.
        kind: of its alert.
        subject: of its alert.
        title: of its alert.
        lines: of its alert.
        since: when it was first seen, ISO 8601.
        over: whether it is not found any more.
        waiting: channels to which it still has to be sent.
        sent: time at which it was sent, by channel, ISO 8601.
    """

    id: str
    kind: str
    subject: str
    title: str
    lines: tuple[str, ...]
    since: str
    over: bool = False
    waiting: tuple[str, ...] = ()
    sent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known.

    Attributes:
        entries: events by id, in the order in which they were first seen.
        compared: fingerprint of the delivery by batch that was compared with its predecessors.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    compared: Mapping[str, str] = field(default_factory=dict)

    def waiting_for(self, channel: str) -> list[Entry]:
        """What a channel is to be told, the oldest first."""
        return [one for one in self.entries.values() if channel in one.waiting]


def ledger_file(lake: Lake) -> Path:
    """The path of the ledger."""
    return lake.root / "alerts" / "alerts.json"


def read_ledger(lake: Lake) -> Ledger:
    """The ledger of a corpus; empty if there is none.

    Raises:
        LakeError: it is damaged. Without it every open event would be reported again, so a person decides.
    """
    path = ledger_file(lake)
    try:
        value = small_files.read(path)
        if value is None:
            return Ledger()
        if value["format"] != _FORMAT:
            raise ValueError(f"format {value['format']!r}")
        entries = {str(key): _entry(str(key), one) for key, one in value["alerts"].items()}
        ordered = dict(sorted(entries.items(), key=lambda one: (one[1].since, one[0])))
        return Ledger(ordered, {str(name): str(one) for name, one in value["compared"].items()})
    except (LakeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise LakeError(
            f"{path} is damaged ({type(error).__name__}), so no alert is sent; restore it, or delete it: then all that "
            "is open now is reported once more"
        ) from None


def _entry(key: str, value: Mapping[str, Any]) -> Entry:
    return Entry(
        key,
        str(value["kind"]),
        str(value["subject"]),
        str(value["title"]),
        tuple(str(one) for one in value["lines"]),
        str(value["since"]),
        bool(value["over"]),
        tuple(str(one) for one in value["waiting"]),
        {str(name): str(one) for name, one in value["sent"].items()},
    )


def write_ledger(lake: Lake, ledger: Ledger) -> None:
    """Atomically replace the ledger."""
    alerts = {key: {name: one for name, one in asdict(entry).items() if name != "id"} for key, entry in
              ledger.entries.items()}  # fmt: skip
    small_files.write(ledger_file(lake), {"format": _FORMAT, "alerts": alerts, "compared": dict(ledger.compared)})


def observe(
    ledger: Ledger,
    alerts: Iterable[Alert],
    channels: Collection[str],
    now: str,
    *,
    unread: Collection[str] = (),
    lasting: Collection[str] = (),
) -> Ledger:
    """The ledger after a look at what is wrong now.

    Args:
        ledger: the ledger before.
        alerts: what is wrong now.
        channels: those that are set up; of others nothing waits.
        now: the time, ISO 8601.
        unread: subjects whose state is not known; nothing about them is over.
        lasting: ids of events that are not over, although they are not among the alerts.
    """
    entries = dict(ledger.entries)
    found = {one.id: one for one in alerts}
    for key, one in found.items():
        if key not in entries:
            waiting = tuple(sorted(channels))
            entries[key] = Entry(key, one.kind, one.subject, one.title, one.lines, now, waiting=waiting)
    kept = {}
    for key, entry in entries.items():
        over = key not in found and key not in lasting and entry.subject not in unread
        waiting = tuple(one for one in entry.waiting if one in channels)
        if waiting or not over:
            kept[key] = replace(entry, over=over, waiting=waiting)
    return replace(ledger, entries=kept)


def told(ledger: Ledger, channel: str, ids: Collection[str], now: str) -> Ledger:
    """Note that some events were sent to a channel, and remove those that are over and sent to every channel."""
    entries = {}
    for key, entry in ledger.entries.items():
        changed = entry
        if key in ids:
            waiting = tuple(one for one in entry.waiting if one != channel)
            changed = replace(entry, waiting=waiting, sent={**entry.sent, channel: now})
        if changed.waiting or not changed.over:
            entries[key] = changed
    return replace(ledger, entries=entries)
