"""New batches: each marker in the landing folder that the lake does not stand for yet becomes a run.

The run key carries the delivery's fingerprint: without it, a batch that lands again would be dropped in
silence. Nothing is kept in the cursor; the lake's manifests say what was ingested.
"""

import dagster as dg

from assets.batches import specimen_batches
from bioscan_etl import batches
from bioscan_etl.errors import BioscanError
from bioscan_etl.resources import LakeResource
from sensors.jobs import ingest_batch

# An evaluation has 60 s and launches its requests one by one (spec: orchestration).
MOST_REQUESTS = 50


@dg.sensor(
    job=ingest_batch,
    minimum_interval_seconds=60,
    description="Looks for batch folders with a marker and requests a run for each that is new or has changed.",
)
def new_batches(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Request one run per new or changed batch; refuse names that cannot be partitions, with the reason."""
    home = lake.lake()
    requests, refused = [], []
    for name in batches.landed(home):
        try:
            batch = batches.load(home, name)
        except BioscanError as error:
            refused.append(str(error))
            continue
        if batches.is_ingested(home, batch):
            continue
        requests.append(
            dg.RunRequest(
                run_key=f"{name}:{batch.fingerprint}",
                partition_key=name,
                tags={"bioscan/delivery": batch.fingerprint},
            )
        )
    for reason in refused:
        context.log.warning(reason)
    chosen = requests[:MOST_REQUESTS]
    if not chosen:
        return dg.SkipReason("; ".join(refused) or "every landed batch is ingested")
    return dg.SensorResult(
        run_requests=chosen,
        dynamic_partitions_requests=[
            specimen_batches.build_add_request([str(request.partition_key) for request in chosen])
        ],
    )
