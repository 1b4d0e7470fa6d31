"""The curators' desk as files: every doubt of the release with its evidence, and the pages of each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl.decisions.outcome import outcome
from bioscan_etl.decisions.read import Decisions, read_decisions
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.counted import lines_by_status, rows_by_batch
from bioscan_etl.desk.export import Contents, fill_pages
from bioscan_etl.desk.tally import Tally
from bioscan_etl.desk.trends import expectations, of_batches, of_release, of_run, side_by_side
from bioscan_etl.errors import BioscanError
from bioscan_etl.images.detect import detector_fingerprint
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.lake.decisions import load_copy
from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.store import Lake, Output, digest
from bioscan_etl.quality.history import batch_results, history, in_order, stated
from bioscan_etl.quality.history import of_release as stated_of
from bioscan_etl.quality.results import RESULTS, read_results
from bioscan_etl.release import versions
from bioscan_etl.release.manifest import read_head
from bioscan_etl.release.rules import RULES
from bioscan_etl.stages.registry import PAGES
from bioscan_etl.stages.work import Work

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation

_EXPECTATIONS = ("specimen_expectations", "curated_expectations", "release_expectations")
_EFFECTS = ("drawn_boxes", "specimens", "curated_taxonomy")
_REWRITES = {rule.id for rule in RULES}
_MOST_RELEASES = 7  # before this one


@dataclass(slots=True)
class _Pinned(Corpus):
    """The corpus of a run: its pinned inputs, whatever is current by now."""

    work: Work | None = None

    def output(self, stage: str) -> Output:
        assert self.work is not None
        return self.work.outputs[stage]

    def title(self) -> str:
        return self.settings.release.dataset

    def version(self) -> str:
        # Of the content: the same doubts, made by other code, are the same pages.
        release = self.before()
        return self.output("doubts").files["doubts.parquet"] + (f"-{release.name}" if release else "")

    def before(self) -> Path | None:
        assert self.work is not None
        earlier = _earlier(self.lake, str(self.work.extra["version"]))
        return earlier[-1] if earlier else None

    def decisions(self) -> Decisions:
        assert self.work is not None
        files = load_copy(self.lake, self.work.pinned.decisions)
        return read_decisions(files.texts, files.unreadable)


def build(work: Work) -> None:
    """Write the pages of all doubts and of each batch."""
    corpus = _Pinned(work.lake, work.settings, "", work=work)
    version = str(work.extra["version"])
    contents = Contents(
        release=version,
        front=_front(work, corpus),
        trends=_trends(work, corpus, version),
        batches=sorted(work.pinned.records),
        most_images=work.settings.desk.images,
        is_public=True,
    )
    folder = work.out.folder / PAGES
    folder.mkdir()
    done = fill_pages(corpus, folder, contents, progress=work.progress)
    work.out.counts.update(doubts=done.doubts, images=done.images, compared=done.compared)


def extra(situation: Situation) -> dict[str, Any]:
    """What the pages show of the release and those before it, of the batches, and who outlines specimens."""
    draft = situation.staging
    published = versions.published(draft.releases, draft.digest)
    version = published.name if published else versions.next_version(draft.releases)
    folders = _earlier(situation.lake, version)
    return {
        "version": version,
        "batches": _batches(situation.pinned),
        "releases": {folder.name: digest(_head(folder)) for folder in folders},
        "history": digest(history(situation.lake, folders, situation.pinned.records).rows()),
        "detector": detector_fingerprint(situation.settings.images),
    }


def _earlier(lake: Lake, version: str) -> list[Path]:
    """Folders of the releases before a version, oldest first."""
    before = [path for path in versions.versions(lake.releases) if int(path.name[1:]) < int(version[1:])]
    return before[-_MOST_RELEASES:]


def _head(folder: Path) -> dict[str, Any] | None:
    """The head of the manifest of a release; None if it cannot be read."""
    try:
        return read_head(folder)
    except (OSError, ValueError, RecursionError):
        return None


def _batches(pin: Pin) -> dict[str, dict[str, Any]]:
    """Batches of the release, and those that are withdrawn: delivery, state, and why."""
    found: dict[str, dict[str, Any]] = {}
    for name, record in pin.records.items():
        failed = sorted({check for one in record.stages.values() for check in one.failed_checks})
        found[name] = {
            "delivery": record.delivery,
            "status": "current",
            "why": [f"failed check {check}" for check in failed],
        }
    for name, reason in pin.withdrawn.items():
        found[name] = {"delivery": None, "status": "withdrawn", "why": [reason]}
    return dict(sorted(found.items()))


def _front(work: Work, corpus: _Pinned) -> dict[str, Any]:
    """What the first page shows beside the doubts: batches, releases, and what decisions did."""
    counts = rows_by_batch(corpus)
    records, images = (_counts(work, *one) for one in (("raw_records", "records"), ("specimen_boxes", "boxes")))
    rows = [
        one | {"batch": name, "records": records.get(name), "images": images.get(name), "counts": counts.get(name, {})}
        for name, one in work.extra["batches"].items()
    ]
    effects = [read_parquet(work.path(stage, "decision_effects.parquet")) for stage in _EFFECTS]
    return {
        "problems": [],
        "batches": rows,
        "folders": {},
        "releases": [_release(folder) for folder in reversed(_earlier(work.lake, str(work.extra["version"])))],
        "next_run": None,
        **lines_by_status(outcome(read_parquet(work.path("decisions", "decisions.parquet")), effects)),
        "refused": corpus.decisions().refused.to_dicts(),
        "taken_away": 0,
    }


def _counts(work: Work, stage: str, table: str) -> dict[str, int]:
    """Rows of a table of each batch."""
    return {name: output.counts[table] for name, output in work.by_batch[stage].items()}


def _release(folder: Path) -> dict[str, Any]:
    """A line about a release before this one."""
    head = _head(folder) or {}
    numbers = {name: head.get("ledger", {}).get(name) for name in ("specimens", "quarantined", "set_aside", "rejected")}
    return {"version": folder.name, "latest": False, "problem": "" if head else "cannot be read", **numbers}


def _trends(work: Work, corpus: _Pinned, version: str) -> dict[str, Any]:
    """What changed in the data, this release included; settings and code are in its manifest."""
    problems: list[str] = []
    heads: dict[str, Mapping[str, Any]] = {}
    released: dict[str, Tally] = {}
    folders = _earlier(work.lake, version)
    for folder in folders:
        head = _head(folder)
        try:
            if head is None:
                raise ValueError("no head")
            counted = of_release(folder)
        except (BioscanError, pl.exceptions.PolarsError, OSError, ValueError):
            # Not why: that can name folders of this machine.
            problems.append(f"release {folder.name} cannot be read")
            continue
        # What is rewritten for a release is not counted: of this one it is in no input.
        counted.rules = {rule: number for rule, number in counted.rules.items() if rule not in _REWRITES}
        heads[folder.name], released[folder.name] = head, counted
    batches = {name: {"delivery": one.delivery} for name, one in work.pinned.records.items()}
    heads[version] = {"version": version, "provenance": {"batches": batches}}
    released[version] = of_run(corpus, version)
    found = side_by_side(work.settings, heads, released, of_batches(corpus))
    return {"problems": problems, **found, "expectations": expectations(_results(work, folders, version))}


def _results(work: Work, folders: Sequence[Path], version: str) -> pl.DataFrame:
    """The history of the expectations, this release included."""
    records = work.pinned.records
    by_stage = {stage: read_results(work.path(stage, RESULTS)) for stage in _EXPECTATIONS}
    own = stated(by_stage, batch_results(work.lake, records))
    return in_order(pl.concat([history(work.lake, folders, records), stated_of(own, version)]))
