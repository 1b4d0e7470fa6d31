"""An overview of a corpus: its batches, its releases, and what the next run would do.

Belongs here: one row per batch and release, with numbers and reasons. Does not belong here: deciding what is stale
(`bioscan_etl.state`), and the words for a terminal (`bioscan_etl.cli.corpus`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan_etl import landing, state
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.lake import Lake, withdrawals
from bioscan_etl.lake.record import committed
from bioscan_etl.plans import unlanded
from bioscan_etl.release import staging, versions
from bioscan_etl.release.manifest import read_head
from bioscan_etl.settings import Settings


@dataclass(frozen=True, slots=True)
class BatchOverview:
    """One batch.

    Attributes:
        batch: its name.
        status: withdrawn, current, damaged, failed, stale or landed (not ingested yet).
        records: records of its barcode marker; None if it is not ingested.
        images: images that were looked at; None likewise.
        detected: images with one sure specimen; None likewise.
        why: every reason for the status, one line each.
        reasons: why it has to be ingested (again), one line each; empty if it is current.
        problem: why it cannot be made, in one line; empty if it can.
        failure: the last failed attempt, in one line; empty if there was none.
        withdrawn: why it was withdrawn; empty if it was not.
        failed_checks: ids of checks that its current outputs failed, sorted.
        delivery: fingerprint of what landed; None if nothing did, or the marker is damaged.
        current_delivery: fingerprint of what its current outputs were made from; None if there are none.
    """

    batch: str
    status: str
    records: int | None
    images: int | None
    detected: int | None
    why: tuple[str, ...]
    reasons: tuple[str, ...]
    problem: str
    failure: str
    withdrawn: str
    failed_checks: tuple[str, ...]
    delivery: str | None
    current_delivery: str | None


@dataclass(frozen=True, slots=True)
class ReleaseOverview:
    """One release; the counts are None if its manifest cannot be read.

    Attributes:
        version: such as `v3`.
        latest: whether `latest` names it.
        specimens: specimens that it holds.
        quarantined: specimens that a gate holds back.
        set_aside: rows that are not specimens of their own.
        rejected: rows that could not be read.
        problem: why the counts are not known; empty if they are.
    """

    version: str
    latest: bool
    specimens: int | None = None
    quarantined: int | None = None
    set_aside: int | None = None
    rejected: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NextRun:
    """What the next run would do.

    Attributes:
        last_release: version of the last release; None if there is none.
        to_ingest: batches that it would ingest.
        reasons: why a release is due, one line each; empty if the last one is up to date.
        blocked: why no release can be made, in one line; empty if one can.
        failure: the last failed attempt at the release that is due, in one line; empty if there was none.
    """

    last_release: str | None
    to_ingest: tuple[str, ...]
    reasons: tuple[str, ...]
    blocked: str
    failure: str

    @property
    def has_work(self) -> bool:
        """Whether it would ingest a batch or make a release."""
        return bool(self.to_ingest) or bool(self.reasons and not self.blocked)


@dataclass(frozen=True, slots=True)
class Overview:
    """A corpus.

    Attributes:
        root: its folder.
        batches: every batch, sorted by name.
        folders: folders of the inbox that have not landed, or have changed since, each with what is known of it.
        releases: every release, oldest first.
        next_run: what the next run would do.
    """

    root: Path
    batches: tuple[BatchOverview, ...]
    folders: dict[str, str]
    releases: tuple[ReleaseOverview, ...]
    next_run: NextRun


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A batch that was withdrawn, or taken in again.

    Attributes:
        batch: its name.
        withdrawn: False if a withdrawal was undone.
        reason: why it is withdrawn; empty if a withdrawal was undone.
        next_run: what the next run would do; None if that is not known.
        problem: why it is not known, in one line; empty if it is.
    """

    batch: str
    withdrawn: bool
    reason: str
    next_run: NextRun | None
    problem: str


def survey_corpus(lake: Lake, settings: Settings) -> Overview:
    """Find the state of every batch and release; one that is damaged hides no other.

    Raises:
        LakeError: the lake is of another layout.
        SettingsError: the detector of the settings cannot be loaded.
    """
    corpus = state.corpus(lake, settings)
    return Overview(
        root=lake.root,
        batches=tuple(_batch(lake, one) for one in corpus.batches),
        folders=dict(unlanded(lake, settings)),
        releases=tuple(_releases(lake)),
        next_run=_next_run(corpus),
    )


def set_withdrawn(lake: Lake, settings: Settings, batch: str, reason: str | None) -> Withdrawal:
    """Withdraw a batch, or undo that if the reason is None; the withdrawal counts even if something else is damaged.

    Raises:
        SourceError: there is no such batch, no reason, it is withdrawn already, or there is nothing to undo.
    """
    if reason is None:
        withdrawals.restore(lake, batch)
    else:
        withdrawals.withdraw(lake, batch, reason, sorted({*landing.landed(lake), *committed(lake)}))
    try:
        following, problem = _next_run(state.corpus(lake, settings)), ""
    except (BioscanError, OSError) as error:
        following, problem = None, sentence(error)
    return Withdrawal(batch, reason is not None, reason or "", following, problem)


def _next_run(corpus: state.CorpusState) -> NextRun:
    return NextRun(
        last_release=corpus.last or None,
        to_ingest=tuple(corpus.to_ingest),
        reasons=corpus.reasons,
        blocked=corpus.blocked,
        failure=corpus.failure.sentence if corpus.failure else "",
    )


def _batch(lake: Lake, one: state.BatchState) -> BatchOverview:
    raw, boxes = (_counts(lake, one, stage) for stage in ("raw_records", "specimen_boxes"))
    failed_checks = (
        sorted({check for stage in one.record.stages.values() for check in stage.failed_checks}) if one.record else []
    )
    failure = one.failure.sentence if one.failure else ""
    why = {
        "withdrawn": [one.withdrawn],
        "damaged": [one.problem],
        "failed": [failure],
        "current": [f"failed check {check}" for check in failed_checks],
    }.get(one.status, list(one.reasons))
    return BatchOverview(
        batch=one.name,
        status=one.status,
        records=raw.get("records"),
        images=boxes.get("images"),
        detected=boxes.get("detected"),
        why=tuple(why),
        reasons=one.reasons,
        problem=one.problem,
        failure=failure,
        withdrawn=one.withdrawn,
        failed_checks=tuple(failed_checks),
        delivery=one.delivery.fingerprint if one.delivery else None,
        current_delivery=one.record.delivery if one.record else None,
    )


def _counts(lake: Lake, one: state.BatchState, stage: str) -> dict[str, Any]:
    """What a stage of the current record of a batch counted; empty if there is none."""
    if one.record is None:
        return {}
    try:
        return dict(one.record.output(lake, stage).counts)
    except (BioscanError, KeyError):
        return {}


def _releases(lake: Lake) -> list[ReleaseOverview]:
    latest = staging.latest(lake.releases)
    found = []
    for folder in versions.versions(lake.releases):
        try:
            ledger = read_head(folder)["ledger"]
            released, quarantined, aside, rejected = (
                int(ledger[name]) for name in ("specimens", "quarantined", "set_aside", "rejected")
            )
            found.append(ReleaseOverview(folder.name, folder == latest, released, quarantined, aside, rejected))
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = f"its manifest cannot be read ({type(error).__name__})"
            found.append(ReleaseOverview(folder.name, folder == latest, problem=problem))
    return found
