"""The commands that look after a corpus: `demo`, `land`, `ui`, `status`, `withdraw`.

Belongs here: what is said of batches, releases and the next run. Does not belong here: finding it out
(`bioscan_etl.state`), `run` and `why`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError, SourceError, sentence

if TYPE_CHECKING:
    from bioscan_etl.lake import Lake
    from bioscan_etl.settings import Settings
    from bioscan_etl.state import BatchState, CorpusState

_SHOWN = 3  # reasons in a line; --json has all


def corpus_at(folder: Path) -> Lake:
    """The corpus of an existing folder.

    Raises:
        SourceError: there is no such folder.
    """
    from bioscan_etl.lake import Lake

    root = folder.expanduser().resolve()
    if not root.is_dir():
        raise SourceError(f"there is no folder {root}; give the --output of bioscan-etl run")
    return Lake(root)


def demo(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write a synthetic corpus and land its batches."""
    from bioscan_etl import landing
    from bioscan_etl.demo.corpus import write_demo
    from bioscan_etl.lake import Lake

    output = arguments.output.expanduser().resolve()
    with terminal.progress() as progress:
        summary = write_demo(output, arguments.specimens, arguments.seed, progress)
        for batch in summary.batches:
            images = [] if batch.images is None else [str(batch.images)]
            manifest = None if batch.image_manifest is None else str(batch.image_manifest)
            landing.register(Lake(output), batch.name, [str(path) for path in batch.records], images, manifest)
    following = f"bioscan-etl run --output {arguments.output}"
    terminal.fact(
        output=output,
        landing=output / "landing",
        truth=summary.truth,
        batches=[batch.name for batch in summary.batches],
        specimens=summary.specimens,
        images=summary.images,
        next=following,
    )
    terminal.say(
        f"demo corpus: {len(summary.batches)} batches in {output / 'landing'}, the truth in {output / 'truth'}"
    )
    terminal.hint(f"next: {following}")
    return 0


