"""The command `run`: land, ingest what is not current, make the next release, and list what failed.

Belongs here: the order of these steps, and what is said of them. Does not belong here: which batches are stale
(`bioscan_etl.state`), running the graph (`bioscan_etl.definitions.running`), and `--dry-run` (`dry_run`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioscan_etl.cli.bold import fetch_images_of_batch
from bioscan_etl.cli.dry_run import dry_run
from bioscan_etl.cli.release import publish_release
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError, SourceError, sentence

if TYPE_CHECKING:
    from bioscan_etl.lake import Lake
    from bioscan_etl.progress import Progress
    from bioscan_etl.settings import Settings
    from bioscan_etl.state import BatchState

_FROM_BOLD = "bold"
"""What `--images` is given to have them fetched; a folder of this name is `./bold`."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something that failed: a `batch`, a `folder` of the inbox, the `release` or its `publication`."""

    kind: str
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name or self.kind}: {self.why}"


@dataclass(slots=True)
class _Run:
    """What the steps of a run share."""

    lake: Lake
    settings: Settings
    terminal: Terminal
    failed: list[Failed] = field(default_factory=list)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Land, ingest and release; exit code 1 where something failed."""
    from bioscan_etl.lake import Lake
    from bioscan_etl.lake.corpus import install_settings, located, read_settings
    from bioscan_etl.settings import load_settings

    lake = Lake(arguments.output.expanduser().resolve())
    given: Path | None = arguments.settings
    settings = read_settings(lake) if given is None else located(load_settings(given), lake.root)
    if arguments.publish and not arguments.publish.startswith("s3://"):
        raise SourceError(f"--publish {arguments.publish} is no place on S3; give s3://bucket/prefix")
    deliveries = _deliveries(arguments)
    lake.require_format()
    if arguments.dry_run:
        return dry_run(lake, settings, given, deliveries, arguments.images or [], terminal)
    if given is not None:
        say_settings(install_settings(lake, given), terminal)
        settings = read_settings(lake)
    this = _Run(lake, settings, terminal)
    with terminal.progress() as progress:
        _land(this, arguments, deliveries, progress)
        made, release = _ingest_and_release(this, progress)
    _summarise(this, release, made=made)
    if arguments.publish and release is not None:
        try:
            publish_release(release, arguments.publish, terminal)
        except (BioscanError, OSError) as error:
            this.failed.append(Failed("publication", arguments.publish, sentence(error)))
    terminal.fact(failed=[asdict(one) for one in this.failed])
    if this.failed:
        terminal.say(f"failed: {len(this.failed)}")
    for one in this.failed:
        terminal.say(f"  {one}")
    return 1 if this.failed else 0


def say_settings(changed: Sequence[str], terminal: Terminal) -> None:
    """Say what became other settings of the corpus, one line each."""
    terminal.fact(settings_changed=list(changed))
    for line in changed:
        terminal.say(f"setting {line}")
    if not changed:
        terminal.hint("settings: nothing changed")


def _deliveries(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Records files by batch, each one looked into; one batch of the given name, or one per file."""
    from bioscan_etl import landing
    from bioscan_etl.records.inspect import inspect
    from bioscan_etl.records.sources import RecordsFile, expand

    files = [file for location in arguments.records or () for file in expand(location)]
    if not files and (arguments.images or arguments.image_manifest or arguments.batch):
        raise SourceError("--images, --image-manifest and --batch describe a new batch: give its --records too")
    found: dict[str, list[str]] = {}
    if arguments.batch:
        found = {landing.check_name(arguments.batch): files}
    else:
        for location in files:
            found.setdefault(landing.name_from_file(location), []).append(location)
        for name, group in found.items():
            if len(group) > 1:
                raise SourceError(
                    f"{', '.join(group)} would all be batch {name}; give one --batch, or rename the files"
                )
    for location in files:
        inspect(RecordsFile(location))
    return found


def _land(this: _Run, arguments: argparse.Namespace, deliveries: Mapping[str, list[str]], progress: Progress) -> None:
    """Land what the command names, then the folders of the inbox that are complete."""
    from bioscan_etl import landing

    for name, files in deliveries.items():
        images = list(arguments.images or [])
        if _FROM_BOLD in images:
            folder = this.lake.landing / name / "images"
            fetch_images_of_batch(files, folder, this.settings, progress, this.terminal)
            images = [*(location for location in images if location != _FROM_BOLD), str(folder)]
        landing.register(
            this.lake,
            name,
            files,
            images,
            arguments.image_manifest,
            snapshot_date=arguments.snapshot_date,
            progress=progress,
        )
    found = landing.sweep(this.lake, this.settings.automation.inbox, now=time.time())
    this.terminal.fact(
        landed=[*deliveries, *found.landed], waiting=found.waiting, left_out=found.left_out, inbox_busy=found.busy
    )
    for name in found.landed:
        this.terminal.say(f"landed {name}")
    for name, unknown in found.left_out.items():
        this.terminal.say(f"  {name}: left out, of no known kind: {', '.join(unknown)}")
    for name, why in found.waiting.items():
        this.terminal.say(f"waiting {name}: {why}")
    if found.busy:
        this.terminal.say(f"{this.lake.landing} is being looked at by another process; its folders wait")
    this.failed += [Failed("folder", name, why) for name, why in found.refused.items()]


