"""The release schedule: once a day, if the ingested batches are not those of the last good release run.

Stock automation conditions lose batches (spec: orchestration), so the schedule takes the digest of the pinned
batch outputs and asks Dagster whether a run of that digest went well.
"""

import dagster as dg

from assets.specimens import PIN_TAG
from bioscan_etl import batches
from bioscan_etl.resources import LakeResource
from sensors.jobs import CORPUS_JOB, INGEST_JOB, curate_and_release

_GOING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


@dg.schedule(
    job=curate_and_release,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    description="Curates and releases the corpus at 02:00 UTC, when batches came in since the last good run.",
)
def release_when_changed(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
    """Request a corpus run on exactly the batches that are ingested now."""
    home = lake.lake()
    instance = context.instance
    if instance.get_runs_count(dg.RunsFilter(job_name=INGEST_JOB, statuses=_GOING)):
        return dg.SkipReason("batches are being ingested; the next tick looks again")
    pin = batches.pin_current(home)
    if not pin.batches:
        return dg.SkipReason("no batch is ingested yet")
    done = dg.RunsFilter(
        job_name=CORPUS_JOB, tags={PIN_TAG: pin.digest}, statuses=[dg.DagsterRunStatus.SUCCESS, *_GOING]
    )
    if instance.get_runs_count(done):
        return dg.SkipReason(f"the {len(pin.batches)} ingested batches are released or being released")
    batches.save_pin(home, pin)
    return dg.RunRequest(tags={PIN_TAG: pin.digest})
