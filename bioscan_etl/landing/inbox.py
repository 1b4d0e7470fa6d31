"""The inbox: its plain folders become batches once they are complete.

Belongs here: finding the folders, deciding whether one is complete, and reporting those that are not. Does
not belong here: the content of a folder (`landing.folder`), how it is landed (`landing.land`).

A folder is complete when it contains a file DONE, or when two sweeps in a row find the same names and sizes. The
listings of the last sweep are stored in OUTPUT/landing/.inbox.json; that file can be lost without harm.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bioscan_etl.errors import BioscanError, BusyError, SourceError, UnavailableError, is_transient, sentence
from bioscan_etl.io import s3
from bioscan_etl.io.locations import is_remote, is_s3, local_path
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.locks import hold
from bioscan_etl.landing import marker
from bioscan_etl.landing.folder import DONE, Delivery, is_noise, list_delivery, recognise_listed
from bioscan_etl.landing.land import describe_lack, land_delivery
from bioscan_etl.landing.marker import MARKER, Batch
from bioscan_etl.printable import printable

if TYPE_CHECKING:
    from bioscan_etl.lake import Lake

STATE = ".inbox.json"
_LOCK = ".inbox.lock"
_STATE_VERSION = 1
_STATE_BYTES = 16 << 20
_SHORT = 60  # longest proposed name, in characters

APART_SECONDS = 5.0
"""Two sweeps closer together than this, such as after a click on a button, count as one."""

MOST_FILES = 200_000
"""Most files of landed folders that one sweep lists; more are spread over several sweeps. A file takes 20 µs."""

_S3_WEIGHT = 20  # how much longer S3 takes to list a file


@dataclass(slots=True)
class Inbox:
    """The result of a sweep; keys are names of batches, of folders that are not batches yet, or of an inbox.

    Attributes:
        landed: batches that landed, or landed again with other content.
        waiting: why a folder waits for a later sweep.
        refused: what is wrong with a folder and how to fix it, in one sentence.
        left_out: ignored files of the batches that landed now: their kind is unknown.
        busy: another sweep of this lake is running; nothing was examined.
    """

    landed: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    busy: bool = False


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that may be a delivery: its name, its location, and the key of its stored listing."""

    name: str
    location: str
    key: str
    inside: bool


@dataclass(frozen=True, slots=True)
class _Memory:
    """The listing of a folder in an earlier sweep, and when it was first found (seconds since 1970)."""

    listing: str
    since: float


def sweep(lake: Lake, inbox: str = "", *, now: float) -> Inbox:
    """Land the complete folders below OUTPUT/landing and in the inbox; a bad folder does not affect others.

    Examines folders without a marker, and folders that were landed as a whole and have changed since. Skips folders
    that `register` landed, damaged markers and hidden folders.

    Args:
        lake: the lake to land in.
        inbox: another local folder or `s3://bucket/prefix` whose folders are deliveries; '' for none.
        now: seconds since 1970; sweeps less than `APART_SECONDS` apart count as one.

    Returns:
        What landed, what waits, and what is refused.
    """
    found = Inbox()
    if not lake.landing.is_dir() and not inbox:
        return found
    try:
        with hold(lake.landing / _LOCK, f"{lake.landing} is being swept by another process; it continues by itself"):
            _Sweep(lake, inbox, now, found).run()
    except BusyError:
        found.busy = True
    except (BioscanError, OSError) as error:
        found.refused[str(lake.landing)] = sentence(error)
    return found


