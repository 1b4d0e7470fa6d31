"""Failed runs that leave no note in the lake: a killed process, a failed check of a release, a failed clean-up.

Belongs here: which of them is an alert. Does not belong here: reading them from Dagster's database
(`sensors/alerts.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bioscan_etl.alerts.conditions import RELEASE, Conditions, batch_subject
from bioscan_etl.alerts.event import alert

_CHOSEN_ASSETS = "__ASSET_JOB"  # Dagster's name of it
_NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|[0-9]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Work:
    """What a run does.

    Attributes:
        job: its job.
        batch: the batch that it works on; empty for none.
        makes_release: whether it makes the release, whose failures are noted in the lake.
    """

    job: str
    batch: str = ""
    makes_release: bool = False

    @property
    def subject(self) -> str:
        """What an alert about it is about."""
        if self.batch:
            return batch_subject(self.batch)
        return RELEASE if self.makes_release else f"job {self.job}"


@dataclass(frozen=True, slots=True)
class FailedRun:
    """The last run of some work, which failed: the work, Dagster's id of the run, and why, in one line."""

    work: Work
    run_id: str
    cause: str


def add_failed_runs(
    found: Conditions, runs: Sequence[FailedRun], undecided: Collection[Work] = (), sound: Collection[str] = ()
) -> None:
    """Add the failed runs that the lake does not explain.

    Args:
        found: what is wrong according to the lake; alerts are added.
        runs: the failed runs.
        undecided: work of which a run is under way, so that it is not known yet whether it fails.
        sound: subjects that are as they should be, whatever run failed on the way.
    """
    explained = {one.subject for one in found.alerts if one.kind in ("batch_failed", "release_failed")}
    found.unread |= {work.subject for work in undecided}
    for run in runs:
        work = run.work
        if work.subject not in explained and work.subject not in sound:
            job = "the run of chosen assets" if work.job == _CHOSEN_ASSETS else work.job
            found.alerts.append(
                alert(
                    "run_failed",
                    work.subject,
                    (work.job, _without_numbers(run.cause)),
                    f"{job} failed" + (f" for batch {work.batch}" if work.batch else ""),
                    (run.cause, f"run {run.run_id} in the UI has the details"),
                )
            )


def _without_numbers(cause: str) -> str:
    """A cause without what differs between two runs that fail for the same reason.

    Example:
        >>> _without_numbers("no space for 512 bytes in /data/tmp/3f2504e0a1")
        'no space for # bytes in /data/tmp/#'
    """
    return _NUMBERS.sub("#", cause)
