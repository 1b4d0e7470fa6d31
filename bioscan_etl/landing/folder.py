"""The content of a plain folder or S3 prefix that is delivered as a batch.

Belongs here: listing a delivery and recognising its records, images and image manifest. Does not belong here: hashing
and landing it (`landing.land`), and waiting until it is complete (`landing.inbox`).

Records files are recognised by their content, images by their suffix, the image manifest by its header. Links that lead
out of the folder are not followed; links to folders are not followed at all.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bioscan_etl.errors import SourceError, UnavailableError, is_transient
from bioscan_etl.images.manifest_file import is_manifest, read_manifest
from bioscan_etl.io import s3
from bioscan_etl.io.locations import StoredFile, base_name, is_remote, is_s3
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.read import list_files, open_binary, open_seekable
from bioscan_etl.lake import digest
from bioscan_etl.landing.marker import MARKER
from bioscan_etl.printable import printable
from bioscan_etl.records.inspect import inspect
from bioscan_etl.records.sources import TABLES, RecordsFile

DONE = "DONE"
"""Name of the file that marks a delivery as complete."""

IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""How the names of images end (`images.index`)."""

MANIFEST = "image_manifest.csv"
# These suffixes are unambiguous: a file that does not match its suffix is damaged and must be reported.
_RECORDS = (*TABLES, ".tar", ".tgz", *(f"{suffix}.gz" for suffix in (*TABLES, ".tar")))
_MAYBE_RECORDS = (".txt", ".csv", ".json", ".gz")
_KNOWN = (*_RECORDS, *_MAYBE_RECORDS, ".zip")
_NO_PICTURES = (*_KNOWN, ".md", ".html", ".xml", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".log", ".md5", ".sha256")
_PARTS = (".part", ".partial", ".filepart", ".crdownload", ".tmp")
_NOISE = {DONE.lower(), MARKER, "thumbs.db", "desktop.ini"}
_NOISE_STARTS = ("readme", "md5sum", "sha1sum", "sha256sum", "sha512sum", "checksum", "license", "licence")
_NOISE_ENDS = (".md5", ".sha1", ".sha256", ".sha512", ".sfv")
_DESCRIPTOR = "datapackage.json"
_LOOK = 1 << 16
NO_RECORDS = "no records file (TSV, JSON lines, Parquet or an archive of these)"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a folder delivers.

    Attributes:
        location: the folder or S3 prefix; a single file's own location.
        records: locations of records files, sorted.
        images: locations of folders, zips and S3 prefixes that hold images, sorted.
        image_manifest: location of the CSV that joins process IDs to image files, or None.
        unknown: names of files of an unknown kind, which will be ignored, sorted.
        lacks: why it cannot be landed, a sentence each.
        files: all files of the delivery, sorted by name, without DONE, markers, hidden files and checksums.
        done: when DONE was written, in nanoseconds since 1970; None if there is no DONE.
        arriving: names of files that are still being copied.
        listing: hex sha256 over names and sizes of all files in the folder, hidden files included.
        count: number of all files in the folder except DONE and the marker.
    """

    location: str
    records: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    image_manifest: str | None = None
    unknown: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    files: tuple[StoredFile, ...] = ()
    done: int | None = None
    arriving: tuple[str, ...] = ()
    listing: str = ""
    count: int = 0

    @property
    def seen(self) -> str:
        """Hex sha256 over names, sizes and times (on S3: ETags) of the files; cheap, and changes with any file."""
        return seen(self.files)


def seen(files: Collection[StoredFile]) -> str:
    """Hex sha256 over names, sizes and times of files, on S3 their ETags in place of times."""
    return digest(sorted([file.name, file.size, file.etag or str(file.modified)] for file in files))


def is_folder(location: str) -> bool:
    """Whether a location is a folder or an S3 prefix, not a file; on S3, the suffix decides."""
    if is_s3(location):
        return location.endswith("/") or not location.lower().endswith((*_KNOWN, *IMAGES))
    return not is_remote(location) and Path(location).is_dir()


def list_delivery(location: str) -> Delivery:
    """List a folder or S3 prefix without opening or classifying its files.

    Raises:
        SourceError: there is no such folder or bucket, or it may not be read.
    """
    listed = list_files(location) if is_s3(location) else _walk(location)
    everything = sorted((file for file in listed if file.name != MARKER), key=lambda file: file.name)
    return Delivery(
        location,
        files=tuple(file for file in everything if not is_noise(file.name)),
        done=next((file.modified for file in everything if file.name == DONE), None),
        arriving=tuple(file.name for file in everything if file.name.lower().endswith(_PARTS)),
        listing=digest([[file.name, file.size] for file in everything]),
        count=sum(file.name != DONE for file in everything),
    )


def _walk(location: str) -> Iterator[StoredFile]:
    """Regular files below a folder; makes one system call per file, because deliveries have 100,000 files."""
    root = os.path.realpath(location)
    waiting = [("", location)]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
                    elif entry.is_symlink() and not real_path(entry.path).is_relative_to(root):
                        continue
                    elif entry.is_file():
                        found = entry.stat()
                        yield StoredFile(f"{prefix}{entry.name}", entry.path, found.st_size, modified=found.st_mtime_ns)
        except FileNotFoundError:
            # A file or folder that was removed during the listing: the next sweep gets another listing.
            if not prefix:
                raise SourceError(f"{location} does not exist; check the path") from None
        except OSError as error:
            kind = UnavailableError if is_transient(error) else SourceError
            raise kind(
                f"{printable(error.filename or folder)} cannot be read: {error.strerror}; check its permissions"
            ) from None


def is_noise(name: str) -> bool:
    """Whether a file is never part of a delivery, whatever its content."""
    if any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
        return True
    base = name.rsplit("/", 1)[-1].lower()
    # A descriptor is not read as a table, but it gives the date of the records in its folder.
    if base.endswith((*IMAGES, _DESCRIPTOR)):
        return False
    return base in _NOISE or base.startswith(_NOISE_STARTS) or base.endswith(_NOISE_ENDS)


def is_image_file(name: str) -> bool:
    """Whether a file of an image folder is part of its content: not hidden, and not named as a text file."""
    return not is_noise(name) and not name.lower().endswith(_NO_PICTURES)


def recognise(location: str) -> Delivery:
    """Recognise what a folder, an S3 prefix or a single file delivers.

    If images are in subfolders, each first-level subfolder is an image source. If images are in the folder of the
    records, or the manifest's paths are relative to that folder (`plates/7/x.jpg`), the folder itself is the source.

    Args:
        location: local folder or file, `s3://bucket/prefix`, or an S3 or web address of a file.

    Raises:
        SourceError: the location does not exist, or cannot be read.
    """
    if is_folder(location):
        return recognise_listed(list_delivery(location))
    found, reasons = _sorted_out(Delivery(location, files=(one_file(location),), count=1))
    if found.records or found.images or found.image_manifest is not None or found.lacks:
        return found
    why = next(iter(reasons.values()), f"{printable(location)} is nothing that is read")
    return replace(found, lacks=(f"{why}; give records, an image manifest, or images as a folder or a zip",))


def one_file(location: str) -> StoredFile:
    """A single file with its size and time or ETag; of a web address, neither is requested.

    Raises:
        SourceError: there is no such file.
    """
    name = base_name(location)
    if is_s3(location):
        head = s3.head(location)
        if head is None:
            raise SourceError(
                f"{location} cannot be read: no such object; check the bucket, the key and the credentials"
            )
        return StoredFile(name, location, head["size"], head["etag"])
    if is_remote(location):
        return StoredFile(name, location, -1)
    try:
        found = Path(location).stat()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{printable(location)} cannot be read: {why}; check the path") from None
    return StoredFile(name, location, found.st_size, modified=found.st_mtime_ns)


def recognise_listed(delivery: Delivery) -> Delivery:
    """Recognise what a listed folder delivers; see `recognise`."""
    found, reasons = _sorted_out(delivery)
    found = replace(found, images=_image_sources(found))
    lacking = lacks(found)
    if lacking and reasons and not found.lacks:
        lacking = (f"{lacking[0]}: {next(iter(reasons.values()))}",)
    return replace(found, lacks=(*found.lacks, *lacking))


def lacks(delivery: Delivery) -> tuple[str, ...]:
    """What a delivery as a whole lacks, a sentence each; images without records need a manifest."""
    return () if delivery.records or (delivery.images and delivery.image_manifest) else (NO_RECORDS,)


def _sorted_out(delivery: Delivery) -> tuple[Delivery, dict[str, str]]:
    """Records, zips of images and the manifest among the files; and by name why other files are not records."""
    records, zips, manifests, unknown, problems = [], [], [], [], []
    reasons = {}
    for file in delivery.files:
        name = file.name.lower()
        if name.endswith((*IMAGES, _DESCRIPTOR)):
            continue
        if name.endswith(".zip"):
            kinds, problem = _in_zip(file)
            records += [file.location] * ("records" in kinds)
            zips += [file.location] * ("images" in kinds)
            problems += [problem] * bool(problem)
            unknown += [file.name] * (not kinds)
        elif name.endswith(".csv") and _is_manifest(file):
            manifests.append(file)
        elif base_name(name) == MANIFEST:
            problems.append(f"{printable(file.name)} lacks the columns processid and image_file; write them")
        elif name.endswith((*_RECORDS, *_MAYBE_RECORDS)):
            reason = _no_records(file)
            if not reason:
                records.append(file.location)
                continue
            unknown.append(file.name)
            reasons[file.name] = reason
            if name.endswith(_RECORDS):
                problems.append(f"{reason} (correct or remove {printable(file.name)})")
        else:
            unknown.append(file.name)
    if len(manifests) > 1:
        problems.append(two_manifests(manifests[0].name, manifests[1].name))
    found = replace(
        delivery,
        records=tuple(sorted(records)),
        images=tuple(sorted(zips)),
        image_manifest=manifests[0].location if len(manifests) == 1 else None,
        unknown=tuple(sorted(unknown)),
        lacks=tuple(problems),
    )
    return found, reasons


def two_manifests(first: str, second: str) -> str:
    """Error message for a delivery with more than one image manifest."""
    return f"{printable(first)} and {printable(second)} both have processid and image_file; keep one image manifest"


def _no_records(file: StoredFile) -> str:
    """Why a file is not a records table; '' if it is one."""
    try:
        inspect(RecordsFile(file.location))
    except UnavailableError:
        raise
    except SourceError as error:
        return " ".join(str(error).split())
    except (ValueError, RecursionError, OverflowError) as error:
        # For example Parquet with damaged column names: no file may prevent the recognition of the others.
        return f"{printable(file.location)} is damaged ({type(error).__name__}); copy it again"
    return ""


def _in_zip(file: StoredFile) -> tuple[frozenset[str], str]:
    """What a zip contains (`records`, `images`), and what is wrong with it."""
    try:
        with zipfile.ZipFile(open_seekable(file.location) if is_s3(file.location) else file.location) as opened:
            names = [name for name in opened.namelist() if not is_noise(name)]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OSError) as error:
        if isinstance(error, OSError) and is_transient(error):
            raise UnavailableError(f"{file.location} cannot be read now: {error}; try again later") from None
        # The records before the damage can be read; files on the web can only be read from the start.
        if not _no_records(file):
            return frozenset({"records"}), ""
        return frozenset(), f"{printable(file.name)} is not a complete zip archive ({error}); copy it again"
    kinds = {"images": any(name.lower().endswith(IMAGES) for name in names)}
    tables = any(name.lower().endswith(TABLES) for name in names)
    problem = _no_records(file) if tables else ""
    kinds["records"] = tables and not problem
    if problem and not kinds["images"]:
        return frozenset(), problem
    return frozenset(kind for kind, holds in kinds.items() if holds), ""


def _is_manifest(file: StoredFile) -> bool:
    return is_manifest(_first_bytes(file.location))


def _first_bytes(location: str) -> bytes:
    with open_binary(location) as stream:
        try:
            return stream.read(_LOOK)
        except OSError as error:
            raise SourceError(f"{location} cannot be read: {error.strerror}; check the disk") from None


def _image_sources(delivery: Delivery) -> tuple[str, ...]:
    """Zips, and the subfolders with images, or the folder itself if the manifest's paths are relative to it."""
    images = [file.name for file in delivery.files if file.name.lower().endswith(IMAGES)]
    tops = sorted({name.split("/", 1)[0] for name in images if "/" in name})
    root = delivery.location.rstrip("/") if is_s3(delivery.location) else delivery.location
    flat = any("/" not in name for name in images)
    if images and (flat or _from_the_folder(delivery, set(images))):
        return tuple(sorted((*delivery.images, root)))
    separator = "" if root.endswith("/") else "/"
    return tuple(sorted((*delivery.images, *(f"{root}{separator}{top}" for top in tops))))


def _from_the_folder(delivery: Delivery, images: set[str]) -> bool:
    """Whether the manifest's paths are relative to the folder, not to one of its subfolders."""
    if delivery.image_manifest is None:
        return False
    try:
        named = read_manifest(delivery.image_manifest)["image_file"]
    except SourceError:  # said when the images are matched
        return False
    return any("/" in name and name in images for name in named)
