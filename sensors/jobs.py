"""The jobs of the graph: per batch, for the whole corpus, and for maintenance."""

import datetime as dt

import dagster as dg

from bioscan_etl.assets.factory import one_line_errors
from bioscan_etl.errors import InvariantError, LakeError
from bioscan_etl.progress import Progress
from bioscan_etl.release import versions
from bioscan_etl.resources import CorpusResource
from bioscan_etl.stages.commit import tidy
from bioscan_etl.stages.registry import BATCH_STAGES, CORPUS_STAGES

INGEST_JOB = "ingest_batch"
CORPUS_JOB = "curate_and_release"
WORK_TAG = "bioscan/work"
WHY_TAG = "bioscan/why"
_KEEP_RUNS_DAYS = 90

ingest_batch = dg.define_asset_job(
    INGEST_JOB,
    selection=dg.AssetSelection.assets(*BATCH_STAGES),
    description="Read, check and crop one specimen batch. Running it again replaces that batch and nothing else.",
)

curate_and_release = dg.define_asset_job(
    CORPUS_JOB,
    selection=dg.AssetSelection.assets(*CORPUS_STAGES),
    description="Curate all ingested batches together and make the next release, if anything changed.",
)


@dg.op
@one_line_errors
def check_latest(
    context: dg.OpExecutionContext,
    corpus: dg.ResourceParam[CorpusResource],
    progress: dg.ResourceParam[Progress],
) -> None:
    """Verify the last release without the lake: checksums, schema, invariants, settings, and every image."""
    from bioscan_etl.release.check import check  # every run loads this module, and few check

    release = versions.latest(corpus.lake().releases)
    if release is None:
        raise LakeError("there is no release to check")
    faults = check(release, images="all", progress=progress)
    for fault in faults[:100]:
        context.log.error(f"{fault.file} {fault.processid or ''}: {fault.fault}")
    if faults:
        raise InvariantError(f"release {release.name} has {len(faults):,} faults; the first: {faults[0].fault}")


@dg.job(description="Verify the last release with every image, without the lake.")
def check_release() -> None:
    """Verify the last release."""
    check_latest()


@dg.op
@one_line_errors
def tidy_lake(context: dg.OpExecutionContext, corpus: dg.ResourceParam[CorpusResource]) -> None:
    """Remove outputs that no record, pin or pointer refers to, and old runs."""
    removed = tidy(corpus.lake())
    context.log.info(f"{removed} unreferenced outputs removed")
    old = dg.RunsFilter(
        created_before=dt.datetime.now(dt.UTC) - dt.timedelta(days=_KEEP_RUNS_DAYS),
        statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
    )
    runs = context.instance.get_runs(old)
    for run in runs:
        context.instance.delete_run(run.run_id)
    context.log.info(f"{len(runs)} runs older than {_KEEP_RUNS_DAYS} days removed")


@dg.job(description="Remove unreferenced outputs and old runs.")
def tidy_up() -> None:
    """Remove what nothing needs."""
    tidy_lake()
