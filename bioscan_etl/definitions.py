"""What Dagster loads: the one place that puts the library and the orchestration together.

`build_defs` takes the resources, so that tests and the command line run the same graph with their own.
`run_batch` and `run_release` run it in this process.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

import assets.checks
import assets.detector
import assets.images
import assets.mirror
import assets.promotion
import assets.quality
import assets.records
import assets.release
import assets.specimens
import assets.splits
import assets.statistics
import assets.taxonomy
from assets.batches import specimen_batches
from assets.specimens import PIN_TAG
from bioscan_etl import batches, storage
from bioscan_etl.errors import BioscanError
from bioscan_etl.lake import Lake
from bioscan_etl.progress import Progress
from bioscan_etl.resources import LakeResource
from sensors.jobs import CORPUS_JOB, INGEST_JOB, curate_and_release, fine_tune_detector, ingest_batch, propose_reviews
from sensors.new_batches import new_batches
from sensors.release_schedule import release_when_changed

_MODULES = (
    assets.records,
    assets.checks,
    assets.images,
    assets.specimens,
    assets.taxonomy,
    assets.splits,
    assets.release,
    assets.mirror,
    assets.statistics,
    assets.quality,
    assets.detector,
    assets.promotion,
)
# The instance of runs that the command line starts where no DAGSTER_HOME is set: beside the lake, telemetry off.
_INSTANCE = """\
storage:
  sqlite:
    base_dir: {folder}
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {folder}
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
telemetry:
  enabled: false
"""
_log = logging.getLogger("bioscan_etl")


class NoIOManager(dg.IOManager):
    """Refuses values: assets write to the lake themselves, and Dagster's default would pickle them unnoticed."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Refuse an asset's value.

        Raises:
            DagsterInvariantViolationError: always.
        """
        raise dg.DagsterInvariantViolationError(f"{context.asset_key} returned a value; return a MaterializeResult")

    def load_input(self, context: dg.InputContext) -> object:
        """Refuse to load a value.

        Raises:
            DagsterInvariantViolationError: always.
        """
        raise dg.DagsterInvariantViolationError(f"{context.asset_key} is read from the lake, not from Dagster")


class LogProgress:
    """Progress as log lines, one every five seconds and one at the end of each stage."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Log `stage: done of total`."""
        now = time.monotonic()
        if done == total or now - self._last.get(stage, 0.0) > 5:
            self._last[stage] = now
            _log.info("%s: %s of %s", stage, f"{done:,}", "unknown" if total is None else f"{total:,}")


def build_defs(resources: Mapping[str, Any]) -> dg.Definitions:
    """The whole graph over the given resources.

    Args:
        resources: `lake` (a `LakeResource`) and `progress` (a `bioscan_etl.progress.Progress`).
    """
    found: list[Any] = []
    checks: list[Any] = []
    for module in _MODULES:
        for thing in vars(module).values():
            if isinstance(thing, dg.AssetChecksDefinition):
                checks.append(thing)
            elif isinstance(thing, dg.AssetsDefinition) and thing not in found:
                found.append(thing)
    return dg.Definitions(
        assets=found,
        asset_checks=checks,
        jobs=[ingest_batch, curate_and_release, propose_reviews, fine_tune_detector],
        sensors=[new_batches],
        schedules=[release_when_changed],
        resources={"io_manager": NoIOManager(), **resources},
        executor=dg.in_process_executor,  # six trivial steps: 0.5 s, against 12 s in processes (spec: orchestration)
    )


def open_instance(lake: Lake) -> dg.DagsterInstance:
    """Dagster's instance: the one that DAGSTER_HOME names, else one below the output folder."""
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    folder = lake.root / ".dagster"
    storage.write_text(folder / "dagster.yaml", _INSTANCE.format(folder=folder))
    return dg.DagsterInstance.from_config(str(folder))


def _run(
    lake: Lake,
    job: str,
    *,
    instance: dg.DagsterInstance,
    progress: Progress,
    settings_file: Path | None,
    partition: str | None,
    tags: Mapping[str, str],
) -> None:
    definitions = build_defs(
        {
            "lake": LakeResource(output=str(lake.root), settings_file=str(settings_file or "")),
            "progress": progress,
        }
    )
    result = definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition,
        tags=dict(tags),
        raise_on_error=False,
        # The terminal is for progress and one-line errors; the UI keeps Dagster's own log of the run.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed and check.blocking]
    if failed:
        names = ", ".join(f"{check.asset_key.to_user_string()}:{check.check_name}" for check in failed)
        raise BioscanError(f"{job} stopped at failed checks: {names}; run {result.run_id} in the UI shows the rows")
    if not result.success:
        raise BioscanError(_first_failure(result))


def _first_failure(result: dg.ExecuteInProcessResult) -> str:
    """The failed step and its reason, in one line."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return f"{event.step_key}: {data.user_failure_data.description}"
            error = data.error
            while error is not None and error.cause is not None:
                error = error.cause
            lines = error.message.strip().splitlines() if error else []
            return f"{event.step_key}: {lines[0] if lines else 'failed'}; run {result.run_id} in the UI has the details"
    return f"run {result.run_id} failed before its first step; the UI has the details"


def run_batch(
    lake: Lake,
    batch: str,
    *,
    instance: dg.DagsterInstance,
    progress: Progress,
    settings_file: Path | None = None,
) -> None:
    """Ingest one landed batch in this process: the job that the sensor requests.

    Raises:
        BioscanError: a stage failed; the message is its one line.
    """
    instance.add_dynamic_partitions(str(specimen_batches.name), [batch])
    _run(
        lake,
        INGEST_JOB,
        instance=instance,
        progress=progress,
        settings_file=settings_file,
        partition=batch,
        tags={"bioscan/delivery": batches.load(lake, batch).fingerprint},
    )


def run_release(
    lake: Lake, *, instance: dg.DagsterInstance, progress: Progress, settings_file: Path | None = None
) -> Path:
    """Curate the whole corpus and make its release in this process: the job that the schedule requests.

    Returns:
        The folder of the release that now is the latest.

    Raises:
        BioscanError: a stage or a blocking check failed; nothing was released.
    """
    pin = batches.pin_current(lake)
    batches.save_pin(lake, pin)
    _run(
        lake,
        CORPUS_JOB,
        instance=instance,
        progress=progress,
        settings_file=settings_file,
        partition=None,
        tags={PIN_TAG: pin.digest},
    )
    return (lake.releases / "latest").resolve()


defs = build_defs(
    {
        "lake": LakeResource(
            output=os.environ.get("BIOSCAN_OUTPUT", "output"), settings_file=os.environ.get("BIOSCAN_SETTINGS", "")
        ),
        "progress": LogProgress(),
    }
)
