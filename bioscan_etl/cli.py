"""The command line: `bioscan-etl run | demo | check | diff | publish | split | detect | compare | fetch`.

Belongs here: what the commands do, progress on the terminal, exit codes. Does not belong here: the arguments
(`arguments`), and anything a notebook would want too.

Exit codes: 0 done; 1 the check found faults, or images could not be fetched; 2 the command, a setting or an
input cannot be used, or the run stopped; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bioscan_etl.arguments import parser
from bioscan_etl.errors import BioscanError, SourceError
from bioscan_etl.progress import Progress

if TYPE_CHECKING:
    import polars as pl

    from bioscan_etl.bold.images import FetchedImages
    from bioscan_etl.lake import Lake
    from bioscan_etl.settings import Settings

_FROM_BOLD = "bold"
"""What `--images` is given to have them fetched; a folder of this name is `./bold`."""


@contextmanager
def _terminal_progress() -> Iterator[Progress]:
    """Bars on a terminal; a line at each quarter of a stage elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int | None = None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def _lines() -> Progress:
    told: dict[str, float] = {}

    def show(stage: str, done: int, total: int | None = None) -> None:
        share = done / total if total else 0.0
        if done and (done == total or share >= told.get(stage, 0.0) + 0.25):
            told[stage] = share
            print(f"{stage}: {done:,}" + (f" of {total:,}" if total is not None else ""), file=sys.stderr, flush=True)

    return show


def _run(arguments: argparse.Namespace) -> int:
    from bioscan_etl import batches
    from bioscan_etl.lake import Lake
    from bioscan_etl.records.inspect import inspect
    from bioscan_etl.records.sources import RecordsFile, expand
    from bioscan_etl.settings import load_settings

    settings = load_settings(arguments.settings)
    if arguments.publish and not arguments.publish.startswith("s3://"):
        raise SourceError(f"--publish {arguments.publish} is no place on S3; give s3://bucket/prefix")
    lake = Lake(arguments.output.expanduser().resolve())
    arguments.records = [file for location in arguments.records or () for file in expand(location)]
    names = _batch_names(arguments)
    for location in arguments.records or ():
        inspect(RecordsFile(location))
    with _terminal_progress() as progress:
        for name, files in names.items():
            batches.register(
                lake,
                name,
                files,
                _image_sources(arguments, lake, name, files, settings, progress),
                arguments.image_manifest,
                snapshot_date=arguments.snapshot_date,
                progress=progress,
            )
        landed = [name for name in batches.landed(lake) if batches.is_name(name)]
        if not landed:
            raise SourceError(f"nothing to run: no --records, and no batch has landed in {lake.landing}")
        from bioscan_etl import definitions

        before = (lake.releases / "latest").resolve()
        with definitions.open_instance(lake) as instance:
            for done, name in enumerate(landed):
                progress("batches", done, len(landed))
                if not batches.is_ingested(lake, batches.load(lake, name), settings):
                    definitions.run_batch(
                        lake, name, instance=instance, progress=progress, settings_file=arguments.settings
                    )
            progress("batches", len(landed), len(landed))
            release = definitions.run_release(
                lake, instance=instance, progress=progress, settings_file=arguments.settings
            )
    _summarise(release, made=release != before, lake_root=lake.root)
    if arguments.publish:
        _tell_published(release, arguments.publish)
    return 0


def _image_sources(
    arguments: argparse.Namespace, lake: Lake, name: str, files: list[str], settings: Settings, progress: Progress
) -> list[str]:
    """What `--images` names; for `bold` the images that BOLD has of the batch, fetched beside its marker first."""
    from bioscan_etl.bold import processids
    from bioscan_etl.bold.images import fetch_images

    given: list[str] = arguments.images or []
    if _FROM_BOLD not in given:
        return given
    folder = lake.landing / name / "images"
    wanted = [processids.from_records(location, settings.records) for location in files]
    done = fetch_images([one for part in wanted for one in part], folder, settings.bold, progress)
    # With images of some specimens the batch is of use; the same command again fetches those that are missing.
    _tell_fetched(folder, done)
    return [*(location for location in given if location != _FROM_BOLD), str(folder)]


