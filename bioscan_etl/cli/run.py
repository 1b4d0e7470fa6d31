"""The command `run`: its options, and the output about a run and a plan (`--dry-run`).

Belongs here: the texts. Does not belong here: running (`bioscan_etl.runs`) and planning (`bioscan_etl.plans`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bioscan_etl import api
from bioscan_etl.cli.bold import say_fetched
from bioscan_etl.cli.options import LINES, Answer, File, Folder, Said, reflowed
from bioscan_etl.cli.release import say_published
from bioscan_etl.cli.terminal import Terminal

if TYPE_CHECKING:
    from bioscan_etl.plans import Plan
    from bioscan_etl.runs import Event, Landings, LatestRelease


@reflowed
def run(
    *,
    records: Annotated[tuple[str, ...], Parameter(metavar="FILE", consume_multiple=1)] = (),
    images: Annotated[tuple[str, ...], Parameter(metavar="DIR|ZIP|S3|bold", consume_multiple=1)] = (),
    image_manifest: Annotated[str | None, Parameter(metavar="CSV")] = None,
    output: Folder,
    batch: Annotated[str | None, Parameter(metavar="NAME")] = None,
    snapshot_date: Annotated[dt.date | None, Parameter(metavar="YYYY-MM-DD")] = None,
    settings: File | None = None,
    publish: Annotated[str | None, Parameter(metavar="S3")] = None,
    dry_run: bool = False,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Ingest batches and make the next release.

    Land the records and images as specimen batches, ingest every batch that is new or out of date, curate the whole
    corpus and make its next release. Without --records: the batches that landed in OUTPUT, and the folders there that
    are complete. A batch that fails does not stop the others; it is listed at the end.

    Args:
        records: BOLD records, one or several: TSV, JSON lines, Parquet, .gz, .zip, .tar.gz; a folder of these; s3://
            and https:// too
        images: folder, .zip or s3:// prefix, one or several; the word bold: fetch them from BOLD first, by the
            records' process IDs
        image_manifest: processid,image_file: which image is whose
        output: lake and releases go here
        batch: one batch of this name; without it, one per records file
        snapshot_date: date of the BOLD snapshot, where neither file name nor descriptor says it
        settings: TOML that becomes the settings of the corpus (DIR/settings.toml); without it, those it has count;
            docs/reference/settings.md lists them
        publish: mirror the release to s3://bucket/prefix after it is made
        dry_run: say what would be done and why; change nothing
    """
    asked = {
        "records": records,
        "images": images,
        "image_manifest": image_manifest,
        "batch": batch,
        "snapshot_date": snapshot_date,
        "settings": settings,
        "publish": publish,
    }
    if dry_run:
        terminal.fact(dry_run=True)
        return _say_plan(api.plan(output, **asked), terminal)  # type: ignore[arg-type]
    with terminal.progress() as progress:
        done = api.run(output, **asked, progress=progress, listen=_teller(terminal))  # type: ignore[arg-type]
    if done.release is None:
        terminal.fact(release=None)
        terminal.say("no release was made")
    terminal.fact(ingested=done.ingested, failed=[asdict(one) for one in done.failed])
    if done.failed:
        terminal.say(f"failed: {len(done.failed)}")
    for one in done.failed:
        terminal.say(f"  {one}")
    return 1 if done.failed else 0


def _teller(terminal: Terminal) -> Callable[[Event], None]:
    """Return a function that prints each event of a run as soon as it happens."""
    from bioscan_etl.runs import ImagesFetched, Landings, LatestRelease, SettingsInstalled

    def tell(event: Event) -> None:
        match event:
            case SettingsInstalled(changed):
                terminal.fact(settings_changed=changed)
                for line in changed:
                    terminal.say(f"setting {line}")
                if not changed:
                    terminal.hint("settings: nothing changed")
            case ImagesFetched(folder, images):
                terminal.facts.setdefault("fetched", []).append(say_fetched(folder, images, terminal))
            case Landings():
                _say_landings(event, terminal)
            case LatestRelease():
                _say_release(event, terminal)
            case _:
                say_published(event, terminal)

    return tell


def _say_landings(event: Landings, terminal: Terminal) -> None:
    terminal.fact(landed=event.landed, waiting=event.waiting, left_out=event.left_out, inbox_busy=event.busy)
    for name in event.found:
        terminal.say(f"landed {name}")
    for name, unknown in event.left_out.items():
        terminal.say(f"  {name}: left out, of no known kind: {', '.join(unknown)}")
    for name, why in event.waiting.items():
        terminal.say(f"waiting {name}: {why}")
    if event.busy:
        terminal.say("the inbox is being looked at by another process; its folders wait")


def _say_release(release: LatestRelease, terminal: Terminal) -> None:
    """Print what the latest release contains, and what it lacks of each batch."""
    say = terminal.say
    terminal.fact(release=asdict(release))
    if release.problem and not release.made:
        say(f"no release was made; the last one stays {release.version}: {release.folder}")
        return
    say(
        f"release {release.version}: {release.folder}" + ("" if release.made else "  (nothing changed: no new release)")
    )
    say(f"  rows read      {release.ledger['rows_read']:>9,}")
    say(f"  = specimens    {release.ledger['specimens']:>9,}")
    for part in ("quarantined", "set_aside", "rejected"):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in release.counts[part].items() if count)
        say(f"  + {part:<12} {release.ledger[part]:>9,}" + (f"   {reasons}" if reasons else ""))
    if not release.ledger["specimens"]:
        say("  No specimen passed the gates. Each waits in quarantine.parquet with its reasons; the report says how")
        say("  to act on each (for records without images: gates.require_image = false in the settings).")
    for name, note in release.notes.items():
        say(f"  {name}: {note}")
    for name, sentences in release.damage.items():
        for one in sentences:
            say(f"  {name}: {one}")
    for name, reason in release.withdrawn.items():
        say(f"  {name}: withdrawn: {reason}")
    say(f"report: {release.report}")
    if release.newer_report is not None:
        say(f"newer report of the same data: {release.newer_report}")
    if release.desk is not None:
        say(f"doubts for curators: {release.desk}")
    terminal.hint(f"UI: bioscan-etl ui {release.folder.parent.parent}")


def _say_plan(plan: Plan, terminal: Terminal) -> int:
    """Print what a run would do; return exit code 1 if it would meet damaged data."""
    say = terminal.say
    if plan.settings_changed is not None:
        terminal.fact(settings_changed=plan.settings_changed)
        for line in plan.settings_changed:
            say(f"would change setting {line}")
    for name, one in plan.land.items():
        sources = f", images of {', '.join(one.images)}" if one.images else ""
        say(f"would land {name}: {', '.join(one.records)}{sources}")
    for name, known in plan.folders.items():
        say(f"would look at the folder {name}: {known}")
    for name, reasons in plan.ingest.items():
        say(f"would ingest {name}: {'; '.join(reasons)}")
    for name, problem in plan.damaged.items():
        say(f"cannot ingest {name}: {problem}")
    release = plan.release
    if release.made is None:
        say(f"would make a release, if that changes anything: {'; '.join(release.reasons)}")
    elif release.blocked:
        say(f"would make no release: {release.blocked}")
    elif release.made:
        say(f"would make a release: {'; '.join(release.reasons)}")
    else:
        say(f"would make no release: {plan.last_release} is of what is there")
    terminal.fact(
        land={name: asdict(one) for name, one in plan.land.items()},
        folders=plan.folders,
        ingest=plan.ingest,
        damaged=plan.damaged,
        release=asdict(release),
    )
    return 1 if plan.damaged else 0
