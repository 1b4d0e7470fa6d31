"""The marker of a batch: what has landed, where it is, and the fingerprint of its content.

Belongs here: the content of a marker, reading and writing it. Does not belong here: how a delivery is recognised and
hashed (`landing.land`), and which folders are deliveries (`landing.folder`, `landing.inbox`).

A location in a marker is an S3 or web address, or a path relative to the marker's folder, so that OUTPUT can be
copied or moved together with the files. Markers of earlier versions contain absolute paths, which are still read.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bioscan_etl.errors import SourceError, UnavailableError, is_transient
from bioscan_etl.io.locations import base_name, is_remote
from bioscan_etl.io.write import write_text
from bioscan_etl.lake import digest
from bioscan_etl.printable import printable

if TYPE_CHECKING:
    from bioscan_etl.lake import Lake

# Batch names become paths and Dagster partition keys (spec: orchestration).
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_SUFFIXES = re.compile(r"(\.(tsv|txt|csv|gz|tar|tgz|zip|jsonl|ndjson|json|parquet))+$", re.IGNORECASE)
MARKER = "batch.json"
VERSION = 2
"""Version of the marker's format; markers of version 1 do not state it."""

_MOST_BYTES = 16 << 20  # a marker has about 200 bytes per file
_SHOWN = 80


def _openable(location: str) -> str:
    if not location or "\0" in location:
        raise ValueError("a location must be a path or an address")
    return location


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Location = Annotated[str, AfterValidator(_openable)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordsEntry(_Entry):
    """A records file of a batch.

    Attributes:
        location: its path or address.
        sha256: sha256 of its bytes.
        snapshot_date: date of its BOLD snapshot, if it was given.
        descriptor: sha256 of the `datapackage.json` in its folder, which may give its date; None without one.
    """

    location: Location
    sha256: Sha256
    snapshot_date: dt.date | None = None
    descriptor: Sha256 | None = None


class ImagesEntry(_Entry):
    """A folder, zip or S3 prefix of images.

    Attributes:
        location: its path or address.
        files: number of files; 1 for a zip.
        listing: sha256 over the names and sizes of its files, on S3 also their ETags; cheap to compare.
        content: sha256 over the content of its files; None in markers of version 1, whose listing has times.
    """

    location: Location
    files: int = Field(ge=0)
    listing: Sha256
    content: Sha256 | None = None


class ManifestEntry(_Entry):
    """The CSV that joins process IDs to image files."""

    location: Location
    sha256: Sha256


class Batch(_Entry):
    """The content of a marker.

    Attributes:
        version: version of the marker's format.
        name: name of the batch.
        records: its records files.
        images: its image sources.
        image_manifest: the CSV that joins process IDs to image files.
        origin: the folder or S3 prefix that was landed as a whole; None if the files were listed individually.
        seen: sha256 over names, sizes and times (not content) of the files when they landed, so that a copy differs.
        folder: folder of the marker; not written.
    """

    version: int = VERSION
    name: str
    records: tuple[RecordsEntry, ...] = ()
    images: tuple[ImagesEntry, ...] = ()
    image_manifest: ManifestEntry | None = None
    origin: Location | None = None
    seen: Sha256 | None = None
    folder: Path = Field(Path(), exclude=True)

    @property
    def fingerprint(self) -> str:
        """Hex sha256 over the content of the delivery, independent of its location."""
        return digest(
            [
                self.name,
                sorted(
                    (
                        base_name(e.location),
                        e.sha256,
                        str(e.snapshot_date or ""),
                        *([e.descriptor] if e.descriptor else []),
                    )
                    for e in self.records
                ),
                sorted((self._base(e.location), e.files, e.content or e.listing) for e in self.images),
                self.image_manifest.sha256 if self.image_manifest else "",
            ]
        )

    def _base(self, location: str) -> str:
        """Name of an image source in the fingerprint; '' for the delivery's own folder, whatever its path."""
        name = base_name(location)
        return "" if location == self.origin or name in {".", ".."} else name

    def locate(self, location: str) -> str:
        """The path or S3 address with which an entry's location can be opened."""
        if is_remote(location) or Path(location).is_absolute():
            return location
        if not _leads_out(location):
            return os.path.normpath(self.folder / location)
        # Outward paths were taken from the real folder: a link in its own path has another parent.
        return os.path.normpath(os.path.join(os.path.realpath(self.folder), location))  # noqa: PTH118


def relative(location: str, folder: Path) -> str:
    """A location in the form of a marker in `folder`: addresses unchanged, paths relative to the folder.

    Raises:
        SourceError: the path has characters that a marker cannot store.
    """
    if is_remote(location):
        return location
    absolute, home = os.path.abspath(location), os.path.abspath(folder)  # noqa: PTH100 - links are kept as they are
    try:
        absolute.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{printable(location)} has a name that is not UTF-8; rename it") from None
    path = os.path.relpath(absolute, home)
    if _leads_out(path) and not _is_same(Path(os.path.realpath(home)) / path, absolute):
        path = os.path.relpath(os.path.realpath(absolute), os.path.realpath(home))
    return path


def _leads_out(path: str) -> bool:
    return path.split("/", 1)[0] == ".."


def _is_same(path: Path, other: str) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def is_name(name: str) -> bool:
    """Whether a text can be a batch name: it must be a valid path and Dagster partition key."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return the batch name if it is valid.

    Raises:
        SourceError: the name cannot be a path and a partition key.
    """
    if not is_name(name):
        raise SourceError(
            f"batch name {name!r} cannot be used: letters, digits, '_', '.' and '-' only, not starting with '.', "
            "128 at most; give another with --batch"
        )
    return name


def clean(text: str) -> str:
    """Replace characters that batch names cannot have by '-', and remove leading dots; does not shorten."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text).lstrip(".") or "batch"


def name_from_file(location: str) -> str:
    """A batch name from a records file's name, without suffixes, with invalid characters replaced by '-'."""
    return check_name(clean(_SUFFIXES.sub("", base_name(location))))


def write(lake: Lake, batch: Batch) -> Path:
    """Write a batch's marker atomically.

    Raises:
        SourceError: it cannot be written.
    """
    path = lake.landing / check_name(batch.name) / MARKER
    try:
        write_text(path, batch.model_dump_json(indent=1, exclude_none=True) + "\n")
    except OSError as error:
        raise SourceError(
            f"marker {path} cannot be written: {error.strerror}; check the folder, its permissions and the free space"
        ) from None
    return path


def landed(lake: Lake) -> list[str]:
    """Names of the folders that have an entry `batch.json` of any kind, sorted, without hidden folders.

    Includes invalid batch names and folders that are not readable: `load` reports what is wrong with them.

    Raises:
        SourceError: the landing folder cannot be listed.
    """
    try:
        with os.scandir(lake.landing) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_marked(entry))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceError(f"{lake.landing} cannot be listed: {error.strerror}; check its permissions") from None


