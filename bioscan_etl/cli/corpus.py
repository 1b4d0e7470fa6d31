"""The commands that manage a corpus: `land`, `status`, `withdraw`, `ui`, `demo`.

Belongs here: their options, and the output about batches, releases and the next run. Does not belong here: finding it
out (`bioscan_etl.overview`), `run` and `why`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, Folder, Loudness, Positive, Said, UsageError, reflowed
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.io.locations import local_path

if TYPE_CHECKING:
    from bioscan_etl.overview import NextRun

_SHOWN = 3  # reasons shown in a line; --json has all
_AS_EVER = Loudness()


@reflowed
def demo(
    *,
    output: Folder,
    specimens: Positive = 300,
    seed: Annotated[int, Parameter(metavar="S", show_default=True)] = 0,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Write a synthetic corpus with planted defects.

    Write a synthetic corpus: several batches, two record layouts, images, and a truth table.

    Args:
        output: folder of the corpus
        specimens: about this many
        seed: same seed, same bytes
    """
    with terminal.progress() as progress:
        done = api.write_demo(output, specimens, seed, progress=progress)
    following = f"bioscan-etl run --output {output}"
    terminal.fact(
        output=done.landing.parent,
        landing=done.landing,
        truth=done.truth,
        batches=done.batches,
        specimens=done.specimens,
        images=done.images,
        next=following,
    )
    terminal.say(f"demo corpus: {len(done.batches)} batches in {done.landing}, the truth in {done.truth}")
    terminal.hint(f"next: {following}")
    return 0


