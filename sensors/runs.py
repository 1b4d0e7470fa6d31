"""Earlier runs of the same work, as Dagster's database knows them.

Belongs here: reading them. Does not belong here: what follows from them (`bioscan_etl.automation`). If the database is
lost, a run is requested once more, and finds the existing outputs.
"""

import dagster as dg

from bioscan_etl.automation import Attempts

GOING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


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