def _is_marked(entry: os.DirEntry[str]) -> bool:
    try:
        os.lstat(os.path.join(entry.path, MARKER))  # noqa: PTH118 - of every folder, each minute
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def load(lake: Lake, name: str) -> Batch:
    """Read a landed batch's marker.

    Raises:
        SourceError: there is no marker, or it is damaged.
    """
    path = lake.landing / check_name(name) / MARKER
    raw = _read(path, name)
    if not isinstance(raw, dict):
        raise SourceError(f"marker {path} is damaged: it is not a JSON object; land the batch again")
    version = raw.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SourceError(f"marker {path} is damaged: its version is not a number; land the batch again")
    if version > VERSION:
        raise SourceError(
            f"marker {path} is of version {str(version)[:_SHOWN]}, this bioscan-etl reads up to {VERSION}: "
            "update bioscan-etl, or land the batch again"
        )
    if "folder" in raw:
        raise SourceError(f"marker {path} is damaged: folder: unknown field; land the batch again")
    try:
        batch = Batch.model_validate(raw)
    except (ValidationError, RecursionError, ValueError, OverflowError) as error:
        raise SourceError(f"marker {path} is damaged: {_first(error)}; land the batch again") from None
    if batch.name != name:
        raise SourceError(
            f"marker {path} names batch {batch.name[:_SHOWN]!r}, but the folder and the name must agree; land it again"
        )
    return batch.model_copy(update={"folder": path.parent})


def _read(path: Path, name: str) -> Any:
    """The JSON value in a marker."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise SourceError(f"marker {path} is a folder; move it away and land the batch again")
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"marker {path} is not a file; move it away and land the batch again")
        if found.st_size > _MOST_BYTES:
            raise SourceError(f"marker {path} is damaged: it has {found.st_size:,} bytes; land the batch again")
        data = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise SourceError(f"marker {path} is a broken link; delete it and land the batch again") from None
        raise SourceError(f"batch {name} has not landed: no marker {path}") from None
    except OSError as error:
        kind = UnavailableError if is_transient(error) else SourceError
        raise kind(f"marker {path} cannot be read: {error.strerror}; check the disk and its permissions") from None
    if not data.strip():
        raise SourceError(f"marker {path} is empty; land the batch again")
    try:
        return json.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise SourceError(f"marker {path} is damaged: it is not UTF-8; land the batch again") from None
    except RecursionError:
        raise SourceError(f"marker {path} is damaged: it is nested too deeply; land the batch again") from None
    except ValueError as error:
        raise SourceError(f"marker {path} is damaged: not JSON, {error}; land the batch again") from None


def _first(error: Exception) -> str:
    """The first error, in one short line."""
    if not isinstance(error, ValidationError):
        return "it holds impossible values"
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    words = "unknown field" if problem["type"] == "extra_forbidden" else problem["msg"].splitlines()[0]
    return printable(f"{place[:_SHOWN]}: {words}")
