"""Automatic releases: once after a group of new batches has been ingested, and every night.

Stock automation conditions lose batches (spec: orchestration), so the state of the lake is compared with what the last
release was made from.
"""

import time

import dagster as dg

from bioscan_etl.assets.factory import PIN_TAG, SETTINGS_TAG
from bioscan_etl.automation import Attempts, Request, last_change, plan_ingest, plan_release
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.jobs import (
    CORPUS_JOB,
    INGEST_JOB,
    WHY_TAG,
    WORK_TAG,
    check_release,
    curate_and_release,
    tidy_up,
)
from bioscan_etl.sensors.runs import GOING, attempts
from bioscan_etl.settings import AutomationSettings, Settings
from bioscan_etl.state import corpus as corpus_of
from bioscan_etl.state import pin_now

ZONE = "UTC"


def settled_sensor(settings: AutomationSettings) -> dg.SensorDefinition:
    """The sensor, on or off by the settings."""
    status = dg.DefaultSensorStatus.RUNNING if settings.release_when_settled else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name="release_when_settled",
        job=curate_and_release,
        minimum_interval_seconds=settings.tick_seconds,
        default_status=status,
        description="Curates and releases the corpus once all new batches are ingested and no more arrive.",
    )
    def release_when_settled(
        context: dg.SensorEvaluationContext, corpus: dg.ResourceParam[CorpusResource]
    ) -> dg.RunRequest | dg.SkipReason:
        return evaluate(context.instance, corpus)

    return release_when_settled


def evaluate(instance: dg.DagsterInstance, corpus: CorpusResource) -> dg.RunRequest | dg.SkipReason:
    """Request a corpus run on exactly the batches that are current now, or report why not."""
    home = corpus.lake()
    try:
        settings = corpus.settings()
        found = corpus_of(home, settings)
        past = {
            state.name: attempts(instance, INGEST_JOB, {WORK_TAG: state.key[:32], "dagster/partition": state.name})
            for state in found.batches
            if state.wants_work
        }
        ingest = plan_ingest(found.batches, past, settings.automation, time.time())
        same = attempts(instance, CORPUS_JOB, {WORK_TAG: found.key[:32]}) if found.key else Attempts()
        if not same.going and instance.get_runs_count(dg.RunsFilter(job_name=CORPUS_JOB, statuses=GOING)):
            return dg.SkipReason("a release is being made")
        answer = plan_release(found, ingest, same, settings.automation, time.time(), last_change(home))
        if isinstance(answer, str):
            return dg.SkipReason(answer)
        return _request(answer, settings, pin_now(home, settings).digest)
    except (BioscanError, OSError) as error:
        return dg.SkipReason(sentence(error))


def _request(request: Request, settings: Settings, pin: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.run_key,
        tags={
            PIN_TAG: pin,
            WORK_TAG: request.key[:32],
            WHY_TAG: request.why[:200],
            SETTINGS_TAG: settings.digest()[:16],
        },
    )


def schedules(settings: AutomationSettings) -> list[dg.ScheduleDefinition]:
    """The schedules of the settings, all running from the start."""
    running = dg.DefaultScheduleStatus.RUNNING
    found: list[dg.ScheduleDefinition] = []
    if settings.nightly_release:

        @dg.schedule(
            name="nightly_release",
            job=curate_and_release,
            cron_schedule=settings.nightly_release,
            execution_timezone=ZONE,
            default_status=running,
            description="Checks the whole corpus; makes a release if anything changed, otherwise takes seconds.",
        )
        def nightly_release(
            context: dg.ScheduleEvaluationContext, corpus: dg.ResourceParam[CorpusResource]
        ) -> dg.RunRequest | dg.SkipReason:
            return nightly(context.instance, corpus)

        found.append(nightly_release)
    if settings.weekly_check:
        found.append(
            dg.ScheduleDefinition(
                name="weekly_check",
                job=check_release,
                cron_schedule=settings.weekly_check,
                execution_timezone=ZONE,
                default_status=running,
                description="Verifies the last release with every image, without the lake.",
            )
        )
    if settings.monthly_tidy:
        found.append(
            dg.ScheduleDefinition(
                name="monthly_tidy",
                job=tidy_up,
                cron_schedule=settings.monthly_tidy,
                execution_timezone=ZONE,
                default_status=running,
                description="Removes unreferenced outputs, and old runs with their events and logs.",
            )
        )
    return found


def nightly(instance: dg.DagsterInstance, corpus: CorpusResource) -> dg.RunRequest | dg.SkipReason:
    """Request a corpus run, whether anything changed or not, or report why there can be none."""
    home = corpus.lake()
    if instance.get_runs_count(dg.RunsFilter(job_name=CORPUS_JOB, statuses=GOING)):
        return dg.SkipReason("a release is being made")
    try:
        settings = corpus.settings()
        found = corpus_of(home, settings)
        if found.blocked:
            return dg.SkipReason(found.blocked)
        pin = pin_now(home, settings)
    except (BioscanError, OSError) as error:
        return dg.SkipReason(sentence(error))
    why = "; ".join(found.reasons) or "nightly run, nothing has changed"
    tags = {PIN_TAG: pin.digest, WHY_TAG: why[:200], SETTINGS_TAG: settings.digest()[:16]}
    return dg.RunRequest(tags=tags)
