"""The sensor of the alerts: each tick looks at what is wrong, and tells the webhook and the mail addresses.

Belongs here: what Dagster knows of failed runs, and reporting the tick. Does not belong here: what an alert is, and
sending (`bioscan_etl.alerts`).

An ordinary sensor, not a run failure sensor: that one sees an event once, and what it could not send then is lost; its
cursor is in Dagster's database; and it does not see a batch that fails in a terminal.
"""

import datetime as dt
import os

import dagster as dg

from bioscan_etl import alerts
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.printable import printable
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.jobs import CORPUS_JOB
from bioscan_etl.sensors.runs import last_failures
from bioscan_etl.settings import AlertSettings, AutomationSettings
from bioscan_etl.ui.plan import READ_ONLY

_LOOK_BACK = dt.timedelta(days=7)
"""Older failures are not reported: a UI that starts after months does not report what happened before."""


def alerts_sensor(settings: AlertSettings, automation: AutomationSettings) -> dg.SensorDefinition:
    """The sensor, on if somebody is to be told."""
    running = alerts.is_on(settings) and not _is_read_only()

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=automation.tick_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description="Sends failures, failed checks, unusual batches and old doubts to the webhook or by mail, once.",
    )
    def send_alerts(context: dg.SensorEvaluationContext, corpus: dg.ResourceParam[CorpusResource]) -> dg.SkipReason:
        return evaluate(context, corpus)

    return send_alerts


def evaluate(context: dg.SensorEvaluationContext, corpus: CorpusResource) -> dg.SkipReason:
    """Take a round; it requests no run, so its report is the reason of the skip. No failure to send fails the tick."""
    if _is_read_only():
        return dg.SkipReason("this UI is read-only; the alerts come from the one that runs the corpus")
    try:
        settings = corpus.settings()
        if not alerts.is_on(settings.alerts):
            return dg.SkipReason("alerts are off; set alerts.webhook or alerts.mail_to")
        failed, undecided = last_failures(context.instance, CORPUS_JOB, dt.datetime.now(dt.UTC) - _LOOK_BACK)
        today = dt.datetime.now(dt.UTC).date()
        old = alerts.old_doubts(corpus.lake(), settings.alerts.doubts_older_than_days, today)
        outcome = alerts.take_round(corpus.lake(), settings, failed, undecided=undecided, doubts=old)
    except (BioscanError, OSError) as error:
        context.log.warning(sentence(error))
        return dg.SkipReason(sentence(error))
    for problem in outcome.problems:
        context.log.warning(printable(problem))
    parts = [f"{outcome.open} events are open"]
    parts += [f"{number} sent by {channel}" for channel, number in outcome.sent.items()]
    parts += [f"{number} wait for {channel}" for channel, number in outcome.waiting.items()]
    return dg.SkipReason("; ".join([*parts, *(printable(one) for one in outcome.problems)]))


def _is_read_only() -> bool:
    return bool(os.environ.get(READ_ONLY))
