"""Alerts: messages by webhook or mail about what needs a person. Each event is sent once.

    OUTPUT/alerts/alerts.json            known events, and to which channels each was sent (`alerts.ledger`)
    OUTPUT/alerts/profiles/<batch>.json  figures of a batch, so that they are computed once (`alerts.profile`)
    OUTPUT/alerts/doubts.parquet         since when each doubt is known (`alerts.seen`)

`event` defines an alert, `conditions` finds failures and failed checks in the lake, `failed_runs` those that only
Dagster knows, `compare` finds batches that are far from their predecessors, `doubts` and `seen` open doubts that are
old. `ledger` decides what is new, `message` words it, `webhook` and `mail` send it, and `round` does all of it once.

Belongs here: everything about alerts that needs no Dagster. Does not belong here: when a round takes place
(`sensors/alerts.py`), and the thresholds of checks (`bioscan_etl.stages.examine`).

apprise (senders for a hundred services) was weighed: it makes its own requests, past the guards of `bioscan_etl.io`,
and keeps secrets in its addresses. Two ways, JSON by POST and mail, reach what a team has.
"""

from bioscan_etl.alerts.doubts import doubt_alerts
from bioscan_etl.alerts.event import Alert
from bioscan_etl.alerts.failed_runs import FailedRun, Work
from bioscan_etl.alerts.ledger import Entry, read_ledger
from bioscan_etl.alerts.round import Outcome, is_on, require_channels, send_test, take_round
from bioscan_etl.alerts.seen import old_doubts

__all__ = [
    "Alert",
    "Entry",
    "FailedRun",
    "Outcome",
    "Work",
    "doubt_alerts",
    "is_on",
    "old_doubts",
    "read_ledger",
    "require_channels",
    "send_test",
    "take_round",
]
