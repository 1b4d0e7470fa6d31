"""What a run would land, ingest and release, and why; nothing is changed to find out.

Belongs here: the plan of a run (`run --dry-run`), and the folders of the inbox that have not landed. Does not belong
here: running (`bioscan_etl.runs`), and the words for a terminal (`bioscan_etl.cli.run`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bioscan_etl import landing, state
from bioscan_etl.errors import BioscanError, SettingsError, sentence
from bioscan_etl.io.locations import is_s3, local_path
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import differences, settings_file
from bioscan_etl.landing.folder import list_delivery
from bioscan_etl.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class PlannedLanding:
    """A batch that would land.

    Attributes:
        records: its records files.
        images: where its images are.
    """

    records: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedRelease:
    """Whether a release would be made.

    Attributes:
        made: True or False; None if batches are ingested first and their outcome decides it.
        reasons: why one is due, one line each.
        blocked: why none can be made, in one line; empty if one can.
    """

    made: bool | None
    reasons: tuple[str, ...]
    blocked: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        settings_changed: what the given settings file would change, one line per setting; None if none is given.
        land: batches that would land, by name.
        folders: folders of the inbox that have not landed, or have changed since, each with what is known of it.
        ingest: reasons, one line each, by batch that would be ingested; sorted by name.
        damaged: what is wrong, by batch that cannot be ingested.
        release: whether a release would be made.
        last_release: version of the last release; None if there is none.
    """

    settings_changed: tuple[str, ...] | None
    land: dict[str, PlannedLanding]
    folders: dict[str, str]
    ingest: dict[str, tuple[str, ...]]
    damaged: dict[str, str]
    release: PlannedRelease
    last_release: str | None


def make_plan(
    lake: Lake,
    settings: Settings,
    deliveries: Mapping[str, Sequence[str]],
    images: Sequence[str] = (),
    new_settings: Path | None = None,
) -> Plan:
    """Find out what a run would do.

    Args:
        lake: the corpus; nothing in it changes.
        settings: that the run would have.
        deliveries: records files by batch that would land.
        images: where the images of these batches are.
        new_settings: file that would become the settings of the corpus; None if the corpus keeps its own.

    Raises:
        LakeError: the lake is of another layout.
        SettingsError: the settings cannot be used.
    """
    changed = None if new_settings is None else tuple(_settings_changed(lake, new_settings))
    land = {name: PlannedLanding(tuple(files), tuple(images)) for name, files in deliveries.items()}
    folders = {name: known for name, known in unlanded(lake, settings) if name not in land}
    corpus = state.corpus(lake, settings)
    ingest = {one.name: one.reasons for one in corpus.batches if one.wants_work and one.name not in land}
    ingest |= dict.fromkeys(land, ("it would land now; ingested if its content or the settings are new",))
    damaged = {one.name: one.problem for one in corpus.batches if one.status == "damaged" and one.name not in land}
    if ingest:
        # Their outputs decide it: a batch whose outputs stay the same makes no release by itself.
        reasons = (*corpus.reasons, f"{', '.join(sorted(ingest))} would be ingested first")
        release = PlannedRelease(None, reasons, "")
    else:
        release = PlannedRelease(bool(corpus.reasons) and not corpus.blocked, corpus.reasons, corpus.blocked)
    return Plan(changed, land, folders, dict(sorted(ingest.items())), damaged, release, corpus.last or None)


def _settings_changed(lake: Lake, source: Path) -> list[str]:
    """What a settings file would change, one line per setting."""
    target = settings_file(lake)
    try:
        before = load_settings(target if target.exists() else None)
    except SettingsError:  # the new file would replace a broken one
        before = Settings()
    return differences(before, load_settings(source))


def unlanded(lake: Lake, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each folder of the inbox that has not landed, or has changed since, with what is known of it."""
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
        places.append(local_path(inbox))
    for place in places:
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith(".") and folder.name not in marked:
                yield folder.name, _content(folder)


def _content(folder: Path) -> str:
    """What would land from a folder, or what the folder lacks."""
    try:
        found = landing.recognise(str(folder))
    except (BioscanError, OSError) as error:
        return sentence(error)
    if found.lacks:
        return "; ".join(found.lacks)
    return f"{len(found.records):,} records files, {len(found.images):,} image sources; landed once it is complete"
