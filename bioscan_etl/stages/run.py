"""Making one stage: use the existing output, otherwise build it.

Belongs here: locks, retries and the draft. Does not belong here: what a stage does, and Dagster.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tenacity import RetryCallState, Retrying, before_sleep_log, retry_if_exception, wait_exponential_jitter

from bioscan_etl.errors import BusyError, is_transient
from bioscan_etl.findings import Finding
from bioscan_etl.lake.current import current, point
from bioscan_etl.lake.store import Draft, Output, digest
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release import versions
from bioscan_etl.release.forms.registry import Form, build_form, forms
from bioscan_etl.stages.commit import commit_if_whole, note_mirrored, note_release
from bioscan_etl.stages.cost import Cost, Meter
from bioscan_etl.stages.examine import examine
from bioscan_etl.stages.registry import STAGES, Scope, Stage
from bioscan_etl.stages.situation import ByBatch, Outputs, Situation
from bioscan_etl.stages.work import Work

_log = logging.getLogger("bioscan_etl")
_ATTEMPTS = 3  # within a run; after longer outages, the sensor requests the run again
_LONGEST_WAIT_S = 30.0
_PATIENCE_S = 600.0  # for which it waits while another run makes the same stage
_EXPONENTIAL = wait_exponential_jitter(multiplier=0.5, max=_LONGEST_WAIT_S)
_SAY = before_sleep_log(_log, logging.WARNING)


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a stage.

    Attributes:
        stage: its name.
        folder: folder of its files.
        content: digest of its output.
        built: whether it was made now.
        counts: counts that it reported.
        findings: results of its checks.
        output: its output in the lake; None for a part of the release.
        cost: what making or finding it cost.
    """

    stage: str
    folder: Path
    content: str
    built: bool
    counts: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    output: Output | None = None
    cost: Cost = field(default_factory=Cost)


def run_stage(name: str, situation: Situation, progress: Progress = silent) -> Done:
    """Make a stage's output, unless it exists.

    Temporary failures (network, disk) are retried a few times with increasing waits. While another run makes the same
    stage, this one waits for it, ten minutes at most, and then uses its output.

    Args:
        name: name of the stage.
        situation: what it works on.
        progress: receives its progress.

    Raises:
        BioscanError: an input is missing or invalid, or cannot be used.
    """
    situation.lake.require_format()
    stage = STAGES[name]
    tries = Retrying(
        stop=_is_enough,
        wait=_wait,
        retry=retry_if_exception(is_transient),
        before_sleep=_say,
        reraise=True,
    )
    make = _make_part if stage.scope is Scope.RELEASE else _make_output
    meter = Meter()
    done: Done = tries(make, stage, situation, progress)
    cost = meter.cost()
    _log.info("%s %s: %s", "built" if done.built else "found", stage.name, cost)
    return replace(done, cost=cost)


def _is_busy(tried: RetryCallState) -> bool:
    return tried.outcome is not None and isinstance(tried.outcome.exception(), BusyError)


def _is_enough(tried: RetryCallState) -> bool:
    """Whether to give up: another run is waited for, other failures are tried a few times."""
    if _is_busy(tried):
        return (tried.seconds_since_start or 0.0) > _PATIENCE_S
    return tried.attempt_number >= _ATTEMPTS


def _wait(tried: RetryCallState) -> float:
    return 0.5 if _is_busy(tried) else _EXPONENTIAL(tried)


def _say(tried: RetryCallState) -> None:
    if not _is_busy(tried):
        _SAY(tried)
    elif tried.attempt_number == 1:
        assert tried.outcome is not None
        _log.warning("waiting: %s", tried.outcome.exception())


def _make_output(stage: Stage, situation: Situation, progress: Progress) -> Done:
    lake, batch = situation.lake, situation.name
    made_from = situation.made_from(stage)
    fingerprint = situation.fingerprint(stage, made_from)
    with lake.lock(stage.name, batch):
        output = lake.find(stage.name, fingerprint, batch)
        built = output is None or not output.is_whole
        if built:
            with lake.writing(stage.name, fingerprint, batch, made_from=made_from, resumable=stage.resumable) as draft:
                _function(stage)(_work(stage, situation, progress, draft, made_from))
            output = lake.find(stage.name, fingerprint, batch)
        assert output is not None
        if stage.scope is Scope.CORPUS:
            before = current(lake, stage.name)
            point(lake, stage.name, fingerprint)
            if before is not None and before.fingerprint != fingerprint:
                lake.sweep(stage.name, batch, {fingerprint, before.fingerprint})
    findings = (*output.findings, *examine(stage, output, situation.settings))
    if stage.scope is Scope.BATCH:
        commit_if_whole(situation)
    return Done(stage.name, output.folder, output.content, built, output.counts, findings, output)


def _make_part(stage: Stage, situation: Situation, progress: Progress) -> Done:
    situation.inputs_of(stage)  # raises if an input is missing or invalid
    if not stage.reads:  # it uploads what is published
        counts = _function(stage)(_work(stage, situation, progress, None, {}))
        if counts.get("published"):
            note_mirrored(situation.lake, str(situation.settings.release.publish_to))
        return Done(stage.name, situation.lake.releases, digest(counts), bool(counts.get("sent")), counts)
    draft = situation.staging
    before = versions.published(draft.releases, draft.digest)
    counts = _function(stage)(_work(stage, situation, progress, None, {}))
    published = versions.published(draft.releases, draft.digest)
    if stage.name == "release_manifest":
        note_release(situation, str(counts["version"]))
    return Done(stage.name, published or draft.tree, draft.digest, before is None, counts)


def _function(stage: Stage) -> Any:
    """The function of a stage; its module is imported now, for some take seconds."""
    if stage.form is not None:
        return partial(_make_form, forms()[stage.form])
    return importlib.import_module(stage.module).build


def _make_form(form: Form, work: Work) -> dict[str, Any]:
    """Write an output form, if the settings ask for it; returns what of it they ask for."""
    settings = work.settings.release
    build_form(form, work.release, settings, work.progress)
    return form.asked_for(settings)


def _work(
    stage: Stage, situation: Situation, progress: Progress, draft: Draft | None, made_from: Mapping[str, Any]
) -> Work:
    needs_release = any(STAGES[name].scope is Scope.RELEASE for name in stage.reads)
    extra = made_from["inputs"].get("extra", {}) if made_from else situation.extra_of(stage)
    return Work(
        lake=situation.lake,
        settings=situation.settings.limited(stage.settings, stage.name),
        progress=progress,
        draft=draft,
        batch=situation.batch,
        pin=situation.pin,
        outputs=Outputs(situation, stage),
        by_batch=ByBatch(situation, stage),
        extra=extra,
        staging=situation.staging if stage.reads and (needs_release or stage.scope is Scope.RELEASE) else None,
    )
