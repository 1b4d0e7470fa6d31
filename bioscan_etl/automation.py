"""What to run now, and what has to wait: the decisions of the sensors, without Dagster.

Belongs here: which batches to ingest, when to retry, when a release is due. Does not belong here: what is stale
(`bioscan_etl.state`), and requesting runs from Dagster (`sensors/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bioscan_etl.lake.store import Lake
from bioscan_etl.settings import AutomationSettings
from bioscan_etl.state import BatchState, CorpusState

# An evaluation has 60 s and launches its requests one by one (spec: orchestration).
MOST_REQUESTS = 50


@dataclass(frozen=True, slots=True)
class Attempts:
    """Earlier runs of the same work.

    Attributes:
        going: whether one is queued or running.
        failed: how many failed or were cancelled.
        total: how many there were.
        last_end: when the last one ended, seconds since the epoch; 0 if none ended.
    """

    going: bool = False
    failed: int = 0
    total: int = 0
    last_end: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """A run to request: of a batch, or with an empty name of the corpus."""

    batch: str
    key: str
    attempt: int
    why: str

    @property
    def run_key(self) -> str:
        """Dagster's key of the run: the same work gets a new run only as a new attempt."""
        return f"{self.batch or 'release'}:{self.key[:16]}:{self.attempt}"


@dataclass(slots=True)
class Plan:
    """The result of planning: runs to request, and a sentence per batch that gets none."""

    requests: list[Request] = field(default_factory=list)
    going: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def plan_ingest(
    states: Sequence[BatchState], attempts: Mapping[str, Attempts], settings: AutomationSettings, now: float
) -> Plan:
    """Decide which batches to ingest now.

    A batch with a permanent failure waits until its delivery, the settings or the code change. A batch with a
    temporary failure, or whose run was killed, is retried; the wait doubles each time.

    Args:
        states: the states of all batches.
        attempts: earlier runs of the same work, by batch.
        settings: the waits.
        now: seconds since the epoch.
    """
    plan = Plan()
    for state in states:
        if state.status == "damaged":
            plan.failed[state.name] = state.problem
        elif state.wants_work:
            past = attempts.get(state.name, Attempts())
            sentence = state.failure.sentence if state.failure else ""
            if past.going:
                plan.going.append(state.name)
            elif state.failure is not None and not state.failure.transient:
                plan.failed[state.name] = sentence
            elif wait := _wait(past, settings, now, sentence):
                (plan.failed if past.failed > settings.retry_at_most else plan.waiting)[state.name] = wait
            else:
                plan.requests.append(Request(state.name, state.key, past.total, "; ".join(state.reasons)))
    plan.requests.sort(key=lambda request: (request.attempt, request.batch))
    return plan


def _wait(past: Attempts, settings: AutomationSettings, now: float, sentence: str) -> str:
    """Why the work is not retried now; empty if it is."""
    if not past.failed:
        return ""
    why = sentence or "its run was stopped externally"
    if past.failed > settings.retry_at_most:
        return f"{why}; given up after {past.failed} attempts (automation.retry_at_most): run it manually"
    due = past.last_end + 60 * settings.retry_minutes * 2 ** (past.failed - 1)
    return f"{why}; attempt {past.failed + 1} in {due - now:.0f} s" if now < due else ""


def plan_release(
    corpus: CorpusState, ingest: Plan, past: Attempts, settings: AutomationSettings, now: float, last_change: float
) -> Request | str:
    """The release run to request, or why there is none.

    Args:
        corpus: the state of the corpus.
        ingest: the plan for the batches.
        past: earlier runs of the same release.
        settings: the waits.
        now: seconds since the epoch.
        last_change: when a batch last landed or became current, seconds since the epoch.
    """
    busy = [*ingest.going, *(request.batch for request in ingest.requests)]
    quiet = last_change + 60 * settings.settle_minutes
    why = ""
    if past.going:
        why = "a release is being made"
    elif busy:
        why = f"{len(busy)} batches are being ingested: {', '.join(sorted(busy)[:5])}"
    elif corpus.blocked:
        why = corpus.blocked
    elif not corpus.reasons:
        why = f"release {corpus.last} is up to date"
    elif corpus.failure is not None and not corpus.failure.transient:
        why = f"the release cannot be made: {corpus.failure.sentence}"
    elif wait := _wait(past, settings, now, corpus.failure.sentence if corpus.failure else ""):
        why = wait
    elif now < quiet:
        why = f"new batches arrived recently; a release starts in {quiet - now:.0f} s unless more arrive"
    return why or Request("", corpus.key, past.total, "; ".join(corpus.reasons))


def last_change(lake: Lake) -> float:
    """When a batch last landed or became current, seconds since the epoch; 0 if none ever did."""
    paths = [*lake.landing.glob("*/batch.json"), *(lake.home / "batches").glob("*.json")]
    times = []
    for path in paths:
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)
