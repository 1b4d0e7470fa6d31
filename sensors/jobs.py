"""The jobs of the graph: per batch, for the whole corpus, and for maintenance."""

import datetime as dt
from dataclasses import asdict

import dagster as dg

from bioscan_etl.assets.factory import one_line_errors
from bioscan_etl.errors import InvariantError, LakeError
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress
from bioscan_etl.release import versions
from bioscan_etl.resources import CorpusResource
from bioscan_etl.stages.commit import tidy
from bioscan_etl.stages.registry import BATCH_STAGES, CORPUS_STAGES

INGEST_JOB = "ingest_batch"
CORPUS_JOB = "curate_and_release"
WORK_TAG = "bioscan/work"
WHY_TAG = "bioscan/why"

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
        context.log.error(printable(f"{fault.file} {fault.processid or ''}: {fault.fault}"))
    if faults:
        raise InvariantError(f"release {release.name} has {len(faults):,} faults; the first: {faults[0].fault}")


@dg.job(description="Verify the last release with every image, without the lake.")
def check_release() -> None:
    """Verify the last release."""
    check_latest()


@dg.op
@one_line_errors
def tidy_lake(context: dg.OpExecutionContext, corpus: dg.ResourceParam[CorpusResource]) -> None:
    """Remove outputs that no record, pin or pointer refers to."""
    removed = tidy(corpus.lake())
    context.log.info(f"{removed} unreferenced outputs removed")


@dg.op
@one_line_errors
def tidy_runs(context: dg.OpExecutionContext, corpus: dg.ResourceParam[CorpusResource]) -> None:
    """Remove old runs and ticks with their events and logs (`automation.keep_runs_days`, `keep_ticks_days`)."""
    from bioscan_etl.sensors.history import tidy_history  # every run loads this module, and few tidy

    removed = tidy_history(context.instance, corpus.settings().automation, dt.datetime.now(dt.UTC))
    context.log.info(str(removed))
    context.add_output_metadata(asdict(removed))


@dg.job(description="Remove unreferenced outputs, and old runs and ticks with their events and logs.")
def tidy_up() -> None:
    """Remove what nothing needs."""
    tidy_lake()
    tidy_runs()