def _batch_names(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Records files by batch: one batch of the given name, or one per file."""
    from bioscan_etl import batches

    files = arguments.records or []
    if not files and (arguments.images or arguments.image_manifest or arguments.batch):
        raise SourceError("--images, --image-manifest and --batch describe a new batch: give its --records too")
    if arguments.batch:
        return {batches.check_name(arguments.batch): files}
    found: dict[str, list[str]] = {}
    for location in files:
        found.setdefault(batches.name_from_file(location), []).append(location)
    for name, group in found.items():
        if len(group) > 1:
            raise SourceError(f"{', '.join(group)} would all be batch {name}; give one --batch, or rename the files")
    return found


def _summarise(release: Path, *, made: bool, lake_root: Path) -> None:
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    ledger, counts = manifest["ledger"], manifest["counts"]
    print(f"release {release.name}: {release}" + ("" if made else "  (nothing changed: no new release)"))
    print(f"  rows read      {ledger['rows_read']:>9,}")
    print(f"  = specimens    {ledger['specimens']:>9,}")
    for part in ("quarantined", "set_aside", "rejected"):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts[part].items() if count)
        print(f"  + {part:<12} {ledger[part]:>9,}" + (f"   {reasons}" if reasons else ""))
    if not ledger["specimens"]:
        print("  No specimen passed the gates. Each waits in quarantine.parquet with its reasons; the report says how")
        print("  to act on each (for records without images: gates.require_image = false in the settings).")
    print(f"report: {release / 'report' / 'index.html'}")
    print(f"UI: make dev OUTPUT={lake_root}")


def _demo(arguments: argparse.Namespace) -> int:
    from bioscan_etl import batches
    from bioscan_etl.demo.corpus import write_demo
    from bioscan_etl.lake import Lake

    output = arguments.output.expanduser().resolve()
    with _terminal_progress() as progress:
        summary = write_demo(output, arguments.specimens, arguments.seed, progress)
        for batch in summary.batches:
            images = [] if batch.images is None else [str(batch.images)]
            manifest = None if batch.image_manifest is None else str(batch.image_manifest)
            batches.register(Lake(output), batch.name, [str(path) for path in batch.records], images, manifest)
    print(f"demo corpus: {len(summary.batches)} batches in {output / 'landing'}, the truth in {output / 'truth'}")
    print(f"next: bioscan-etl run --output {arguments.output}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from bioscan_etl import storage
    from bioscan_etl.release.check import check
    from bioscan_etl.release.upload import download

    images: Literal["all", "sample"] = "all" if arguments.all_images else "sample"
    with _terminal_progress() as progress, tempfile.TemporaryDirectory(prefix="bioscan-check-") as scratch:
        here = Path(arguments.release)
        if storage.is_s3(arguments.release):
            here = download(arguments.release, Path(scratch), progress)
        faults = check(here, images=images, progress=progress)
    if not faults:
        print(f"{arguments.release}: no fault found")
        return 0
    for fault in faults[: arguments.most]:
        where = f"{fault.file} {fault.processid}" if fault.processid else fault.file
        print(f"{where}: {fault.fault}")
    if len(faults) > arguments.most:
        print(f"… and {len(faults) - arguments.most:,} more; --most shows them")
    print(f"{arguments.release}: {len(faults):,} faults in {len(Counter(f.file for f in faults)):,} files")
    return 1


def _diff(arguments: argparse.Namespace) -> int:
    from bioscan_etl.release import changelog, diff
    from bioscan_etl.release.snapshot import find_release, open_release

    where = [arguments.releases] if arguments.releases else []
    # A version's name alone is looked up beside the other release, too.
    where += [Path(name).expanduser().absolute().parent for name in (arguments.before, arguments.after) if "/" in name]
    place = next(iter(where), None)
    before, after = (open_release(find_release(name, place)) for name in (arguments.before, arguments.after))
    with _terminal_progress() as progress:
        if arguments.output:
            found = diff.write_diff(before, after, arguments.output, progress)
        else:
            found = diff.compare(before, after, progress=progress, between=diff.moves_between(before, after))
    print("\n".join(changelog.lines(found, arguments.most)))
    if arguments.output:
        print(f"every difference: {arguments.output}")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    _tell_published(arguments.release, arguments.location)
    return 0


def _tell_published(release: Path, location: str) -> None:
    from bioscan_etl.release.upload import publish_to_s3

    with _terminal_progress() as progress:
        done = publish_to_s3(release, location, progress)
    print(f"published {done.version}: {done.location}")
    print(f"  {done.files:,} files, of which {done.sent:,} were sent now ({done.sent_bytes:,} bytes)")
    print(f"  latest: {done.latest}")


def _split(arguments: argparse.Namespace) -> int:
    from bioscan_etl.settings import load_settings, with_protocol
    from bioscan_etl.splits.files import split_table
    from bioscan_etl.splits.targets import review

    settings = load_settings(arguments.settings).splits
    if arguments.protocol:
        settings = with_protocol(settings, arguments.protocol)
    done = split_table(
        arguments.table,
        arguments.output,
        settings,
        earlier=arguments.earlier,
        moves=arguments.moves,
        memory=arguments.memory,
    )
    print(f"partitions of {arguments.table} (protocol {settings.protocol}): {arguments.output}")
    for what, path in (("memory for the next --earlier", arguments.memory), ("moves", arguments.moves)):
        if path:
            print(f"{what}: {path}")
    reviewed = review(done.table, done.partitions)
    _print_table("targets and what was reached, by partition", reviewed.partitions)
    _print_table("targets and what was reached, by records of a species", reviewed.classes)
    if arguments.earlier:
        counts = done.moves.group_by("before", "after", "reason").len("specimens")
        _print_table("moved", counts.sort("specimens", "before", "after", "reason", descending=[True] + 3 * [False]))
    for finding in [*reviewed.findings, reviewed.held_out]:
        if not finding.passed:
            print(f"{finding.name}: {finding.count:,}, such as {', '.join(finding.examples)}")
    return 0


def _print_table(title: str, frame: pl.DataFrame) -> None:
    """A small table with a title; shares as percent, missing targets as a dash."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    def text(name: str, value: object) -> str:
        if value is None:
            return "–"
        if isinstance(value, float):
            return f"{100 * value:.2f} %" if name.endswith("share") else f"{value:,.0f}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name, dtype in frame.schema.items():
        table.add_column(name.replace("_", " "), justify="right" if dtype.is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(*(text(name, value) for name, value in zip(frame.columns, row, strict=True)))
    # A pipe has no width: cells are not to be broken for it.
    width = None if Console().is_terminal else 120
    Console(markup=False, highlight=False, width=width).print(table)


def _fetch_records(arguments: argparse.Namespace) -> int:
    from bioscan_etl.bold.records import fetch_records
    from bioscan_etl.settings import load_settings

    settings = load_settings(arguments.settings).bold
    with _terminal_progress() as progress:
        done = fetch_records(arguments.query, arguments.output, settings, arguments.format, progress)
    print(f"{done.path}: {done.records:,} records, {done.size_bytes:,} bytes, of {done.query}")
    return 0


def _fetch_images(arguments: argparse.Namespace) -> int:
    from bioscan_etl.bold import processids
    from bioscan_etl.bold.images import fetch_images
    from bioscan_etl.settings import load_settings

    settings = load_settings(arguments.settings)
    if arguments.records:
        wanted = processids.from_records(arguments.records, settings.records)
    else:
        wanted = processids.from_list(arguments.processids)
    with _terminal_progress() as progress:
        done = fetch_images(wanted, arguments.output, settings.bold, progress)
    _tell_fetched(arguments.output, done)
    return 1 if done.failed else 0


def _tell_fetched(folder: Path, done: FetchedImages) -> None:
    print(f"{folder}: {done.fetched + done.kept:,} images of {done.wanted:,} process IDs")
    print(f"  fetched now {done.fetched:,}, kept {done.kept:,}; which is whose: {done.index}")
    if done.several:
        print(f"  {done.several:,} process IDs have several images; the first by object ID was taken")
    if done.reasons:
        print("  " + ", ".join(f"{reason} {count:,}" for reason, count in done.reasons.items()) + f": {done.failures}")
    if done.failed:
        print("  run the same command again to try those that failed once more")


def _compare(arguments: argparse.Namespace) -> int:
    from bioscan_etl.quality.spreadsheet import write_spreadsheet
    from bioscan_etl.records.compare import compare_files
    from bioscan_etl.records.sources import expand
    from bioscan_etl.settings import load_settings
    from bioscan_etl.storage import atomic_file

    output: Path = arguments.output
    if output.suffix not in {".csv", ".parquet"}:
        raise SourceError(f"--output {output} must end in .csv or .parquet")
    settings = load_settings(arguments.settings).records
    with _terminal_progress() as progress:
        found = compare_files(expand(arguments.earlier), expand(arguments.later), settings, progress)
    membership = output.with_name(f"{output.stem}-records{output.suffix}")
    for path, table in ((output, found.changes), (membership, found.membership)):
        if output.suffix == ".csv":
            write_spreadsheet(path, table)
        else:
            with atomic_file(path) as stream:
                table.write_parquet(stream)
    added, removed = (found.membership["status"].eq(status).sum() for status in ("added", "removed"))
    print(f"{found.shared:,} records in both, {found.changed:,} of them changed; {added:,} added, {removed:,} removed")
    for field, changed, filled, emptied in found.fields.filter(found.fields["changed"] > 0).iter_rows():
        print(f"  {field:<28} {changed:>9,}   filled {filled:,}, emptied {emptied:,}")
    if found.uncompared:
        print(f"not compared, for one snapshot has no such column: {', '.join(found.uncompared)}")
    print(f"changes: {output}; added and removed records: {membership}")
    return 0


def _detect(arguments: argparse.Namespace) -> int:
    from bioscan_etl.images.find_specimens import find_specimens
    from bioscan_etl.settings import load_settings

    settings = load_settings(arguments.settings).images
    if arguments.model:
        settings = settings.model_copy(update={"detector": arguments.model})
    with _terminal_progress() as progress:
        counts = find_specimens(arguments.images, arguments.output, settings, arguments.masks, progress)
    statuses = ", ".join(
        f"{count:,} {name}" for name, count in counts.items() if name not in {"images", "masks"} and count
    )
    print(f"{counts['images']:,} images ({statuses or 'none'}): {arguments.output}")
    if arguments.masks:
        print(f"{counts['masks']:,} masks: {arguments.masks}")
    return 0


_ACTS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "compare": _compare,
    "demo": _demo,
    "detect": _detect,
    "diff": _diff,
    "fetch_images": _fetch_images,
    "fetch_records": _fetch_records,
    "publish": _publish,
    "run": _run,
    "split": _split,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parsed = parser().parse_args(arguments)
    try:
        code = _ACTS[parsed.act](parsed)
    except BioscanError as error:
        print(f"bioscan-etl: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"bioscan-etl: {place}{error.strerror or error}; check space and permissions", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bioscan-etl: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
