"""The commands about finished releases: `check`, `diff`, `publish`.

Belongs here: their options, and the output about a release. Does not belong here: checking, comparing and sending it
(`bioscan_etl.release`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, File, Folder, Positive, Said, reflowed
from bioscan_etl.cli.terminal import Terminal

if TYPE_CHECKING:
    from bioscan_etl.release.ship.mirror import Published


@reflowed
def check(
    release: str,
    /,
    *,
    all_images: bool = False,
    signers: Annotated[File | None, Parameter(metavar="FILE")] = None,
    manifest_sha256: Annotated[str, Parameter(metavar="SUM")] = "",
    most: Positive = 50,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Verify a release by itself.

    Verify checksums, schema, invariants, counts and texts of a release. Exit code 1 and a list of faults. With
    --signers or --manifest-sha256 also verify who made it: see docs/guide/check.md.

    Args:
        release: folder of the release, or s3://bucket/prefix/v3, which is fetched first
        all_images: decode every image, not a sample
        signers: public keys of which one must have signed the release: key.pub, or a file of allowed signers
        manifest_sha256: published sha256 of manifest.json
        most: faults to print
    """
    with terminal.progress() as progress:
        faults = api.check(
            release,
            images="all" if all_images else "sample",
            signers=signers,
            manifest_sha256=manifest_sha256,
            progress=progress,
        )
    files = len({fault.file for fault in faults})
    terminal.fact(release=release, faults=faults[:most], count=len(faults), files=files)
    if not faults:
        terminal.say(f"{release}: no fault found")
        return 0
    for fault in faults[:most]:
        where = f"{fault.file} {fault.processid}" if fault.processid else fault.file
        terminal.say(f"{where}: {fault.fault}")
    if len(faults) > most:
        terminal.say(f"… and {len(faults) - most:,} more; --most shows them")
    terminal.say(f"{release}: {len(faults):,} faults in {files:,} files")
    return 1


@reflowed
def diff(
    before: Annotated[str, Parameter(name="A")],
    after: Annotated[str, Parameter(name="B")],
    /,
    *,
    releases: Annotated[Folder | None, Parameter(name="--in", metavar="DIR")] = None,
    output: File | None = None,
    decisions: File | None = None,
    most: Positive = 5,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Tell what differs between two releases.

    Tell two releases apart: records added, removed, moved between partitions and relabelled, other fields and images,
    each with its reason, and what became of the curators' decisions. See docs/guide/releases.md.

    Args:
        before: folder of a release, or a version such as v1 or latest
        after: the same of the other release
        releases: where versions are looked up: the --output of run, or its folder releases
        output: write every difference: .parquet or .csv
        decisions: write every line of the decisions that came, went or did something else: .parquet or .csv
        most: pairs of values per field, and lines of decisions per kind of change
    """
    with terminal.progress() as progress:
        found = api.diff(before, after, releases=releases, output=output, decisions=decisions, progress=progress)

    import polars as pl

    from bioscan_etl.release.diff import changelog
    from bioscan_etl.release.diff.decided import decision_counts

    # As in the text output: the most common pairs of values of each field, and the first lines of each change.
    rank = pl.int_range(pl.len()).over("kind", "field")
    terminal.fact(
        before=found.before,
        after=found.after,
        records_before=found.records_before,
        records_after=found.records_after,
        records=found.records,
        reasons=found.reasons,
        values=found.values.filter(rank < most),
        uncompared=found.uncompared,
        decision_counts=decision_counts(found.decisions),
        decisions=found.decisions.filter(pl.int_range(pl.len()).over("change") < most),
        output=output,
        decisions_output=decisions,
    )
    for line in changelog.lines(found, most):
        terminal.say(line)
    if output:
        terminal.say(f"every difference: {output}")
    if decisions:
        terminal.say(f"every line of the decisions: {decisions}")
    return 0


@reflowed
def publish(
    release: Path,
    location: Annotated[str, Parameter(name="S3")],
    /,
    *,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Mirror a release to S3.

    Mirror a release to s3://bucket/prefix/VERSION, whole or not at all, and let s3://bucket/prefix/latest name it. The
    same command again goes on after a break. See docs/guide/releases.md.

    Args:
        release: folder of the release
        location: s3://bucket/prefix
    """
    with terminal.progress() as progress:
        done = api.publish(release, location, progress=progress)
    say_published(done, terminal)
    return 0


def say_published(done: Published, terminal: Terminal) -> None:
    """Print what was sent."""
    terminal.fact(published=done)
    terminal.say(f"published {done.version}: {done.location}")
    terminal.say(f"  {done.files:,} files, of which {done.sent:,} were sent now ({done.sent_bytes:,} bytes)")
    terminal.say(f"  latest: {done.latest}")