def _ingest_and_release(this: _Run, progress: Progress) -> tuple[bool, Path | None]:
    """Ingest every batch that is not current, then make the release of those that can be pinned.

    Returns:
        Whether a release was made now, and the folder of the latest one.
    """
    from bioscan_etl import state
    from bioscan_etl.release import staging

    states = state.survey(this.lake, this.settings)
    if not states and not this.failed:
        raise SourceError(f"nothing to run: no --records, and no batch has landed in {this.lake.landing}")
    this.failed += [Failed("batch", one.name, one.problem) for one in states if one.status == "damaged"]
    before = staging.latest(this.lake.releases)
    if states:
        from bioscan_etl.definitions import running

        with running.open_instance(this.lake) as instance:
            this.terminal.fact(ingested=_ingest(this, states, instance, progress))
            ready = state.corpus(this.lake, this.settings)
            try:
                if ready.blocked:
                    this.failed.append(Failed("release", "", ready.blocked))
                else:
                    running.run_release(this.lake, instance=instance, progress=progress)
            except (BioscanError, OSError) as error:
                this.failed.append(Failed("release", "", sentence(error)))
    # Also after a failure: what comes after the release, such as its mirror, may be what failed.
    latest = staging.latest(this.lake.releases)
    return latest != before, latest


def _ingest(this: _Run, states: Sequence[BatchState], instance: Any, progress: Progress) -> list[str]:
    """Ingest each batch that wants it; a failed one does not stop the others. Returns the names of those done."""
    from bioscan_etl.definitions import running

    wanted = [one for one in states if one.wants_work]
    made = []
    for number, one in enumerate(wanted):
        progress("batches", number, len(wanted))
        try:
            running.run_batch(this.lake, one, instance=instance, progress=progress)
        except (BioscanError, OSError) as error:
            this.failed.append(Failed("batch", one.name, sentence(error)))
        else:
            made.append(one.name)
    if wanted:
        progress("batches", len(wanted), len(wanted))
    return made


def _newer_report(lake: Lake, report: Path) -> Path | None:
    """The report in the lake, where it is another than the release's: a new template or note makes no new release."""
    from bioscan_etl.lake.current import current

    output = current(lake, "quality_report")
    page = None if output is None else output.folder / "report" / "index.html"
    if page is None or not page.is_file() or (report.is_file() and page.read_bytes() == report.read_bytes()):
        return None
    return page


def _summarise(this: _Run, release: Path | None, *, made: bool) -> None:
    """Say what the latest release holds, and what it does not hold of the batches."""
    from bioscan_etl.release.manifest import read_head

    say, terminal = this.terminal.say, this.terminal
    if release is None:
        terminal.fact(release=None)
        say("no release was made")
        return
    failed = any(one.kind == "release" for one in this.failed)
    head = read_head(release)
    ledger, counts = head["ledger"], head["counts"]
    report = release / "report" / "index.html"
    newer = _newer_report(this.lake, report)
    notes, withdrawn = _notes(this.lake) if made or not failed else ({}, {})
    terminal.fact(
        release={
            "version": release.name,
            "folder": release,
            "made": made,
            "ledger": ledger,
            "counts": counts,
            "report": report,
            "newer_report": newer,
            "notes": notes,
            "withdrawn": withdrawn,
        }
    )
    if failed and not made:
        say(f"no release was made; the last one stays {release.name}: {release}")
        return
    say(f"release {release.name}: {release}" + ("" if made else "  (nothing changed: no new release)"))
    say(f"  rows read      {ledger['rows_read']:>9,}")
    say(f"  = specimens    {ledger['specimens']:>9,}")
    for part in ("quarantined", "set_aside", "rejected"):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts[part].items() if count)
        say(f"  + {part:<12} {ledger[part]:>9,}" + (f"   {reasons}" if reasons else ""))
    if not ledger["specimens"]:
        say("  No specimen passed the gates. Each waits in quarantine.parquet with its reasons; the report says how")
        say("  to act on each (for records without images: gates.require_image = false in the settings).")
    for name, note in notes.items():
        say(f"  {name}: {note}")
    for name, reason in withdrawn.items():
        say(f"  {name}: withdrawn: {reason}")
    say(f"report: {report}")
    if newer is not None:
        say(f"newer report of the same data: {newer}")
    terminal.hint(f"UI: bioscan-etl ui {this.lake.root}")


def _notes(lake: Lake) -> tuple[dict[str, str], dict[str, str]]:
    """What the last corpus run had to say of batches, and which were withdrawn.

    They are the run's, not the manifest's: where nothing changed, that was written before a delivery failed.
    """
    from bioscan_etl import state
    from bioscan_etl.lake import pins

    pin = pins.load_pin(lake, state.pin_of_last_run(lake))
    return dict(pin.notes), dict(pin.withdrawn)