@reflowed
def land(
    sources: Annotated[tuple[str, ...], Parameter(name="FOLDER|FILE")],
    /,
    *,
    output: Folder,
    name: Annotated[str | None, Parameter(name=["--name", "--batch"], metavar="NAME")] = None,
    snapshot_date: Annotated[dt.date | None, Parameter(metavar="YYYY-MM-DD")] = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Land a delivery as a batch, without running anything.

    Land a delivery as one specimen batch: hash its files and write its marker. Files stay where they are. Records,
    images and the image manifest are recognised by what they hold.

    Args:
        sources: one folder with the whole delivery, or its files and folders
        output: folder of the corpus
        name: name of the batch; without it, that of the folder or file
        snapshot_date: date of the BOLD snapshot, where neither file name nor descriptor says it
    """
    with terminal.progress() as progress:
        landed = api.land(output, sources, name, snapshot_date=snapshot_date, progress=progress)
    following = f"bioscan-etl run --output {output}"
    terminal.fact(
        batch=landed.batch,
        delivery=landed.delivery,
        records=landed.records,
        images=[asdict(one) for one in landed.images],
        image_manifest=landed.image_manifest,
        left_out=landed.left_out,
        next=following,
    )
    terminal.say(f"landed {landed.batch} in {landed.folder}")
    for location in landed.records:
        terminal.say(f"  records {location}")
    for one in landed.images:
        terminal.say(f"  images {one.location}: {one.files:,} files")
    if landed.image_manifest:
        terminal.say(f"  image manifest {landed.image_manifest}")
    if landed.left_out:
        terminal.say(f"  left out, of no known kind: {', '.join(landed.left_out)}")
    terminal.hint(f"next: {following}")
    return 0


@reflowed
def ui(
    output: Path,
    /,
    *,
    host: Annotated[str, Parameter(metavar="H", show_default=True)] = "127.0.0.1",
    port: Annotated[
        int, Parameter(metavar="P", show_default=True, validator=validators.Number(gte=1, lte=65535))
    ] = 3000,
    read_only: bool = False,
    allow_host: Annotated[tuple[str, ...], Parameter(metavar="NAME")] = (),
    training_python: Annotated[Path | None, Parameter(metavar="PATH")] = None,
    answer: Loudness = _AS_EVER,
    terminal: Said,
) -> int:
    """Serve the Dagster UI of a corpus.

    Serve the UI of a corpus, with its sensors and schedules, until Ctrl-C.

    Args:
        output: folder of the corpus
        host: address to listen on
        port: port to listen on
        read_only: show everything, start nothing
        allow_host: a further name by which browsers reach the UI, as behind a proxy; may be repeated
        training_python: the Python that has the detector's training; without it, this one
    """
    from bioscan_etl.ui import serve

    return serve(
        local_path(output),
        host=host,
        port=port,
        read_only=read_only,
        allow_hosts=allow_host,
        training_python=training_python,
        tell=terminal.say,
    )


@reflowed
def status(*, output: Folder, answer: Answer = LINES, terminal: Said) -> int:
    """Show the batches, the releases, and what the next run would do.

    Show each batch with its state and the reason for it, what the next run would do, and the releases. It is a report:
    the exit code is 0 also where a batch has failed.

    Args:
        output: folder of the corpus
    """
    found = api.status(output)
    batches = [asdict(one) | {"why": _first(one.why)} for one in found.batches]
    releases = [asdict(one) for one in found.releases]
    if batches:
        names: Sequence[str] = ("batch", "status", "records", "images", "why")
        terminal.table(f"batches of {found.root}", names, [[one[name] for name in names] for one in batches])
    else:
        terminal.say(f"no batch has landed in {found.root / 'landing'}")
    for name, known in found.folders.items():
        terminal.say(f"folder {name} has not landed: {known}")
    if releases:
        names = ("version", "specimens", "quarantined", "set_aside", "rejected", "problem")
        titles = [name.replace("_", " ") for name in names]
        terminal.table("releases", titles, [[one[name] for name in names] for one in releases])
    _say_next(found.next_run, terminal)
    terminal.fact(
        output=found.root,
        batches=batches,
        folders=found.folders,
        releases=releases,
        corpus=asdict(found.next_run),
    )
    return 0


@reflowed
def withdraw(
    batch: str,
    /,
    *,
    reason: Annotated[str | None, Parameter(metavar="TEXT")] = None,
    undo: bool = False,
    output: Folder,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Keep a batch out of the releases to come.

    Keep a batch out of the releases to come, with a reason that they state; nothing is deleted. --undo takes it in
    again.

    Args:
        batch: name of the batch
        reason: why the batch is withdrawn; this or --undo
        undo: undo the withdrawal; this or --reason
        output: folder of the corpus
    """
    if undo == (reason is not None):
        raise UsageError("give either --reason TEXT or --undo; see bioscan-etl withdraw --help")
    done = api.restore(output, batch) if reason is None else api.withdraw(output, batch, reason)
    terminal.fact(batch=batch, withdrawn=done.withdrawn, reason=done.reason)
    if done.withdrawn:
        terminal.say(f"{batch} is withdrawn: the releases to come are made without it; its files stay")
    else:
        terminal.say(f"{batch} is in the corpus again")
    if done.next_run is None:
        terminal.fact(corpus={"problem": done.problem})
        terminal.say(f"what the next run does is not known: {done.problem}")
    else:
        terminal.fact(corpus=asdict(done.next_run))
        _say_next(done.next_run, terminal)
    if done.withdrawn:
        terminal.hint(f"undo: bioscan-etl withdraw {batch} --undo --output {output}")
    return 0


def _say_next(following: NextRun, terminal: Terminal) -> None:
    """Print what the next run would do."""
    terminal.say(f"last release: {following.last_release or 'none'}")
    if following.to_ingest:
        names = ", ".join(following.to_ingest)
        terminal.say(f"next run: ingests {names}, then makes a release if that changes anything")
    elif following.blocked:
        terminal.say(f"next run: makes no release: {following.blocked}")
    elif following.reasons:
        terminal.say(f"next run: makes a release: {_first(following.reasons)}")
    else:
        terminal.say("next run: has nothing to do")
    if following.failure:
        terminal.say(f"the last attempt at this release failed: {following.failure}")


def _first(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more
