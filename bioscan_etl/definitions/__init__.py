"""The definitions that Dagster loads: the only place that combines the library and the orchestration.

`build_defs` takes the corpus, so that tests and the command line run the same graph over their own. `running` runs it
in this process, `server` serves the UI, `training` and `benchmarks` are code locations of their own.
"""

from __future__ import annotations

import logging
import os
import time

import dagster as dg

from bioscan_etl.assets.curation import ASSETS
from bioscan_etl.definitions.event_log import keep_engines
from bioscan_etl.errors import BioscanError
from bioscan_etl.progress import Progress, estimate, one_at_a_time
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.alerts import alerts_sensor
from bioscan_etl.sensors.jobs import check_release, curate_and_release, ingest_batch, tidy_up
from bioscan_etl.sensors.new_batches import new_batches_sensor
from bioscan_etl.sensors.releases import schedules, settled_sensor
from bioscan_etl.settings import Settings

_log = logging.getLogger("bioscan_etl")

keep_engines()  # before any run: code servers, workers and the command line import this module


class NoIOManager(dg.IOManager):
    """Refuses values: assets write to the lake themselves, and Dagster's default would pickle them unnoticed."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Refuse an asset's value.

        Raises:
            DagsterInvariantViolationError: always, unless there is no value.
        """
        if obj is not None:
            raise dg.DagsterInvariantViolationError(f"{context.name} returned a value; return a MaterializeResult")

    def load_input(self, context: dg.InputContext) -> object:
        """Refuse to load a value.

        Raises:
            DagsterInvariantViolationError: always.
        """
        raise dg.DagsterInvariantViolationError(f"{context.name} is read from the lake, not from Dagster")


class LogProgress:
    """Progress as log lines, one every five seconds and one at the end of each stage."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._began: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Log `stage: done of total`, and how long it may still take."""
        now = time.monotonic()
        began = self._began.setdefault(stage, now)
        if done == total or now - self._last.get(stage, 0.0) > 5:
            self._last[stage] = now
            of = "unknown" if total is None else f"{total:,}"
            _log.info("%s: %s of %s%s", stage, f"{done:,}", of, estimate(done, total, now - began))
        if done == total:
            self._began.pop(stage, None)


def build_defs(corpus: CorpusResource, progress: Progress) -> dg.Definitions:
    """The whole graph over a corpus.

    Args:
        corpus: lake and settings; the pace of sensors and schedules is read from its settings now.
        progress: receives the progress of stages.
    """
    settings = _settings(corpus)
    automation = settings.automation
    return dg.Definitions(
        assets=ASSETS,
        jobs=[ingest_batch, curate_and_release, check_release, tidy_up],
        sensors=[
            new_batches_sensor(automation),
            settled_sensor(automation),
            alerts_sensor(settings.alerts, automation),
        ],
        schedules=schedules(automation),
        resources={
            "io_manager": NoIOManager(),
            "corpus": dg.ResourceDefinition.hardcoded_resource(corpus),
            "progress": dg.ResourceDefinition.hardcoded_resource(one_at_a_time(progress)),
        },
        executor=dg.in_process_executor,  # six trivial steps: 0.5 s, against 12 s in processes (spec: orchestration)
    )


def _settings(corpus: CorpusResource) -> Settings:
    """For sensors and schedules; the defaults where the settings are broken, which every tick and run then says."""
    try:
        return corpus.settings()
    except BioscanError as error:
        _log.error("%s", error)
        return Settings()


defs = build_defs(CorpusResource(os.environ.get("BIOSCAN_OUTPUT", "output")), LogProgress())
