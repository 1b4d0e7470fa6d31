"""The commands that get data from BOLD: `fetch records`, `fetch images`.

Belongs here: which process IDs are asked for, and what is said of a download. Does not belong here: the downloads
(`bioscan_etl.bold`).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioscan_etl.cli.terminal import Terminal

if TYPE_CHECKING:
    from bioscan_etl.bold.images import FetchedImages
    from bioscan_etl.progress import Progress
    from bioscan_etl.settings import Settings


def fetch_records(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Download the records of a query."""
    from bioscan_etl.bold.records import fetch_records
    from bioscan_etl.settings import load_settings

    settings = load_settings(arguments.settings).bold
    with terminal.progress() as progress:
        done = fetch_records(arguments.query, arguments.output, settings, arguments.format, progress)
    terminal.fact(**asdict(done))
    terminal.say(f"{done.path}: {done.records:,} records, {done.size_bytes:,} bytes, of {done.query}")
    return 0


def fetch_images(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Fetch the images of process IDs; exit code 1 where some could not be fetched."""
    from bioscan_etl.bold import processids
    from bioscan_etl.bold.images import fetch_images
    from bioscan_etl.settings import load_settings

    settings = load_settings(arguments.settings)
    if arguments.records:
        wanted = processids.from_records(arguments.records, settings.records)
    else:
        wanted = processids.from_list(arguments.processids)
    with terminal.progress() as progress:
        done = fetch_images(wanted, arguments.output, settings.bold, progress)
    terminal.fact(**_say_fetched(arguments.output, done, terminal))
    return 1 if done.failed else 0


def fetch_images_of_batch(
    files: list[str], folder: Path, settings: Settings, progress: Progress, terminal: Terminal
) -> None:
    """Fetch what BOLD has of the images of records files, and say what came of it.

    Images of some specimens are of use: what could not be fetched is no error here, and the same command tries again.
    """
    from bioscan_etl.bold import processids
    from bioscan_etl.bold.images import fetch_images

    wanted = [processids.from_records(location, settings.records) for location in files]
    done = fetch_images([one for part in wanted for one in part], folder, settings.bold, progress)
    terminal.facts.setdefault("fetched", []).append(_say_fetched(folder, done, terminal))


def _say_fetched(folder: Path, done: FetchedImages, terminal: Terminal) -> dict[str, Any]:
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
