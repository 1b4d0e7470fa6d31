"""One round: look at what is wrong, and send what was not sent yet.

Belongs here: the order of the steps. Does not belong here: what is wrong (`conditions` and the others), and when a
round takes place (`sensors/alerts.py`).

What waits is stored before anything is sent, and each channel's success right after it. A process that is killed
between the two repeats one message, under the same id; nothing is lost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from bioscan_etl.alerts.channel import Channel, UnsentError
from bioscan_etl.alerts.compare import add_deviating
from bioscan_etl.alerts.conditions import batch_subject, lake_conditions
from bioscan_etl.alerts.event import Alert, event_id
from bioscan_etl.alerts.failed_runs import FailedRun, Work, add_failed_runs
from bioscan_etl.alerts.ledger import Entry, Ledger, observe, read_ledger, told, write_ledger
from bioscan_etl.alerts.mail import mail_channel
from bioscan_etl.alerts.message import message_of
from bioscan_etl.alerts.webhook import ADDRESS, webhook_channel
from bioscan_etl.errors import SettingsError, sentence
from bioscan_etl.lake.locks import hold
from bioscan_etl.lake.store import Lake
from bioscan_etl.settings import AlertSettings, Settings
from bioscan_etl.state import survey

TEST_SUBJECT = "the alerts"


@dataclass(slots=True)
class Outcome:
    """What a round did.

    Attributes:
        open: number of events that are not over.
        sent: number of alerts that were sent, by channel.
        waiting: number of alerts that could not be sent yet, by channel.
        problems: why, and what could not be read, one line each.
    """

    open: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def channels_of(settings: AlertSettings) -> list[Channel]:
    """The ways to send messages that are set up."""
    return [one for one in (webhook_channel(settings), mail_channel(settings)) if one is not None]


def is_on(settings: AlertSettings) -> bool:
    """Whether there is any way to send a message."""
    return bool(channels_of(settings))


def take_round(
    lake: Lake,
    settings: Settings,
    runs: Sequence[FailedRun] = (),
    *,
    undecided: Collection[Work] = (),
    doubts: Sequence[Alert] | None = None,
) -> Outcome:
    """Look at what is wrong, and send what was not sent yet.

    Args:
        lake: the corpus.
        settings: its settings.
        runs: the last run of each work that failed, as Dagster knows it.
        undecided: work of which a run is under way.
        doubts: alerts of open doubts that are old (`doubt_alerts`); None if they were not looked at.

    Raises:
        LakeError: the ledger is damaged, the lake has another layout, or another process takes a round (`BusyError`).
        SettingsError: the detector of the settings cannot be loaded.
    """
    channels = channels_of(settings.alerts)
    if not channels:
        return Outcome()
    with hold(lake.root / "alerts" / ".lock", f"another process sends the alerts of {lake.root}; wait for it"):
        before = read_ledger(lake)
        states = survey(lake, settings)
        found = lake_conditions(lake, settings, states)
        records = [one.record for one in states if one.record is not None and not one.withdrawn]
        compared = add_deviating(found, lake, records, before.compared, settings.alerts)
        sound = {batch_subject(one.name) for one in states if one.is_current or one.withdrawn}
        add_failed_runs(found, runs, undecided, sound)
        if doubts is None:
            found.lasting |= {key for key, one in before.entries.items() if one.kind == "old_doubts"}
        ledger = observe(
            before,
            [*found.alerts, *(doubts or ())],
            [one.name for one in channels],
            _now(),
            unread=found.unread,
            lasting=found.lasting,
        )
        ledger = replace(ledger, compared=compared)
        if ledger != before:
            write_ledger(lake, ledger)
        outcome = Outcome(open=sum(not one.over for one in ledger.entries.values()), problems=found.problems)
        for channel in channels:
            ledger = _tell(lake, ledger, channel, outcome)
    return outcome


def send_test(lake: Lake, settings: Settings) -> Outcome:
    """Send a test message to each channel; the ledger stays as it is.

    Raises:
        SettingsError: no channel is set up.
    """
    now = _now()
    entry = Entry(event_id("test", TEST_SUBJECT, (now,)), "test", TEST_SUBJECT, "this is a test", (), now)
    outcome = Outcome()
    for channel in require_channels(settings.alerts):
        try:
            channel.send(message_of(lake.root.name, [entry]))
        except UnsentError as error:
            outcome.problems.append(sentence(error))
            outcome.waiting[channel.name] = 1
        else:
            outcome.sent[channel.name] = 1
    return outcome


def require_channels(settings: AlertSettings) -> list[Channel]:
    """The ways to send messages that are set up.

    Raises:
        SettingsError: there is none.
    """
    channels = channels_of(settings)
    if not channels:
        raise SettingsError(f"alerts are off; set alerts.webhook or alerts.mail_to in settings.toml, or {ADDRESS}")
    return channels


def _tell(lake: Lake, ledger: Ledger, channel: Channel, outcome: Outcome) -> Ledger:
    """Send what waits for a channel; a failure is noted, and what waits goes on waiting."""
    waiting = ledger.waiting_for(channel.name)
    if not waiting:
        return ledger
    message = message_of(lake.root.name, waiting)
    try:
        channel.send(message)
    except UnsentError as error:
        outcome.problems.append(sentence(error))
        outcome.waiting[channel.name] = len(waiting)
        return ledger
    ledger = told(ledger, channel.name, message.ids, _now())
    write_ledger(lake, ledger)
    outcome.sent[channel.name] = len(message.ids)
    if len(waiting) > len(message.ids):
        outcome.waiting[channel.name] = len(waiting) - len(message.ids)
    return ledger


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
