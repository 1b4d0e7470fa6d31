"""`run --dry-run`: what a run would land, ingest and release, and why, without a change.

Belongs here: reading what there is, and saying it. Does not belong here: running (`run`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError, sentence

if TYPE_CHECKING:
    from bioscan_etl.lake import Lake
    from bioscan_etl.settings import Settings
    from bioscan_etl.state import CorpusState


def dry_run(
    lake: Lake,
    settings: Settings,
    settings_file: Path | None,
    deliveries: Mapping[str, Sequence[str]],
    images: Sequence[str],
    terminal: Terminal,
) -> int:
    """Say what a run would do; returns exit code 1 where it would meet something damaged.

    Args:
        lake: the corpus; nothing in it changes.
        settings: that the run would have.
        settings_file: of `--settings`, or None.
        deliveries: records files by batch, of `--records`.
        images: of `--images`.
        terminal: told.
    """
    from bioscan_etl import state

    terminal.fact(dry_run=True)
    if settings_file is not None:
        changed = _settings_changed(lake, settings_file)
        terminal.fact(settings_changed=changed)
        for line in changed:
            terminal.say(f"would change setting {line}")
    to_land: dict[str, Any] = {
        name: {"records": list(files), "images": list(images)} for name, files in deliveries.items()
    }
    for name, files in deliveries.items():
        sources = f", images of {', '.join(images)}" if images else ""
        terminal.say(f"would land {name}: {', '.join(files)}{sources}")
    folders = {name: said for name, said in unlanded(lake, settings) if name not in to_land}
    for name, said in folders.items():
        terminal.say(f"would look at the folder {name}: {said}")
    corpus = state.corpus(lake, settings)
    ingest = {one.name: list(one.reasons) for one in corpus.batches if one.wants_work and one.name not in to_land}
    ingest |= {name: ["it would land now; ingested if its content or the settings are new"] for name in to_land}
    for name, reasons in sorted(ingest.items()):
        terminal.say(f"would ingest {name}: {'; '.join(reasons)}")
    damaged = {one.name: one.problem for one in corpus.batches if one.status == "damaged" and one.name not in to_land}
    for name, problem in damaged.items():
        terminal.say(f"cannot ingest {name}: {problem}")
    terminal.fact(
        land=to_land, folders=folders, ingest=ingest, damaged=damaged, release=_release(corpus, ingest, terminal)
    )
    return 1 if damaged else 0


def _settings_changed(lake: Lake, source: Path) -> list[str]:
    """What `--settings` would change, one line per setting."""
    from bioscan_etl.errors import SettingsError
    from bioscan_etl.lake.corpus import differences, settings_file
    from bioscan_etl.settings import Settings, load_settings

    target = settings_file(lake)
    try:
        before = load_settings(target if target.exists() else None)
    except SettingsError:  # the new file would take the place of a broken one
        before = Settings()
    return differences(before, load_settings(source))


def _release(corpus: CorpusState, ingest: Mapping[str, Any], terminal: Terminal) -> dict[str, Any]:
    """Whether a release would be made, and why."""
    if ingest:
        # What they become decides it: a batch that comes out the same makes no release by itself.
        reasons = [*corpus.reasons, f"{', '.join(sorted(ingest))} would be ingested first"]
        terminal.say(f"would make a release, if that changes anything: {'; '.join(reasons)}")
        return {"made": None, "reasons": reasons, "blocked": ""}
    if corpus.blocked:
        terminal.say(f"would make no release: {corpus.blocked}")
    elif corpus.reasons:
        terminal.say(f"would make a release: {'; '.join(corpus.reasons)}")
    else:
        terminal.say(f"would make no release: {corpus.last} is of what is there")
    return {
        "made": bool(corpus.reasons) and not corpus.blocked,
        "reasons": list(corpus.reasons),
        "blocked": corpus.blocked,
    }


def unlanded(lake: Lake, settings: Settings) -> Iterator[tuple[str, str]]:
    """Folders of the inbox that have not landed, or have changed since, each with what is to be said of it."""
    from bioscan_etl import landing
    from bioscan_etl.io.locations import is_s3
    from bioscan_etl.landing.folder import list_delivery

    marked = set(landing.landed(lake))
    for name in sorted(marked):
        try:
            batch = landing.load(lake, name)
            if batch.origin is not None and list_delivery(batch.locate(batch.origin)).seen != batch.seen:
                yield name, "it has changed since it landed"
        except BioscanError:
            continue  # the state of the batch says what is wrong with its marker
    places = [lake.landing]
    inbox = settings.automation.inbox
    if is_s3(inbox):
        yield inbox, "an inbox on S3, which only a run looks into"
    elif inbox:
        places.append(Path(inbox).expanduser())
    for place in places:
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith(".") and folder.name not in marked:
                yield folder.name, _held(folder)


def _held(folder: Path) -> str:
    """What a folder would be landed with, or what it lacks."""
    from bioscan_etl import landing

    try:
        found = landing.recognise(str(folder))
    except (BioscanError, OSError) as error:
        return sentence(error)
    if found.lacks:
        return "; ".join(found.lacks)
    return f"{len(found.records):,} records files, {len(found.images):,} image sources; landed once it is complete"
