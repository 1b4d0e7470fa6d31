"""What is wrong now, as the lake states it: failed batches, a failed release, failed checks.

Belongs here: alerts from failure notes, markers and records. Does not belong here: failures that leave no note
(`failed_runs`), and comparisons (`compare`).

The lake is read, not Dagster's database: a failed check is in the record of its batch or in the manifest of its
output, whoever ran it, the UI or a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bioscan_etl.alerts.event import Alert, alert
from bioscan_etl.errors import LakeError
from bioscan_etl.findings import Finding
from bioscan_etl.lake import failures
from bioscan_etl.lake.current import current
from bioscan_etl.lake.record import Record
from bioscan_etl.lake.store import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.stages.examine import examine
from bioscan_etl.stages.registry import STAGES, Scope
from bioscan_etl.state import BatchState

RELEASE = "the release"


def batch_subject(batch: str) -> str:
    """How alerts name a batch."""
    return f"batch {batch}"


@dataclass(slots=True)
class Conditions:
    """What was found in one round.

    Attributes:
        alerts: what is wrong now.
        unread: subjects whose state could not be read. Their known events stay open.
        lasting: ids of events that are not over, although they are not looked for again.
        problems: what could not be read, one line each.
    """

    alerts: list[Alert] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    lasting: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def lake_conditions(lake: Lake, settings: Settings, states: Sequence[BatchState]) -> Conditions:
    """Failed batches, a failed release, and failed checks of current outputs.

    Args:
        lake: the corpus.
        settings: its settings.
        states: the states of all batches (`bioscan_etl.state.survey`).
    """
    found = Conditions()
    for state in states:
        if state.withdrawn:
            continue
        found.alerts += _batch_failure(state)
        if state.record is None:
            continue
        try:
            found.alerts += _failed_checks_of_batch(lake, settings, state.record)
        except LakeError as error:
            found.unread.add(batch_subject(state.name))
            found.problems.append(str(error))
    found.alerts += _release_failure(lake)
    found.alerts += _failed_checks_of_corpus(lake)
    return found


def _batch_failure(state: BatchState) -> Iterator[Alert]:
    subject = batch_subject(state.name)
    failure = state.failure
    if failure is not None:
        again = "it is tried again" if failure.transient else "it waits until its delivery, the settings or code change"
        yield alert(
            "batch_failed",
            subject,
            (state.key, failure.stage, "transient" if failure.transient else "permanent"),
            f"batch {state.name} failed at {failure.stage}",
            (failure.sentence, again),
        )
    elif state.problem and not state.is_current:
        yield alert(
            "batch_failed",
            subject,
            (state.key, state.problem),
            f"batch {state.name} cannot be ingested",
            (state.problem,),
        )


def _release_failure(lake: Lake) -> Iterator[Alert]:
    failure = failures.find(lake, corpus=True)
    if failure is not None:
        again = "it is tried again" if failure.transient else "no release is made until this is settled"
        yield alert(
            "release_failed",
            RELEASE,
            (failure.key, failure.stage, "transient" if failure.transient else "permanent"),
            f"the release failed at {failure.stage}",
            (failure.sentence, again),
        )


def _failed_checks_of_batch(lake: Lake, settings: Settings, record: Record) -> Iterator[Alert]:
    """Checks that failed without keeping the batch out of the corpus."""
    for name, made in record.stages.items():
        if not made.failed_checks or name not in STAGES:
            continue
        output = record.output(lake, name)
        findings = {one.check: one for one in (*output.findings, *examine(STAGES[name], output, settings))}
        for check in made.failed_checks:
            yield _check_alert(batch_subject(record.batch), (record.delivery, name, check), name, check, findings)


def _failed_checks_of_corpus(lake: Lake) -> Iterator[Alert]:
    """Checks that failed without stopping the release; a blocking one is the release's failure."""
    for stage in STAGES.values():
        output = current(lake, stage.name) if stage.scope is Scope.CORPUS else None
        if output is None:
            continue
        findings = {one.check: one for one in output.findings}
        for check, finding in findings.items():
            if not finding.passed and not finding.blocking:
                yield _check_alert("the corpus", (stage.name, check), stage.name, check, findings)


def _check_alert(subject: str, event: tuple[str, ...], stage: str, check: str, findings: dict[str, Finding]) -> Alert:
    lines: list[str] = []
    if (finding := findings.get(check)) is not None:
        lines.append(f"required: {finding.statement}")
        lines += [finding.detail] if finding.detail else []
        samples = f", such as {', '.join(finding.samples[:3])}" if finding.samples else ""
        lines.append(f"failing: {finding.count:,}{samples}")
    return alert("check_failed", subject, event, f"{subject}: check {check} of {stage} failed", tuple(lines))
