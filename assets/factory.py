"""An asset of a stage: finds what the run works on, makes the stage, reports counts and checks.

Belongs here: the bridge between an entry of the stage registry and Dagster. Does not belong here: anything that depends
on what a stage computes.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import dagster as dg

from bioscan_etl import landing, schema, state
from bioscan_etl.assets.batches import specimen_batches
from bioscan_etl.assets.thumbnails import thumbnails
from bioscan_etl.crash import logs_of, unexpected, write_log
from bioscan_etl.errors import BioscanError, LakeError, is_panic, is_transient, sentence
from bioscan_etl.findings import Finding
from bioscan_etl.lake import failures, pins
from bioscan_etl.lake.failures import Failure
from bioscan_etl.lake.store import Lake
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress
from bioscan_etl.provenance.code import code_of
from bioscan_etl.resources import CorpusResource
from bioscan_etl.settings import Settings
from bioscan_etl.stages.ahead import Ahead
from bioscan_etl.stages.registry import STAGES, Scope, Stage
from bioscan_etl.stages.run import Done, run_stage
from bioscan_etl.stages.situation import Situation

OWNERS = ["team:curation"]
PIN_TAG = "bioscan/pin"
SETTINGS_TAG = "bioscan/settings"
# The first stages of a run on the corpus: by hand, a run may begin at either.
_PINNING = ("decisions", "specimens")
# Most observations that a run records on an asset while it is being made.
_OBSERVATIONS = 20
# The nightly run materialises all of them, in seconds where nothing has changed.
_FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26))

_TYPES = {"String": "text", "Float64": "float", "Boolean": "boolean", "Date": "date", "Binary": "bytes"}


def table_metadata(table: schema.Table) -> dict[str, Any]:
    """The table's columns as the UI shows them."""
    columns = [
        dg.TableColumn(
            column.name,
            type=_TYPES.get(str(column.dtype), str(column.dtype).lower()),
            description=column.meaning + (f" [{column.unit}]" if column.unit else ""),
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,)),
        )
        for column in table.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns), "row": table.row, "key": ", ".join(table.key)}


_RUNS: dict[str, Ahead] = {}
"""The stages of each run of this process that has not ended, by the run's id."""

P = ParamSpec("P")
R = TypeVar("R")


def one_line_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Convert an error that the user can fix to a Dagster failure of one line that is not retried."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (BioscanError, OSError) as error:
            raise dg.Failure(sentence(error), allow_retries=False) from error
        except BaseException as error:
            if not is_panic(error):
                raise
            raise dg.Failure(sentence(error), allow_retries=False) from error

    return wrapped


def failure_sentence(error: BaseException, home: Lake) -> str:
    """Why a stage failed, in one line; the details of an error that nobody expected go to a log of the corpus."""
    if isinstance(error, (BioscanError, OSError)):
        return sentence(error)
    return unexpected(error, write_log(error, sys.argv, [logs_of(home.root)]))


def _check_specs(stage: Stage, partitions: dg.PartitionsDefinition | None) -> list[dg.AssetCheckSpec]:
    """The checks of a stage; a batch's check is of that batch: another one that passes later does not hide it."""
    with warnings.catch_warnings():
        # Partitioned checks exist from Dagster 1.13 and are called a preview there.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                check.id,
                asset=stage.name,
                blocking=check.blocking,
                description=check.statement,
                partitions_def=partitions,
            )
            for check in stage.checks
        ]


def asset_of(stage: Stage) -> dg.AssetsDefinition:
    """The asset of a stage: its dependencies, checks, pool and code version are those of its entry."""
    settings = {"settings": ", ".join(stage.settings)} if stage.settings else {}
    partitions = specimen_batches if stage.scope is Scope.BATCH else None

    @dg.asset(
        name=stage.name,
        description=stage.about,
        group_name=stage.group,
        kinds=set(stage.kinds),
        owners=OWNERS,
        metadata={**(table_metadata(stage.table) if stage.table else {}), **settings},
        deps=[*stage.reads, *stage.after],
        partitions_def=partitions,
        check_specs=_check_specs(stage, partitions) or None,
        code_version=code_of(stage.name).label,
        freshness_policy=None if stage.scope is Scope.BATCH else _FRESH,
        pool=stage.pool,
    )
    def made(
        context: dg.AssetExecutionContext,
        corpus: dg.ResourceParam[CorpusResource],
        progress: dg.ResourceParam[Progress],
    ) -> dg.MaterializeResult:
        return _make(stage, context, corpus, progress)

    return made


@one_line_errors
def _make(
    stage: Stage, context: dg.AssetExecutionContext, corpus: CorpusResource, progress: Progress
) -> dg.MaterializeResult:
    home, settings = corpus.lake(), corpus.settings()
    if stage.scope is Scope.BATCH:
        batch = landing.load(home, context.partition_key)
        situation = Situation(home, settings, batch=batch)
    else:
        situation = Situation(home, settings, pin=_pin(stage, context, home, settings))
    ahead = _ahead(stage, context, situation, progress)
    try:
        done = ahead.make(stage.name, observed(context, progress))
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        _end(context.run.run_id)
        why = failure_sentence(error, home)
        _note(situation, stage.name, why, transient=is_transient(error))
        raise dg.Failure(why, allow_retries=False) from error
    failed = [finding for finding in done.findings if not finding.passed and finding.blocking]
    if failed:
        _note(situation, stage.name, failed_sentence(failed[0]), transient=False)
    if ahead.is_over:
        _end(context.run.run_id)
    context.log.info(printable(f"{'built' if done.built else 'nothing has changed'}: {done.folder}"))
    return _result(stage, done, situation)