def land(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Land a delivery as one batch."""
    from bioscan_etl import landing
    from bioscan_etl.lake import Lake

    lake = Lake(arguments.output.expanduser().resolve())
    lake.require_format()
    with terminal.progress() as progress:
        batch = landing.land(
            lake, arguments.sources, arguments.name, snapshot_date=arguments.snapshot_date, progress=progress
        )
    records = [batch.locate(entry.location) for entry in batch.records]
    images = [{"location": batch.locate(entry.location), "files": entry.files} for entry in batch.images]
    manifest = batch.locate(batch.image_manifest.location) if batch.image_manifest else None
    unknown = [name for source in arguments.sources for name in landing.recognise(source).unknown]
    following = f"bioscan-etl run --output {arguments.output}"
    terminal.fact(
        batch=batch.name,
        delivery=batch.fingerprint,
        records=records,
        images=images,
        image_manifest=manifest,
        left_out=unknown,
        next=following,
    )
    terminal.say(f"landed {batch.name} in {lake.landing / batch.name}")
    for location in records:
        terminal.say(f"  records {location}")
    for one in images:
        terminal.say(f"  images {one['location']}: {one['files']:,} files")
    if manifest:
        terminal.say(f"  image manifest {manifest}")
    if unknown:
        terminal.say(f"  left out, of no known kind: {', '.join(unknown)}")
    terminal.hint(f"next: {following}")
    return 0


def ui(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Serve the UI until Ctrl-C."""
    from bioscan_etl.ui import serve

    return serve(
        arguments.output.expanduser(),
        host=arguments.host,
        port=arguments.port,
        read_only=arguments.read_only,
        allow_hosts=arguments.allow_host,
        training_python=arguments.training_python,
        tell=terminal.say,
    )


def status(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show batches, releases, and what the next run would do."""
    from bioscan_etl import state
    from bioscan_etl.cli.dry_run import unlanded
    from bioscan_etl.lake.corpus import read_settings

    lake = corpus_at(arguments.output)
    settings = read_settings(lake)
    corpus = state.corpus(lake, settings)
    batches = [_batch(lake, one) for one in corpus.batches]
    if batches:
        rows = [[one[name] for name in ("batch", "status", "records", "images", "why")] for one in batches]
        terminal.table(f"batches of {lake.root}", ("batch", "status", "records", "images", "why"), rows)
    else:
        terminal.say(f"no batch has landed in {lake.landing}")
    folders = dict(unlanded(lake, settings))
    for name, said in folders.items():
        terminal.say(f"folder {name} has not landed: {said}")
    releases = _releases(lake)
    if releases:
        names = ("version", "specimens", "quarantined", "set_aside", "rejected", "problem")
        terminal.table(
            "releases", [name.replace("_", " ") for name in names], [[r[n] for n in names] for r in releases]
        )
    _say_next(corpus, terminal)
    terminal.fact(
        output=lake.root,
        batches=batches,
        folders=folders,
        releases=releases,
        corpus={
            "last_release": corpus.last or None,
            "to_ingest": corpus.to_ingest,
            "reasons": corpus.reasons,
            "blocked": corpus.blocked,
            "failure": corpus.failure.sentence if corpus.failure else "",
        },
    )
    return 0


def _batch(lake: Lake, one: BatchState) -> dict[str, Any]:
    """A row of the table of batches, and what only the JSON document holds."""
    raw, boxes = (_counts(lake, one, stage) for stage in ("raw_records", "specimen_boxes"))
    failed_checks = (
        sorted({check for stage in one.record.stages.values() for check in stage.failed_checks}) if one.record else []
    )
    reasons = {
        "withdrawn": [one.withdrawn],
        "damaged": [one.problem],
        "failed": [one.failure.sentence if one.failure else ""],
        "current": [f"failed check {check}" for check in failed_checks],
    }.get(one.status, list(one.reasons))
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return {
        "batch": one.name,
        "status": one.status,
        "records": raw.get("records"),
        "images": boxes.get("images"),
        "detected": boxes.get("detected"),
        "why": "; ".join(reasons[:_SHOWN]) + more,
        "reasons": one.reasons,
        "problem": one.problem,
        "failure": one.failure.sentence if one.failure else "",
        "withdrawn": one.withdrawn,
        "failed_checks": failed_checks,
        "delivery": one.delivery.fingerprint if one.delivery else None,
        "current_delivery": one.record.delivery if one.record else None,
    }


def _counts(lake: Lake, one: BatchState, stage: str) -> dict[str, Any]:
    """What a stage of the current record of a batch counted; empty where there is none."""
    if one.record is None:
        return {}
    try:
        return dict(one.record.output(lake, stage).counts)
    except (BioscanError, KeyError):
        return {}


def _releases(lake: Lake) -> list[dict[str, Any]]:
    """The releases, oldest first; a damaged one is named as such."""
    from bioscan_etl.release import staging
    from bioscan_etl.release.manifest import read_head

    latest = staging.latest(lake.releases)
    found = []
    for folder in staging.versions(lake.releases):
        row: dict[str, Any] = {"version": folder.name, "latest": folder == latest, "problem": ""}
        try:
            ledger = read_head(folder)["ledger"]
            row |= {name: int(ledger[name]) for name in ("specimens", "quarantined", "set_aside", "rejected")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            row |= dict.fromkeys(("specimens", "quarantined", "set_aside", "rejected"))
            row["problem"] = f"its manifest cannot be read ({type(error).__name__})"
        found.append(row)
    return found


def _say_next(corpus: CorpusState, terminal: Terminal) -> None:
    """Say what the next run would do."""
    terminal.say(f"last release: {corpus.last or 'none'}")
    if corpus.to_ingest:
        terminal.say(f"next run: ingests {', '.join(corpus.to_ingest)}, then makes a release if that changes anything")
    elif corpus.blocked:
        terminal.say(f"next run: makes no release: {corpus.blocked}")
    elif corpus.reasons:
        terminal.say(f"next run: makes a release: {_first(corpus.reasons)}")
    else:
        terminal.say("next run: has nothing to do")
    if corpus.failure is not None:
        terminal.say(f"the last attempt at this release failed: {corpus.failure.sentence}")


def _first(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more


def withdraw(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Withdraw a batch, or undo that; say what it means for the next release."""
    from bioscan_etl import landing
    from bioscan_etl.lake import withdrawals
    from bioscan_etl.lake.corpus import read_settings
    from bioscan_etl.lake.record import committed

    lake, batch = corpus_at(arguments.output), arguments.batch
    settings = read_settings(lake)
    if arguments.undo:
        withdrawals.restore(lake, batch)
        terminal.say(f"{batch} is in the corpus again")
    else:
        withdrawals.withdraw(lake, batch, arguments.reason, sorted({*landing.landed(lake), *committed(lake)}))
        terminal.say(f"{batch} is withdrawn: the releases to come are made without it; its files stay")
    terminal.fact(batch=batch, withdrawn=not arguments.undo, reason=arguments.reason or "")
    _say_meaning(lake, settings, terminal)
    if not arguments.undo:
        terminal.hint(f"undo: bioscan-etl withdraw {batch} --undo --output {arguments.output}")
    return 0


def _say_meaning(lake: Lake, settings: Settings, terminal: Terminal) -> None:
    """Say what the next release would be; the withdrawal stands, whatever is wrong with the rest of the corpus."""
    from bioscan_etl import state

    try:
        corpus = state.corpus(lake, settings)
    except (BioscanError, OSError) as error:
        terminal.fact(corpus={"problem": sentence(error)})
        terminal.say(f"what the next run does is not known: {sentence(error)}")
        return
    terminal.fact(
        corpus={
            "last_release": corpus.last or None,
            "to_ingest": corpus.to_ingest,
            "reasons": corpus.reasons,
            "blocked": corpus.blocked,
        }
    )
    _say_next(corpus, terminal)
