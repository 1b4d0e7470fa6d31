"""The sensor of the inbox and the batches: lands complete folders, ingests landed batches that are not current."""

import time

import dagster as dg

from bioscan_etl import landing
from bioscan_etl.assets.batches import specimen_batches
from bioscan_etl.assets.factory import SETTINGS_TAG
from bioscan_etl.automation import MOST_REQUESTS, plan_ingest
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.printable import printable
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.jobs import INGEST_JOB, WHY_TAG, WORK_TAG, ingest_batch
from bioscan_etl.sensors.runs import attempts
from bioscan_etl.settings import AutomationSettings
from bioscan_etl.state import survey


def new_batches_sensor(settings: AutomationSettings) -> dg.SensorDefinition:
    """The sensor, at the pace of the settings."""

    @dg.sensor(
        name="new_batches",
        job=ingest_batch,
        minimum_interval_seconds=settings.tick_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Lands complete folders of the inbox, and requests a run of each batch that is new or stale.",
    )
    def new_batches(
        context: dg.SensorEvaluationContext, corpus: dg.ResourceParam[CorpusResource]
    ) -> dg.SensorResult | dg.SkipReason:
        return evaluate(context, corpus)

    return new_batches


def evaluate(context: dg.SensorEvaluationContext, corpus: CorpusResource) -> dg.SensorResult | dg.SkipReason:
    """Land complete folders, then request one run per batch that needs one, and report why the others get none."""
    home = corpus.lake()
    try:
        settings = corpus.settings()
        home.require_format()
        inbox = landing.sweep(home, settings.automation.inbox, now=time.time())
        states = survey(home, settings)
    except (BioscanError, OSError) as error:
        return dg.SkipReason(sentence(error))
    wanting = [state for state in states if state.wants_work]
    past = {
        state.name: attempts(context.instance, INGEST_JOB, {WORK_TAG: state.key[:32], "dagster/partition": state.name})
        for state in wanting
    }
    plan = plan_ingest(states, past, settings.automation, time.time())
    lines = [printable(f"{name}: {why}") for name, why in sorted({**inbox.refused, **plan.failed}.items())]
    lines += [printable(f"{name}: {why}") for name, why in sorted({**inbox.waiting, **plan.waiting}.items())]
    if plan.going:
        lines.append(f"{len(plan.going)} being ingested: {', '.join(plan.going[:10])}")
    for line in lines:
        context.log.info(line)
    chosen = plan.requests[:MOST_REQUESTS]
    if not chosen:
        current = sum(state.is_current for state in states)
        return dg.SkipReason("; ".join([*lines, f"{current} batches are current"]))
    requests = [
        dg.RunRequest(
            run_key=request.run_key,
            partition_key=request.batch,
            tags={
                WORK_TAG: request.key[:32],
                WHY_TAG: request.why[:200],
                SETTINGS_TAG: settings.digest()[:16],
            },
        )
        for request in chosen
    ]
    adding = specimen_batches.build_add_request([request.batch for request in chosen])
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=[adding])