def _ahead(stage: Stage, context: dg.AssetExecutionContext, situation: Situation, progress: Progress) -> Ahead:
    """The stages of this run, of which some are made ahead of their turn."""
    known = _RUNS.get(context.run.run_id)
    if known is not None and known.situation.is_same(situation):
        return known
    # The first stage of the run; or its pin was made by a stage before this one.
    _end(context.run.run_id)
    chosen = set(context.run.step_keys_to_execute or context.job_def.graph.node_dict)
    stages = [name for name in STAGES if name in chosen]
    left = stages[stages.index(stage.name) :] if stage.name in stages else [stage.name]
    # Without a pin of its own yet, the run works on that of another for now.
    is_pinned = situation.pin is None or _pinned(context) == situation.pin.digest
    budget = situation.settings.automation.memory_gb * 1e9 if is_pinned else 0.0
    _RUNS[context.run.run_id] = Ahead(situation, left, progress, budget, run_stage)
    return _RUNS[context.run.run_id]


def _end(run: str) -> None:
    """Make no further stage of a run ahead."""
    ahead = _RUNS.pop(run, None)
    if ahead is not None:
        ahead.close()


def failed_sentence(finding: Finding) -> str:
    """A failed check in one line."""
    samples = f", such as {', '.join(finding.samples[:3])}" if finding.samples else ""
    detail = f"; {finding.detail}" if finding.detail else ""
    return printable(
        f"failed check {finding.check} ({finding.count:,}{samples}); required: {finding.statement}{detail}"
    )


def _pin(stage: Stage, context: dg.AssetExecutionContext, home: Lake, settings: Settings) -> pins.Pin:
    """The pin of the run: that of its tag, else a new one by the first stages, else that of the last corpus run."""
    wanted = _pinned(context)
    if not wanted and stage.name in _PINNING:
        pin = state.pin_now(home, settings)
        context.instance.add_run_tags(context.run.run_id, {PIN_TAG: pin.digest, SETTINGS_TAG: settings.digest()[:16]})
        return pin
    pin = pins.load_pin(home, wanted or state.pin_of_last_run(home))
    if pin.settings != settings.digest():
        raise LakeError("the settings have changed since the batches were pinned; start a new run at stage decisions")
    return pin


def _pinned(context: dg.AssetExecutionContext) -> str | None:
    """Digest of the pin of the run, as its tag has it now."""
    run = context.instance.get_run_by_id(context.run.run_id)
    tags: Mapping[str, str] = run.tags if run else context.run_tags
    return tags.get(PIN_TAG)


def _note(situation: Situation, stage: str, why: str, *, transient: bool) -> None:
    """Store why the batch or the corpus failed; an error here must not hide the original one."""
    try:
        if situation.batch is not None:
            key = state.work_key(situation.lake, situation.settings, situation.batch)
            failure = Failure(key, stage, f"{stage}: {why}", transient, situation.batch.fingerprint)
            failures.note(situation.lake, failure, situation.batch.name)
        else:
            key = state.corpus_key(situation)
            failures.note(situation.lake, Failure(key, stage, f"{stage}: {why}", transient), corpus=True)
    except (BioscanError, OSError) as error:
        dg.get_dagster_logger().warning(f"the failure could not be stored: {sentence(error)}")


def _result(stage: Stage, done: Done, situation: Situation) -> dg.MaterializeResult:
    metadata: dict[str, Any] = {
        "folder": dg.MetadataValue.path(str(done.folder)),
        "counts": dg.MetadataValue.json(dict(done.counts)),
        "content": done.content,
        "built": done.built,
        "cost": str(done.cost),
        "settings": situation.settings.digest()[:16],
    }
    if situation.pin is not None:
        metadata["pin"] = situation.pin.digest
    rows = done.counts.get(stage.table.name, done.counts.get("rows")) if stage.table else None
    if rows is not None:
        metadata["dagster/row_count"] = int(rows)
    for name in ("contact_sheet.jpg", "report/index.html"):
        if (done.folder / name).is_file():
            metadata[name.split("/")[0].removesuffix(".jpg")] = dg.MetadataValue.path(str(done.folder / name))
    if done.output is not None and (shown := thumbnails(done.folder)) is not None:
        metadata["figures"] = dg.MetadataValue.md(shown)
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(done.content),
        check_results=list(_evaluations(stage, done)),
    )


def _evaluations(stage: Stage, done: Done) -> Iterator[dg.AssetCheckResult]:
    found = {finding.check: finding for finding in done.findings}
    for check in stage.checks:
        finding = found[check.id]
        yield dg.AssetCheckResult(
            check_name=check.id,
            asset_key=stage.name,
            passed=finding.passed,
            severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
            description=printable(finding.detail) or None,
            metadata={
                "failing": finding.count,
                "sample": dg.MetadataValue.json([printable(one) for one in finding.samples]),
                "folder": dg.MetadataValue.path(str(done.folder)),
            },
        )


def observed(context: dg.AssetExecutionContext, progress: Progress) -> Progress:
    """Also report progress to Dagster as observations of the asset, which the UI shows during a run.

    Metadata of a materialisation appears only when it is complete; a batch of a million images takes hours.
    """
    reported = -1
    partition = context.partition_key if context.has_partition_key else None

    def report(stage: str, done: int, total: int | None = None) -> None:
        nonlocal reported
        progress(stage, done, total)
        step = done * _OBSERVATIONS // total if total else _OBSERVATIONS
        if step != reported and done and total:
            reported = step
            values: dict[str, Any] = {"stage": stage, "done": done, "total": total}
            context.log_event(dg.AssetObservation(context.asset_key, partition=partition, metadata=values))

    return report
