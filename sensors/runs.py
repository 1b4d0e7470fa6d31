"""Earlier runs, as Dagster's database knows them: of the same work, and those that failed last.

Belongs here: reading them. Does not belong here: what follows from them (`bioscan_etl.automation`,
`bioscan_etl.alerts`). If the database is lost, a run is requested once more, and finds the existing outputs.
"""

import datetime as dt
from collections.abc import Collection

import dagster as dg

from bioscan_etl.alerts import FailedRun, Work
from bioscan_etl.automation import Attempts
from bioscan_etl.printable import printable
from bioscan_etl.stages.registry import CORPUS_STAGES

GOING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_MOST_FAILURES = 500  # failed runs that are looked at, the latest first; each work takes a query
_MOST_EVENTS = _MOST_RUNS = 100
_PARTITION = "dagster/partition"


def attempts(instance: dg.DagsterInstance, job: str, tags: dict[str, str]) -> Attempts:
    """Runs of a job that carry some tags."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job, tags=tags))
    failed = [record for record in records if record.dagster_run.status in _FAILED]
    return Attempts(
        going=any(record.dagster_run.status in GOING for record in records),
        failed=len(failed),
        total=len(records),
        last_end=max((record.end_time or record.update_timestamp.timestamp() for record in failed), default=0.0),
    )


def last_failures(
    instance: dg.DagsterInstance, release_job: str, since: dt.datetime
) -> tuple[list[FailedRun], list[Work]]:
    """The work whose last run failed, and the work that failed and is under way again.

    Args:
        instance: Dagster's instance.
        release_job: the job that makes the release.
        since: failures before are left out. A failure that a later run repaired is left out, too; a run that a person
            ended is no failure.
    """
    failed, undecided = [], []
    seen: set[str] = set()
    wanted = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    for record in instance.get_run_records(wanted, limit=_MOST_FAILURES):  # the latest first
        work = _work_of(record.dagster_run, release_job)
        if work.subject in seen:
            continue
        seen.add(work.subject)
        last = _last_run(instance, work, record, release_job)
        if last.status is dg.DagsterRunStatus.FAILURE:
            failed.append(FailedRun(_work_of(last, release_job), last.run_id, cause_of(instance, last.run_id)))
        elif last.status in GOING:
            undecided.append(work)
    return failed, undecided


def _work_of(run: dg.DagsterRun, release_job: str) -> Work:
    """What a run works on; assets that a person chose in the UI are work on their batch, or on the release."""
    batch = run.tags.get(_PARTITION, "")
    chosen = {key.to_user_string() for key in run.asset_selection or ()}
    return Work(run.job_name, batch, makes_release=run.job_name == release_job or bool(chosen & set(CORPUS_STAGES)))


def _last_run(instance: dg.DagsterInstance, work: Work, failed: dg.RunRecord, release_job: str) -> dg.DagsterRun:
    """The last run on the subject of some work, of whatever job."""
    if work.batch:
        filters = [dg.RunsFilter(tags={_PARTITION: work.batch})]
    else:  # runs without a batch cannot be asked for alone
        jobs = {work.job, release_job} if work.makes_release else {work.job}
        filters = [dg.RunsFilter(job_name=job) for job in sorted(jobs)]
    records = [one for wanted in filters for one in instance.get_run_records(wanted, limit=_MOST_RUNS)]
    same = [one for one in records if _work_of(one.dagster_run, release_job).subject == work.subject]
    return max(same, key=lambda one: one.storage_id, default=failed).dagster_run


def cause_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why a run failed, in one line: the reason of its first failed step, else that of the run."""
    failures = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    records = instance.get_records_for_run(run_id, of_type=failures, limit=_MOST_EVENTS).records
    events = [one.event_log_entry.dagster_event for one in records]
    return first_failure([event for event in events if event is not None]) or "no reason is known"


def first_failure(events: Collection[dg.DagsterEvent]) -> str:
    """Why the first failed step among events failed, else why the run did; empty if nothing failed."""
    for event in events:
        if event.is_step_failure:
            return printable(step_reason(event))
    for event in events:
        if event.event_type is dg.DagsterEventType.RUN_FAILURE:
            return printable(((event.message or "").strip().splitlines() or ["failed"])[0])
    return ""


def step_reason(event: dg.DagsterEvent) -> str:
    """A failed step and its reason, in one line."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return f"{event.step_key}: {data.user_failure_data.description}"
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    lines = error.message.strip().splitlines() if error else []
    return f"{event.step_key}: {lines[0] if lines else 'failed'}"
