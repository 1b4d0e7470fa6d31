"""A whole run: land, ingest what is not current, make the next release, and list what failed.

Belongs here: the order of these steps, and their outcome. Does not belong here: which batches are stale
(`bioscan_etl.state`), running the graph (`bioscan_etl.definitions.running`), what a run would do
(`bioscan_etl.plans`), and the words for a terminal (`bioscan_etl.cli.run`).
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioscan_etl import landing, state
from bioscan_etl.crash import logs_of, unexpected, write_log
from bioscan_etl.errors import BioscanError, SourceError, sentence
from bioscan_etl.lake import Lake, pins
from bioscan_etl.lake.corpus import install_settings, located, read_settings
from bioscan_etl.lake.current import current
from bioscan_etl.plans import Plan, make_plan
from bioscan_etl.progress import Progress, silent
from bioscan_etl.records.damaged_files import damaged_files
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.sources import RecordsFile, expand
from bioscan_etl.release import staging
from bioscan_etl.release.manifest import read_head
from bioscan_etl.release.ship.mirror import Published, publish_to_s3
from bioscan_etl.settings import Settings, load_settings

if TYPE_CHECKING:
    from bioscan_etl.bold.images import FetchedImages

FROM_BOLD = "bold"
"""A value of `images` that has them fetched from BOLD; a folder of this name is `./bold`."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something that failed.

    Attributes:
        kind: `batch`, `folder` (of the inbox), `release` or `publication`.
        name: of the batch, the folder or the place; empty for a release.
        why: in one line.
    """

    kind: str
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name or self.kind}: {self.why}"


@dataclass(frozen=True, slots=True)
class SettingsInstalled:
    """A settings file became the settings of the corpus.

    Attributes:
        changed: `section.name: before -> after`, one line per setting that differs now.
    """

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImagesFetched:
    """Images of a batch were fetched from BOLD.

    Attributes:
        folder: where they are.
        images: the outcome; what could not be fetched is tried again by the next run.
    """

    folder: Path
    images: FetchedImages


@dataclass(frozen=True, slots=True)
class Landings:
    """What has landed, and what has not.

    Attributes:
        given: batches that the call named.
        found: folders of the inbox that landed now.
        waiting: why, by folder of the inbox that is not complete.
        left_out: files of no known kind, by folder that landed.
        busy: whether another process looks at the inbox, so that its folders wait.
    """

    given: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    busy: bool = False

    @property
    def landed(self) -> tuple[str, ...]:
        """Every batch that landed."""
        return (*self.given, *self.found)


@dataclass(frozen=True, slots=True)
class LatestRelease:
    """The latest release after a run.

    Attributes:
        version: such as `v3`.
        folder: where it is.
        made: whether this run made it.
        ledger: rows by outcome: rows_read = specimens + quarantined + set_aside + rejected.
        counts: rows by outcome and reason.
        report: the page of its report.
        newer_report: a page of the same data with a newer template or notes; None if there is none.
        desk: the page of its doubts with their evidence; None if it has none.
        notes: what it does not hold of a batch, by batch.
        withdrawn: why, by batch that is withdrawn.
        damage: a sentence for each damaged records file, by batch.
        problem: why this run could not make a release, in one line; empty if it could, or if nothing changed.
    """

    version: str
    folder: Path
    made: bool
    ledger: Mapping[str, int]
    counts: Mapping[str, Any]
    report: Path
    newer_report: Path | None
    desk: Path | None
    notes: Mapping[str, str]
    withdrawn: Mapping[str, str]
    damage: Mapping[str, Sequence[str]]
    problem: str


@dataclass(frozen=True, slots=True)
class Run:
    """The outcome of a run.

    Attributes:
        settings_changed: settings of the corpus that changed, one line each; None if no file was given.
        fetched: images that were fetched from BOLD, by batch.
        landings: what landed, and what did not.
        ingested: batches that were ingested now.
        release: the latest release; None if there is none.
        published: its mirror; None if none was asked for, or if it failed.
        failed: everything that failed; one failure does not stop the rest.
    """

    settings_changed: tuple[str, ...] | None
    fetched: tuple[ImagesFetched, ...]
    landings: Landings
    ingested: tuple[str, ...]
    release: LatestRelease | None
    published: Published | None
    failed: tuple[Failed, ...]


Event = SettingsInstalled | ImagesFetched | Landings | LatestRelease | Published
"""What a run reports as soon as it happens."""


def _ignore(_: Event) -> None:
    """Ignore an event."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked to do.

    Attributes:
        records: records files, or folders of them, to land as batches.
        images: where the images of these batches are; `FROM_BOLD` has them fetched.
        image_manifest: CSV of processid, image_file; None if file names state the process ID of each image.
        batch: one batch of this name; None for one per records file.
        snapshot_date: date of the BOLD snapshot, where neither file name nor descriptor says it.
        settings: file that becomes the settings of the corpus; None keeps those it has.
        publish: `s3://bucket/prefix` to mirror the release to; None for nowhere.
    """

    records: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    image_manifest: str | None = None
    batch: str | None = None
    snapshot_date: dt.date | None = None
    settings: Path | None = None
    publish: str | None = None


def plan_run(lake: Lake, order: Order) -> Plan:
    """Find out what a run would do; see `run_corpus` for what it raises."""
    settings, deliveries = _prepare(lake, order)
    return make_plan(lake, settings, deliveries, order.images, order.settings)


def run_corpus(
    lake: Lake, order: Order, *, progress: Progress = silent, listen: Callable[[Event], None] = _ignore
) -> Run:
    """Land what is named and what is complete in the inbox, ingest every batch that is not current, and release.

    Args:
        lake: the corpus.
        order: what to do.
        progress: reports every step.
        listen: called with each event as soon as it happens, in this thread.

    Raises:
        SettingsError: the settings cannot be used; nothing has changed.
        SourceError: a records file cannot be used, or there is nothing to run.
        LakeError: the lake is of another layout.
    """
    settings, deliveries = _prepare(lake, order)
    changed = None
    if order.settings is not None:
        changed = tuple(install_settings(lake, order.settings))
        listen(SettingsInstalled(changed))
        settings = read_settings(lake)
    this = _Run(lake, settings, progress, listen)
    this.land(order, deliveries)
    latest = this.ingest_and_release()
    published = None
    if order.publish is not None and latest is not None:
        published = this.publish(latest.folder, order.publish)
    return Run(
        settings_changed=changed,
        fetched=tuple(this.fetched),
        landings=this.landings,
        ingested=tuple(this.ingested),
        release=latest,
        published=published,
        failed=tuple(this.failed),
    )


def _prepare(lake: Lake, order: Order) -> tuple[Settings, dict[str, list[str]]]:
    """Refuse what cannot be done before anything is; returns the settings and the records files by batch."""
    given = order.settings
    settings = read_settings(lake) if given is None else located(load_settings(given), lake.root)
    if order.publish is not None and not order.publish.startswith("s3://"):
        raise SourceError(f"--publish {order.publish} is no place on S3; give s3://bucket/prefix")
    deliveries = _deliveries(order, settings.records.encoding)
    lake.require_format()
    return settings, deliveries


def _deliveries(order: Order, encoding: str) -> dict[str, list[str]]:
    """Records files by batch, each one looked into; one batch of the given name, or one per file."""
    files = [file for location in order.records for file in expand(location)]
    if not files and (order.images or order.image_manifest or order.batch):
        raise SourceError("--images, --image-manifest and --batch describe a new batch: give its --records too")
    found: dict[str, list[str]] = {}
    if order.batch:
        found = {landing.check_name(order.batch): files}
    else:
        for location in files:
            found.setdefault(landing.name_from_file(location), []).append(location)
        for name, group in found.items():
            if len(group) > 1:
                raise SourceError(
                    f"{', '.join(group)} would all be batch {name}; give one --batch, or rename the files"
                )
    for location in files:
        inspect(RecordsFile(location), encoding)
    return found


class _Run:
    """The steps of one run, and what they share."""

    def __init__(self, lake: Lake, settings: Settings, progress: Progress, listen: Callable[[Event], None]) -> None:
        self._lake = lake
        self._settings = settings
        self._progress = progress
        self._listen = listen
        self.fetched: list[ImagesFetched] = []
        self.landings = Landings()
        self.ingested: list[str] = []
        self.failed: list[Failed] = []

    def land(self, order: Order, deliveries: Mapping[str, list[str]]) -> None:
        """Land what the order names, then the folders of the inbox that are complete."""
        for name, files in deliveries.items():
            images = list(order.images)
            if FROM_BOLD in images:
                folder = self._lake.landing / name / "images"
                self._fetch(files, folder)
                images = [*(location for location in images if location != FROM_BOLD), str(folder)]
            landing.register(
                self._lake,
                name,
                files,
                images,
                order.image_manifest,
                snapshot_date=order.snapshot_date,
                progress=self._progress,
            )
        found = landing.sweep(self._lake, self._settings.automation.inbox, now=time.time())
        self.landings = Landings(tuple(deliveries), tuple(found.landed), found.waiting, found.left_out, found.busy)
        self._listen(self.landings)
        self.failed += [Failed("folder", name, why) for name, why in found.refused.items()]

    def _fetch(self, files: Sequence[str], folder: Path) -> None:
        """Fetch what BOLD has of the images of records files; images of only some specimens are useful, too."""
        from bioscan_etl.bold import processids
        from bioscan_etl.bold.images import fetch_images

        wanted = [processids.from_records(location, self._settings.records) for location in files]
        done = fetch_images([one for part in wanted for one in part], folder, self._settings.bold, self._progress)
        self.fetched.append(ImagesFetched(folder, done))
        self._listen(self.fetched[-1])

    def ingest_and_release(self) -> LatestRelease | None:
        """Ingest every batch that is not current, then make the release of those that can be pinned."""
        states = state.survey(self._lake, self._settings)
        if not states and not self.failed:
            raise SourceError(f"nothing to run: no --records, and no batch has landed in {self._lake.landing}")
        self.failed += [Failed("batch", one.name, one.problem) for one in states if one.status == "damaged"]
        before = staging.latest(self._lake.releases)
        problem = self._make(states) if states else ""
        # Also after a failure: what comes after the release, such as its mirror, may be what failed.
        folder = staging.latest(self._lake.releases)
        if folder is None:
            return None
        latest = self._latest(folder, made=folder != before, problem=problem)
        self._listen(latest)
        return latest

    def _make(self, states: Sequence[state.BatchState]) -> str:
        """Run the graph; returns why no release could be made, or an empty text."""
        from bioscan_etl.definitions import running

        with running.open_instance(self._lake) as instance:
            wanted = [one for one in states if one.wants_work]
            for number, one in enumerate(wanted):
                self._progress("batches", number, len(wanted))
                try:
                    running.run_batch(self._lake, one, instance=instance, progress=self._progress)
                except (BioscanError, OSError) as error:
                    self.failed.append(Failed("batch", one.name, sentence(error)))
                except Exception as error:  # of Dagster: the other batches go on
                    log = write_log(error, sys.argv, [logs_of(self._lake.root)])
                    self.failed.append(Failed("batch", one.name, unexpected(error, log)))
                else:
                    self.ingested.append(one.name)
            if wanted:
                self._progress("batches", len(wanted), len(wanted))
            problem = state.corpus(self._lake, self._settings).blocked
            if not problem:
                try:
                    running.run_release(self._lake, instance=instance, progress=self._progress)
                except (BioscanError, OSError) as error:
                    problem = sentence(error)
        if problem:
            self.failed.append(Failed("release", "", problem))
        return problem

    def _latest(self, folder: Path, *, made: bool, problem: str) -> LatestRelease:
        head = read_head(folder)
        report, desk = folder / "report" / "index.html", folder / "report" / "desk" / "index.html"
        # The notes are the run's, not the manifest's: if nothing changed, that was written before a delivery failed.
        pin = None if problem and not made else pins.load_pin(self._lake, state.pin_of_last_run(self._lake))
        return LatestRelease(
            version=folder.name,
            folder=folder,
            made=made,
            ledger=head["ledger"],
            counts=head["counts"],
            report=report,
            newer_report=_newer_report(self._lake, report),
            desk=desk if desk.is_file() else None,
            notes={} if pin is None else dict(pin.notes),
            withdrawn={} if pin is None else dict(pin.withdrawn),
            damage={} if pin is None else damaged_files(self._lake, pin),
            problem=problem,
        )

    def publish(self, release: Path, location: str) -> Published | None:
        """Mirror the release; a failure is listed."""
        try:
            published = publish_to_s3(release, location, self._progress)
        except (BioscanError, OSError) as error:
            self.failed.append(Failed("publication", location, sentence(error)))
            return None
        self._listen(published)
        return published


def _newer_report(lake: Lake, report: Path) -> Path | None:
    """The report in the lake, if it differs from the release's: a new template or note makes no new release."""
    output = current(lake, "quality_report")
    page = None if output is None else output.folder / "report" / "index.html"
    if page is None or not page.is_file() or (report.is_file() and page.read_bytes() == report.read_bytes()):
        return None
    return page
