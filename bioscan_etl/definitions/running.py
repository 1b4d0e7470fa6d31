"""Runs of the graph in this process, for the command line.

Belongs here: the instance, one batch, one release, and messages about failures. Does not belong here: which batches
need a run (`bioscan_etl.state`).
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from bioscan_etl import state
from bioscan_etl.assets.batches import specimen_batches
from bioscan_etl.assets.factory import PIN_TAG, SETTINGS_TAG
from bioscan_etl.definitions import build_defs
from bioscan_etl.errors import BioscanError
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.lake.store import Lake
from bioscan_etl.progress import Progress
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.jobs import CORPUS_JOB, INGEST_JOB, WORK_TAG
from bioscan_etl.sensors.runs import step_reason
from bioscan_etl.ui.database import automation_of, claim, require_database, storage
from bioscan_etl.ui.storage_path import storage_path

_log = logging.getLogger("bioscan_etl")
_ATTEMPTS = 3
_INTERRUPTS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


def open_instance(lake: Lake) -> dg.DagsterInstance:
    """Dagster's instance: that of DAGSTER_HOME, otherwise the UI's database.

    Raises:
        SettingsError: `settings.toml` is not TOML, or its `[automation]` is broken.
        BioscanError: Dagster cannot use the folder's name, and no link to it can be made, or the database of the
            settings cannot be used.
    """
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    address = automation_of(lake).database
    require_database(address)
    folder = lake.root / ".dagster"
    # A file of its own: the UI's file in the same folder has more settings.
    folder.mkdir(parents=True, exist_ok=True)
    plain = str(storage_path(folder))
    write_text(folder / "run.yaml", yaml.safe_dump(_instance(plain, address)))
    instance = dg.DagsterInstance.from_config(plain, "run.yaml")
    try:
        claim(instance, lake.root, address)
    except BaseException:
        instance.dispose()
        raise
    return instance


def _instance(folder: str, address: str) -> dict[str, Any]:
    """The instance for runs of the command line: in a folder, without telemetry."""
    base = {"base_dir": folder}
    return {
        "storage": storage(address, folder),
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": base,
        },
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
        "telemetry": {"enabled": False},
    }


def _run(
    lake: Lake,
    job: str,
    *,
    instance: dg.DagsterInstance,
    progress: Progress,
    partition: str | None,
    tags: Mapping[str, str],
) -> None:
    definitions = build_defs(CorpusResource(str(lake.root)), progress)
    for attempt in range(1, _ATTEMPTS + 1):
        with _noticing_signals() as interrupted, _quiet_in_notebooks():
            result = definitions.resolve_job_def(job).execute_in_process(
                instance=instance,
                partition_key=partition,
                tags=dict(tags),
                raise_on_error=False,
                # The terminal shows progress and one-line errors; the UI stores Dagster's own log of the run.
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            stopped = interrupted()
        _log.info("run %s of %s%s", result.run_id, job, f" for batch {partition}" if partition else "")
        if stopped or _was_interrupted(result):
            raise KeyboardInterrupt
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed and check.blocking]
        if result.success or failed or any(event.is_step_failure for event in result.all_events):
            break
        # Not a step failed but Dagster itself, for example because the UI's processes changed its database at the same
        # moment. The next run finds the outputs of this one.
        _log.warning("attempt %s: %s", attempt, _first_failure(result))
    if failed:
        raise BioscanError("; ".join(_failed_check(check) for check in failed))
    if not result.success:
        raise BioscanError(_first_failure(result))


@contextmanager
def _noticing_signals() -> Iterator[Callable[[], bool]]:
    """Record whether Ctrl-C or SIGTERM arrives.

    Dagster handles both within a run, and the exception of a handler is lost if it runs in a callback that
    ignores exceptions. The number of the signal is always written into this pipe.

    Afterwards Dagster leaves SIGTERM to the handler of SIGINT. A shell makes its background jobs ignore SIGINT, so that
    `kill` would not end them either, nor what they start. The handler from before is put back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    terminated = signal.getsignal(signal.SIGTERM)

    def came() -> bool:
        try:
            return bool({signal.SIGINT, signal.SIGTERM} & set(os.read(reading, 1024)))
        except BlockingIOError:
            return False

    try:
        yield came
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGTERM, terminated)
        os.close(writing)
        os.close(reading)


@contextmanager
def _quiet_in_notebooks() -> Iterator[None]:
    """Hide a warning of Dagster's that a notebook shows at each run, and that means nothing.

    Dagster ends an event loop of its own without having used it. Where a loop is running already, as in Jupyter, Python
    refuses that; Dagster takes the refusal, but leaves the coroutine behind, of which Python then warns.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"coroutine '.*\.shutdown_asyncgens' was never awaited", RuntimeWarning)
        yield


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether Ctrl-C or SIGTERM ended the run: Dagster counts that as the failure of a step, or of the run."""
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    errors += [event.job_failure_data.error for event in result.all_events if event.is_job_failure]
    return any(error is not None and error.cls_name in _INTERRUPTS for error in errors)


def _failed_check(check: Any) -> str:
    shown = {name: getattr(value, "value", getattr(value, "data", value)) for name, value in check.metadata.items()}
    sample = ", ".join(str(one) for one in (shown.get("sample") or [])[:3])
    return (
        f"{check.asset_key.to_user_string()} failed the check {check.check_name} ({shown.get('failing', '?')}"
        f"{f', such as {sample}' if sample else ''}){f': {check.description}' if check.description else ''}"
    )


def _first_failure(result: dg.ExecuteInProcessResult) -> str:
    """The failed step and its reason, in one line."""
    for event in result.all_events:
        if event.is_step_failure:
            described = event.step_failure_data.user_failure_data
            more = "" if described and described.description else f"; run {result.run_id} in the UI has the details"
            return step_reason(event) + more
    return f"run {result.run_id} failed, but none of its steps; the UI has the details"


def run_batch(lake: Lake, batch: state.BatchState, *, instance: dg.DagsterInstance, progress: Progress) -> None:
    """Ingest one landed batch in this process, with the job that the sensor requests.

    Raises:
        BioscanError: a stage or a blocking check failed; the message is its one line.
    """
    instance.add_dynamic_partitions(str(specimen_batches.name), [batch.name])
    tags = {WORK_TAG: batch.key[:32], SETTINGS_TAG: read_settings(lake).digest()[:16]}
    _run(lake, INGEST_JOB, instance=instance, progress=progress, partition=batch.name, tags=tags)


def run_release(lake: Lake, *, instance: dg.DagsterInstance, progress: Progress) -> Path:
    """Curate the whole corpus and make its release in this process, with the job that the sensors request.

    Returns:
        The folder of the release that is now the latest.

    Raises:
        BioscanError: a stage or a blocking check failed; nothing was released.
    """
    settings = read_settings(lake)
    pin = state.pin_now(lake, settings)
    tags = {PIN_TAG: pin.digest, SETTINGS_TAG: settings.digest()[:16]}
    _run(lake, CORPUS_JOB, instance=instance, progress=progress, partition=None, tags=tags)
    return real_path(lake.releases / "latest")
