"""The commands that get data from BOLD: `fetch records`, `fetch images`.

Belongs here: their options, and the output about a download. Does not belong here: the downloads (`bioscan_etl.bold`).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from bioscan_etl import api
from bioscan_etl.cli.options import DEFAULTS, LINES, Answer, File, Folder, Said, UsageError, reflowed
from bioscan_etl.cli.terminal import Terminal

if TYPE_CHECKING:
    from bioscan_etl.bold.images import FetchedImages

fetch = App(
    name="fetch",
    help="Fetch records or images from BOLD.\n\n"
    "Fetch what BOLD has published: records by a query, images by process ID. See docs/how-to/fetch.md.",
    default_parameter=DEFAULTS,
)


@reflowed
def records(
    query: str,
    /,
    *,
    output: File,
    format: Annotated[Literal["tsv", "json"] | None, Parameter(metavar="FORMAT")] = None,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Fetch the records of a query into one file.

    Download the records of a query, at most a million. After a break the same command goes on where BOLD lets it, else
    starts anew; the file appears only when it is whole.

    Args:
        query: terms joined by ';', as in 'tax:Culicidae;geo:Canada'
        output: the file to write
        format: tsv or json; without it, json for .json, .jsonl, .ndjson, else tsv
        settings: TOML with settings; [bold] is read
    """
    with terminal.progress() as progress:
        done = api.fetch_records(query, output, form=format, settings=settings, progress=progress)
    terminal.fact(**asdict(done))
    terminal.say(f"{done.path}: {done.records:,} records, {done.size_bytes:,} bytes, of {done.query}")
    return 0


@reflowed
def images(
    processids: Annotated[Path | None, Parameter(name="PROCESSIDS_FILE")] = None,
    /,
    *,
    records: Annotated[str | None, Parameter(metavar="FILE")] = None,
    output: Folder,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Fetch images of process IDs into a folder.

    Fetch one image per process ID into a folder, with the index image_manifest.csv and the table failures.csv. Images
    that are there already are not fetched again. Exit code 1 where some could not be fetched.

    Args:
        processids: one process ID per line; this or --records
        records: BOLD records whose images are wanted; this or PROCESSIDS_FILE
        output: the folder to fill
        settings: TOML with settings; [bold] and [records] are read
    """
    if (processids is None) == (records is None):
        raise UsageError("give either PROCESSIDS_FILE or --records; see bioscan-etl fetch images --help")
    with terminal.progress() as progress:
        done = api.fetch_images(processids, output, records=records, settings=settings, progress=progress)
    terminal.fact(**say_fetched(output, done, terminal))
    return 1 if done.failed else 0


for _command in (records, images):
    fetch.command(App(name=_command.__name__, default_command=_command))


def say_fetched(folder: Path, done: FetchedImages, terminal: Terminal) -> dict[str, Any]:
    """Print the outcome of an image download; return its facts."""
    terminal.say(f"{folder}: {done.fetched + done.kept:,} images of {done.wanted:,} process IDs")
    terminal.say(f"  fetched now {done.fetched:,}, kept {done.kept:,}; which is whose: {done.index}")
    if done.several:
        terminal.say(f"  {done.several:,} process IDs have several images; the first by object ID was taken")
    if done.reasons:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in done.reasons.items())
        terminal.say(f"  {reasons}: {done.failures}")
    if done.failed:
        terminal.hint("  run the same command again to try those that failed once more")
    return {"folder": folder, **asdict(done), "failed": done.failed}
