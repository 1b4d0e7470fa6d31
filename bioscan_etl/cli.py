"""The command line: `bioscan-etl run | demo | check | split | compare | fetch`.

Belongs here: arguments, progress on the terminal, exit codes. Does not belong here: anything a notebook
would want too.

Exit codes: 0 done; 1 the check found faults, or images could not be fetched; 2 the command, a setting or an
input cannot be used, or the run stopped; 130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bioscan_etl import __version__
from bioscan_etl.errors import BioscanError, SourceError
from bioscan_etl.progress import Progress


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
                arguments.images or (),
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
    return 0


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
    from bioscan_etl.release.check import check

    with _terminal_progress() as progress:
        faults = check(arguments.release, images="all" if arguments.all_images else "sample", progress=progress)
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


def _split(arguments: argparse.Namespace) -> int:
    from bioscan_etl.splits.partition import split_table

    split_table(arguments.table, arguments.output, arguments.protocol)
    print(f"partitions of {arguments.table} (protocol {arguments.protocol}): {arguments.output}")
    return 0


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
    print(f"{arguments.output}: {done.fetched + done.kept:,} images of {done.wanted:,} process IDs")
    print(f"  fetched now {done.fetched:,}, kept {done.kept:,}; which is whose: {done.index}")
    if done.several:
        print(f"  {done.several:,} process IDs have several images; the first by object ID was taken")
    if done.reasons:
        print("  " + ", ".join(f"{reason} {count:,}" for reason, count in done.reasons.items()) + f": {done.failures}")
    if done.failed:
        print("  run the same command again to try those that failed once more")
    return 1 if done.failed else 0


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


def parser() -> argparse.ArgumentParser:
    """The command line's parser."""
    top = argparse.ArgumentParser(
        prog="bioscan-etl",
        description="Turn BOLD records and specimen images into a checked release.",
        epilog=(
            "Exit codes: 0 done; 1 faults found by check, or images that fetch could not get; "
            "2 a command, setting or input cannot be used."
        ),
    )
    top.add_argument("--version", action="version", version=f"bioscan-etl {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="ingest batches and make the next release",
        description=(
            "Land the records and images as specimen batches, ingest every batch that is new or out of date, curate "
            "the whole corpus and make its next release. Without --records: all batches that landed in OUTPUT."
        ),
    )
    run.add_argument(
        "--records",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="BOLD records: TSV, JSON lines, Parquet, .gz, .zip, .tar.gz; a folder of these; s3:// and https:// too",
    )
    run.add_argument("--images", nargs="+", action="extend", metavar="DIR|ZIP|S3", help="folder, .zip or s3:// prefix")
    run.add_argument("--image-manifest", metavar="CSV", help="processid,image_file: which image is whose")
    run.add_argument("--output", type=Path, required=True, metavar="DIR", help="lake and releases go here")
    run.add_argument("--batch", metavar="NAME", help="one batch of this name; without it, one per records file")
    run.add_argument(
        "--snapshot-date",
        type=dt.date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="date of the BOLD snapshot, where neither file name nor descriptor says it",
    )
    run.add_argument("--settings", type=Path, metavar="FILE", help="TOML with settings; docs/settings.md lists them")
    run.set_defaults(act=_run)

    demo = commands.add_parser(
        "demo",
        help="write a synthetic corpus with planted defects",
        description="Write a synthetic corpus: several batches, two record layouts, images, and a truth table.",
    )
    demo.add_argument("--output", type=Path, required=True, metavar="DIR")
    demo.add_argument("--specimens", type=_positive, default=300, metavar="N", help="about this many (default 300)")
    demo.add_argument("--seed", type=int, default=0, metavar="S", help="same seed, same bytes (default 0)")
    demo.set_defaults(act=_demo)

    check = commands.add_parser(
        "check",
        help="verify a release by itself",
        description="Verify checksums, schema, invariants and counts of a release. Exit code 1 and a list of faults.",
    )
    check.add_argument("release", type=Path, metavar="RELEASE", help="folder of the release")
    check.add_argument("--all-images", action="store_true", help="decode every image, not a sample")
    check.add_argument("--most", type=_positive, default=50, metavar="N", help="faults to print (default 50)")
    check.set_defaults(act=_check)

    split = commands.add_parser(
        "split",
        help="assign partitions to a table",
        description="Assign partitions to a curated table of processid, genus, species, dna_barcode, in its row order.",
    )
    split.add_argument("table", type=Path, metavar="TABLE", help="CSV or Parquet")
    split.add_argument("--protocol", choices=("bioscan-5m",), default="bioscan-5m")
    split.add_argument("--output", type=Path, required=True, metavar="FILE", help="CSV or Parquet: processid, split")
    split.set_defaults(act=_split)

    compare = commands.add_parser(
        "compare",
        help="what changed between two snapshots of BOLD records",
        description=(
            "Compare the records that two snapshots share, field by field, whatever their layouts; values are compared "
            "in one spelling and shown as delivered. FILE gets a row per change, FILE's name with -records the process "
            "IDs that one snapshot alone holds."
        ),
    )
    compare.add_argument("earlier", metavar="EARLIER", help="a records file or a folder of them, as for run --records")
    compare.add_argument("later", metavar="LATER", help="the same of the later snapshot")
    compare.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    compare.add_argument("--settings", type=Path, metavar="FILE", help="TOML with settings")
    compare.set_defaults(act=_compare)
    _add_fetch(commands)
    return top


def _add_fetch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    fetch = commands.add_parser(
        "fetch",
        help="fetch records or images from BOLD",
        description="Fetch what BOLD has published: records by a query, images by process ID. See docs/fetch.md.",
    )
    kinds = fetch.add_subparsers(dest="kind", required=True, metavar="KIND")

    records = kinds.add_parser(
        "records",
        help="records of a query into one file",
        description=(
            "Download the records of a query, at most a million. After a break the same command goes on where BOLD "
            "lets it, else starts anew; the file appears only when it is whole."
        ),
    )
    records.add_argument("query", metavar="QUERY", help="terms joined by ';', as in 'tax:Culicidae;geo:Canada'")
    records.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file to write")
    records.add_argument(
        "--format", choices=("tsv", "json"), help="without it, json for .json, .jsonl, .ndjson, else tsv"
    )
    records.add_argument("--settings", type=Path, metavar="FILE", help="TOML with settings; [bold] is read")
    records.set_defaults(act=_fetch_records)

    images = kinds.add_parser(
        "images",
        help="images of process IDs into a folder",
        description=(
            "Fetch one image per process ID into a folder, with the index image_manifest.csv and the table "
            "failures.csv. Images that stand are not fetched again. Exit code 1 where some could not be fetched."
        ),
    )
    which = images.add_mutually_exclusive_group(required=True)
    which.add_argument("processids", nargs="?", type=Path, metavar="PROCESSIDS_FILE", help="one process ID per line")
    which.add_argument("--records", metavar="FILE", help="BOLD records whose images are wanted")
    images.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to fill")
    images.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML with settings; [bold] and [records] are read"
    )
    images.set_defaults(act=_fetch_images)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parsed = parser().parse_args(arguments)
    try:
        code: int = parsed.act(parsed)
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