class _Sweep:
    """One sweep over all folders."""

    def __init__(self, lake: Lake, inbox: str, now: float, found: Inbox) -> None:
        self._lake = lake
        self._inbox = inbox if is_s3(inbox) or not inbox else str(local_path(inbox))
        self._now = now
        self._found = found
        self._earlier = _read_state(lake.landing / STATE)
        self._memory: dict[str, _Memory] = {}
        self._markers: dict[str, Batch | None] = {}
        self._by_origin: dict[str, Batch] = {}

    def run(self) -> None:
        """Examine every folder, and store the listings."""
        self._load_markers()
        folders = [*self._in_landing(), *self._in_inbox()]
        folders += self._elsewhere({_real(folder.location) for folder in folders})
        taken: dict[str, str] = {}
        turn = self._turn(folders)
        for folder in folders:
            try:
                self._look(folder, taken, turn)
            except (BioscanError, OSError) as error:
                if is_transient(error):
                    self._keep(folder.key)
                self._tell(printable(folder.name), error)
        if self._memory != self._earlier:
            try:
                _write_state(self._lake.landing / STATE, self._memory)
            except OSError as error:
                self._found.refused[STATE] = sentence(error)

    def _load_markers(self) -> None:
        for name in marker.landed(self._lake):
            try:
                batch = marker.load(self._lake, name)
            except BioscanError:
                self._markers[name] = None  # readers of markers report what is wrong with this one
                continue
            self._markers[name] = batch
            if batch.origin is not None:
                self._by_origin[_real(batch.locate(batch.origin))] = batch

    def _in_landing(self) -> Iterator[_Folder]:
        for name in self._folders_in(self._lake.landing):
            yield _Folder(name, str(self._lake.landing / name), name, inside=True)

    def _in_inbox(self) -> list[_Folder]:
        if not self._inbox:
            return []
        try:
            if is_s3(self._inbox):
                root = self._inbox.rstrip("/")
                return [_Folder(name, f"{root}/{name}", f"{root}/{name}", inside=False) for name in self._prefixes()]
            path = Path(self._inbox)
            if not path.is_dir():
                raise SourceError(f"inbox {self._inbox} is not a folder; create it, or change automation.inbox")
            real, output, landing = real_path(path), real_path(self._lake.root), real_path(self._lake.landing)
            if real == landing:
                return []
            if output.is_relative_to(real) or real.is_relative_to(landing) or real.is_relative_to(output / "lake"):
                raise SourceError(
                    f"inbox {self._inbox} contains the output folder {self._lake.root}, or is inside it; "
                    "choose a separate folder for the setting automation.inbox"
                )
            return [_Folder(name, str(path / name), str(path / name), inside=False) for name in self._folders_in(path)]
        except (BioscanError, OSError) as error:
            for key in self._earlier:
                if key.startswith(self._inbox.rstrip("/") + "/"):
                    self._keep(key)
            self._tell(self._inbox, error)
            return []

    def _elsewhere(self, known: set[str]) -> list[_Folder]:
        """Folders that `land` landed and that are neither in OUTPUT/landing nor in the inbox; skips missing ones."""
        return [
            _Folder(batch.name, location, location, inside=False)
            for location, batch in sorted(self._by_origin.items())
            if location not in known and (is_remote(location) or Path(location).is_dir())
        ]

    def _tell(self, name: str, error: Exception) -> None:
        """Report a temporary problem as waiting, any other as refused."""
        (self._found.waiting if is_transient(error) else self._found.refused)[name] = sentence(error)

    def _folders_in(self, path: Path) -> list[str]:
        """Names of the folders in a folder, links to folders included; files are refused here."""
        if not path.is_dir():
            return []
        names = []
        for entry in sorted(path.iterdir()):
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir():
                    names.append(entry.name)
                elif entry.is_symlink() and not entry.exists():
                    raise SourceError(f"{printable(str(entry))} is a broken link; correct or delete it")
                elif not is_noise(entry.name):
                    raise SourceError(_loose(str(entry)))
            except (BioscanError, OSError) as error:
                self._tell(printable(entry.name), error)
        return names

    def _prefixes(self) -> list[str]:
        """Names directly below the S3 prefix; objects there are refused."""
        bucket, prefix = s3.folder_of(self._inbox)
        names = []
        for page in s3.pages(self._inbox, Delimiter="/"):
            names += [each["Prefix"].removeprefix(prefix).rstrip("/") for each in page.get("CommonPrefixes", [])]
            for each in page.get("Contents", []):
                name = each["Key"].removeprefix(prefix)
                if name and not is_noise(name):
                    self._found.refused[printable(name)] = _loose(f"s3://{bucket}/{each['Key']}")
        return sorted(name for name in names if name and not name.startswith("."))

    def _turn(self, folders: list[_Folder]) -> frozenset[str]:
        """Keys of the landed folders that this sweep examines: all, or as many as it can list in time."""
        groups: list[list[str]] = [[]]
        size = 0
        for folder in folders:
            batch = self._by_origin.get(_real(folder.location))
            if batch is None:
                continue
            weight = sum(entry.files for entry in batch.images) + len(batch.records)
            weight *= _S3_WEIGHT if is_s3(folder.location) else 1
            if groups[-1] and size + weight > MOST_FILES:
                groups.append([])
                size = 0
            groups[-1].append(folder.key)
            size += weight
        return frozenset(groups[int(self._now // 60) % len(groups)])

    def _look(self, folder: _Folder, taken: dict[str, str], turn: frozenset[str]) -> None:
        """Land one folder, or report why not."""
        batch = self._by_origin.get(_real(folder.location))
        if batch is None:
            if folder.inside and folder.name in self._markers:
                return  # its files were listed individually, or the marker is damaged
            self._require_name(folder, taken)
            if not folder.inside and folder.name in self._markers:
                batch = self._markers[folder.name]
                if batch is None:
                    return
                self._require_moved(folder, batch)
        elif folder.key not in turn and folder.key not in self._earlier:
            return
        delivery = list_delivery(folder.location)
        name = folder.name if batch is None else batch.name
        if batch is not None and self._is_here(batch, folder) and delivery.seen == batch.seen:
            return
        if not delivery.count:
            kept = "its files are gone; their content has landed" if batch is not None else "no file yet"
            self._found.waiting[name] = f"{kept}: {printable(folder.location)} is empty"
            return
        if why := self._incomplete(folder, delivery, batch):
            self._found.waiting[name] = why
            return
        self._land(folder, name, recognise_listed(delivery), batch)

    def _land(self, folder: _Folder, name: str, delivery: Delivery, earlier: Batch | None) -> None:
        # Also after an error, the next sweep must still find the folder complete.
        self._keep(folder.key)
        if delivery.lacks:
            raise SourceError(f"{printable(delivery.location)}: {describe_lack(delivery.lacks)}")
        dates = {entry.snapshot_date for entry in earlier.records} if earlier is not None else set()
        batch = land_delivery(self._lake, delivery, name, snapshot_date=dates.pop() if len(dates) == 1 else None)
        self._memory.pop(folder.key, None)
        if earlier is None or batch.fingerprint != earlier.fingerprint:
            self._found.landed.append(name)
            if delivery.unknown:
                self._found.left_out[name] = tuple(printable(each) for each in delivery.unknown)

    def _require_name(self, folder: _Folder, taken: dict[str, str]) -> None:
        where = printable(folder.location)
        if not marker.is_name(folder.name):
            raise SourceError(
                f"{where} has a name that no batch can have (letters, digits, '_', '.' and '-' only, 128 at most); "
                f"rename it, for example to {marker.clean(folder.name)[:_SHORT]}"
            )
        other = taken.setdefault(folder.name, where)
        if other != where:
            raise SourceError(f"{where} and {other} would both be batch {folder.name}; rename one of them")

    def _require_moved(self, folder: _Folder, batch: Batch) -> None:
        """Raise if a batch of this name exists, unless its folder was moved here."""
        origin = batch.origin
        if origin is not None and not _exists(batch.locate(origin)):
            return
        place = printable(batch.locate(origin)) if origin is not None else "files that were named one by one"
        raise SourceError(
            f"{printable(folder.location)} would be batch {batch.name}, which has landed from {place}; "
            "rename the folder"
        )

    def _is_here(self, batch: Batch, folder: _Folder) -> bool:
        return batch.origin is not None and _real(batch.locate(batch.origin)) == _real(folder.location)

    def _incomplete(self, folder: _Folder, delivery: Delivery, batch: Batch | None) -> str:
        """Why a folder is not complete yet, '' if it is; stores its listing."""
        if delivery.done is not None and (batch is None or delivery.done > self._landed_at(batch)):
            return ""
        earlier = self._earlier.get(folder.key)
        files = f"{delivery.count:,} file{'s' if delivery.count != 1 else ''}"
        changed = "changed since it landed, " if batch is not None else ""
        if earlier is None or earlier.listing != delivery.listing or earlier.since > self._now:
            self._memory[folder.key] = _Memory(delivery.listing, self._now)
            return f"{files}, {changed}still arriving; a file {DONE} in the folder ends the wait"
        self._memory[folder.key] = earlier
        if delivery.arriving:
            return (
                f"{files}, {changed}{printable(delivery.arriving[0])} is not complete; finish or delete it, "
                f"or put a file {DONE} into the folder"
            )
        if self._now - earlier.since < APART_SECONDS:
            return f"{files}, {changed}still arriving; a file {DONE} in the folder ends the wait"
        return ""

    def _landed_at(self, batch: Batch) -> int:
        """When the marker was written, in nanoseconds since 1970."""
        return (self._lake.landing / batch.name / MARKER).stat().st_mtime_ns

    def _keep(self, key: str) -> None:
        """Keep the stored listing."""
        if key not in self._memory and key in self._earlier:
            self._memory[key] = self._earlier[key]


def _loose(location: str) -> str:
    return f"{printable(location)} is a single file: put it into a folder of its own, which becomes the batch"


def _real(location: str) -> str:
    return location.rstrip("/") if is_remote(location) else os.path.realpath(location)


def _exists(location: str) -> bool:
    """Whether an origin still contains files; True if it cannot be listed."""
    try:
        return bool(list_delivery(location).count)
    except UnavailableError:
        return True
    except SourceError:
        return not is_remote(location) and os.path.lexists(location)


def _read_state(path: Path) -> dict[str, _Memory]:
    """The stored listings of earlier sweeps; none if the file is missing or damaged."""
    try:
        if path.stat().st_size > _STATE_BYTES:
            return {}
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["version"] != _STATE_VERSION:
            return {}
        return {str(key): _Memory(str(each["listing"]), float(each["since"])) for key, each in state["folders"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}


def _write_state(path: Path, memory: Mapping[str, _Memory]) -> None:
    folders = {key: {"listing": each.listing, "since": each.since} for key, each in sorted(memory.items())}
    text = json.dumps({"version": _STATE_VERSION, "folders": folders}, indent=1)
    write_text(path, text + "\n")
