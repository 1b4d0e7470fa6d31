"""The commands about finished releases: `check`, `diff`, `publish`.

Belongs here: what is said of a release. Does not belong here: making one (`run`), checking, comparing and sending it
(`bioscan_etl.release`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from typing import Literal

from bioscan_etl.cli.terminal import Terminal


def check(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Verify a release by itself; exit code 1 and a list where it has faults."""
    from bioscan_etl.io.locations import is_s3
    from bioscan_etl.release.check import check
    from bioscan_etl.release.ship.mirror import download

    images: Literal["all", "sample"] = "all" if arguments.all_images else "sample"
    with terminal.progress() as progress, tempfile.TemporaryDirectory(prefix="bioscan-check-") as scratch:
        here = Path(arguments.release)
        if is_s3(arguments.release):
            here = download(arguments.release, Path(scratch), progress)
        faults = check(here, images=images, progress=progress)
    files = len(Counter(fault.file for fault in faults))
    terminal.fact(release=arguments.release, faults=faults[: arguments.most], count=len(faults), files=files)
    if not faults:
        terminal.say(f"{arguments.release}: no fault found")
        return 0
    for fault in faults[: arguments.most]:
        where = f"{fault.file} {fault.processid}" if fault.processid else fault.file
        terminal.say(f"{where}: {fault.fault}")
    if len(faults) > arguments.most:
        terminal.say(f"… and {len(faults) - arguments.most:,} more; --most shows them")
    terminal.say(f"{arguments.release}: {len(faults):,} faults in {files:,} files")
    return 1


def diff(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Tell what differs between two releases."""
    import polars as pl

    from bioscan_etl.release.diff import changelog
    from bioscan_etl.release.diff import compare as diff
    from bioscan_etl.release.scan import find_release, scan_release

    where = [arguments.releases] if arguments.releases else []
    # A version's name alone is looked up beside the other release, too.
    where += [Path(name).expanduser().absolute().parent for name in (arguments.before, arguments.after) if "/" in name]
    place = next(iter(where), None)
    before, after = (scan_release(find_release(name, place)) for name in (arguments.before, arguments.after))
    with terminal.progress() as progress:
        if arguments.output:
            found = diff.write_diff(before, after, arguments.output, progress)
        else:
            found = diff.compare(before, after, progress=progress, between=diff.moves_between(before, after))
    # As in the text, the commonest pairs of values of each field.
    rank = pl.int_range(pl.len()).over("kind", "field")
    terminal.fact(
        before=found.before,
        after=found.after,
        records_before=found.records_before,
        records_after=found.records_after,
        records=found.records,
        reasons=found.reasons,
        values=found.values.filter(rank < arguments.most),
        uncompared=found.uncompared,
        output=arguments.output,
    )
    for line in changelog.lines(found, arguments.most):
        terminal.say(line)
    if arguments.output:
        terminal.say(f"every difference: {arguments.output}")
    return 0


def publish(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Mirror a release to S3."""
    publish_release(arguments.release, arguments.location, terminal)
    return 0


def publish_release(release: Path, location: str, terminal: Terminal) -> None:
    """Mirror a release to S3, and say what was sent."""
    from bioscan_etl.release.ship.mirror import publish_to_s3

    with terminal.progress() as progress:
        done = publish_to_s3(release, location, progress)
    terminal.fact(published=done)
    terminal.say(f"published {done.version}: {done.location}")
    terminal.say(f"  {done.files:,} files, of which {done.sent:,} were sent now ({done.sent_bytes:,} bytes)")
    terminal.say(f"  latest: {done.latest}")
