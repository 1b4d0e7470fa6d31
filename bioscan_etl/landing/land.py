"""Landing a delivery: its files are hashed in place, and its marker is written last.

Belongs here: hashing, and making the marker of given files or of a folder. Does not belong here: the content of a
marker (`landing.marker`), the content of a folder (`landing.folder`), which folders to land (`landing.inbox`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bioscan_etl.errors import SourceError, UnavailableError, is_transient
from bioscan_etl.io.locations import StoredFile, base_name, is_remote, is_s3
from bioscan_etl.io.read import file_sha256, list_files
from bioscan_etl.lake import digest
from bioscan_etl.landing import marker
from bioscan_etl.landing.folder import (
    NO_RECORDS,
    Delivery,
    is_folder,
    is_image_file,
    lacks,
    list_delivery,
    one_file,
    recognise,
    two_manifests,
)
from bioscan_etl.landing.marker import Batch, ImagesEntry, ManifestEntry, RecordsEntry
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress, silent
from bioscan_etl.records import snapshots
from bioscan_etl.threads import ordered_map, workers

if TYPE_CHECKING:
    from bioscan_etl.lake import Lake

_REPORT_EVERY = 500


def images_entry(location: str, progress: Progress = silent) -> ImagesEntry:
    """Describe an image source with its present content; reads every file of a local folder.

    Args:
        location: folder, .zip or s3:// prefix; copied to the entry unchanged.
        progress: receives the number of hashed files as stage "hash images".

    Raises:
        SourceError: it is not a folder, zip or S3 prefix, has no image file, or a file cannot be read.
    """
    files = _image_files(location)
    # An ETag changes with the content, and is available without reading it.
    content = _listing(files) if is_s3(location) else _content(files, progress)
    return ImagesEntry(location=location, files=len(files), listing=_listing(files), content=content)


def images_changed(batch: Batch, entry: ImagesEntry) -> bool:
    """Whether an image source of a batch has changed since it landed, judged by its listing.

    Args:
        batch: the batch.
        entry: one of its `images`.

    Raises:
        SourceError: the source is missing, or cannot be read.
    """
    location = batch.locate(entry.location)
    if entry.content is None:
        return _listing_of_version_1(location) != entry.listing
    return _listing(_image_files(location)) != entry.listing


def _is_zip(location: str) -> bool:
    return location.lower().endswith(".zip") and not (not is_s3(location) and Path(location).is_dir())


def _image_files(location: str) -> list[StoredFile]:
    if not _is_zip(location):
        if not is_s3(location) and not Path(location).is_dir():
            raise SourceError(f"images {location} are no folder, .zip or s3:// prefix; check --images")
        files = [file for file in list_delivery(location).files if is_image_file(file.name)]
        if not files:
            raise SourceError(f"images {location} hold no image file; check --images")
        return files
    return [one_file(location)]


def _listing(files: Sequence[StoredFile]) -> str:
    return digest([[file.name, file.size, *([file.etag] if file.etag else [])] for file in files])


def _content(files: Sequence[StoredFile], progress: Progress) -> str:
    """Hex sha256 over names, sizes and sha256 of local files."""
    rows = []
    progress("hash images", 0, len(files))
    for done, (file, found) in enumerate(ordered_map(_sha256, files, workers(0)), 1):
        rows.append([file.name, file.size, found])
        if done % _REPORT_EVERY == 0 or done == len(files):
            progress("hash images", done, len(files))
    return digest(rows)


def _sha256(file: StoredFile) -> str:
    try:
        with Path(file.location).open("rb", buffering=0) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file.location, error) from None


def _unreadable(location: str, error: OSError) -> SourceError:
    kind = UnavailableError if is_transient(error) else SourceError
    return kind(f"{printable(location)} cannot be read: {error.strerror or error}; check the disk and its permissions")


def _listing_of_version_1(location: str) -> str:
    """The listing of markers that have no `content`: of folders names, sizes and times, of zips the sha256."""
    if _is_zip(location):
        return digest([[base_name(location), file_sha256(location)]])
    files = list_files(location)
    if is_s3(location):
        return digest([[file.name, file.size] for file in files])
    return digest([[file.name, file.size, Path(file.location).stat().st_mtime_ns] for file in files])


def register(
    lake: Lake,
    name: str,
    records: Sequence[str],
    images: Sequence[str] = (),
    image_manifest: str | None = None,
    *,
    snapshot_date: dt.date | None = None,
    progress: Progress = silent,
) -> Batch:
    """Land a batch of the named files: hash them and write the marker. The files stay where they are.

    Args:
        lake: the lake to land in.
        name: batch name.
        records: records files, local, on S3 or on the web.
        images: image folders, zips or S3 prefixes.
        image_manifest: CSV with processid and image_file.
        snapshot_date: date of the records' BOLD snapshot, where their names and descriptors do not say it.
        progress: receives each hashed file.

    Raises:
        SourceError: a name or a file cannot be used.
    """
    batch = _hashed(lake, name, records, images, image_manifest, snapshot_date, progress)
    marker.write(lake, batch)
    return batch


def _hashed(
    lake: Lake,
    name: str,
    records: Sequence[str],
    images: Sequence[str],
    image_manifest: str | None,
    snapshot_date: dt.date | None,
    progress: Progress,
) -> Batch:
    home = lake.landing / marker.check_name(name)
    sources = []
    for location in images:
        entry = images_entry(location, progress)
        sources.append(entry.model_copy(update={"location": marker.relative(location, home)}))
    manifest = (
        ManifestEntry(location=marker.relative(image_manifest, home), sha256=_hash(image_manifest))
        if image_manifest is not None
        else None
    )
    entries = []
    for done, location in enumerate(records):
        progress(f"hash {name}", done, len(records))
        descriptor = snapshots.find_descriptor(location)
        entries.append(
            RecordsEntry(
                location=marker.relative(location, home),
                sha256=_hash(location),
                snapshot_date=snapshot_date,
                descriptor=hashlib.sha256(descriptor.encode()).hexdigest() if descriptor is not None else None,
            )
        )
    progress(f"hash {name}", len(records), len(records))
    return Batch(
        name=name,
        records=tuple(sorted(entries, key=lambda entry: (base_name(entry.location), entry.sha256))),
        images=tuple(sources),
        image_manifest=manifest,
        folder=home,
    )


def _hash(location: str) -> str:
    try:
        return file_sha256(location)
    except OSError as error:
        raise _unreadable(location, error) from None


def land(
    lake: Lake,
    sources: Sequence[str],
    name: str | None = None,
    *,
    snapshot_date: dt.date | None = None,
    progress: Progress = silent,
) -> Batch:
    """Land a batch from its sources: one folder, or any mixture of files and folders.

    Recognises each source: records files, zips and folders of images, an image manifest, or folders with all of
    these. A single folder is recorded as the batch's origin, so that `inbox.sweep` lands it again when it changes.

    Args:
        lake: the lake to land in.
        sources: local folders and files, S3 prefixes and files, web addresses of records files.
        name: batch name; by default that of the only folder, otherwise of the only records file.
        snapshot_date: date of the records' BOLD snapshot, if their names and descriptors do not state it.
        progress: receives each hashed file.

    Raises:
        SourceError: something is missing or cannot be used.
        UnavailableError: the files changed while they were hashed.
    """
    if not sources:
        raise SourceError("nothing to land: give a folder, or records files, images and an image manifest")
    deliveries = [recognise(location) for location in sources]
    whole = deliveries[0] if len(deliveries) == 1 else _merged(deliveries)
    if name is None:
        name = _name_of(lake, whole.location if is_folder(sources[0]) and len(sources) == 1 else None, whole.records)
    return land_delivery(lake, whole, marker.check_name(name), snapshot_date=snapshot_date, progress=progress)


def land_delivery(
    lake: Lake,
    delivery: Delivery,
    name: str,
    *,
    snapshot_date: dt.date | None = None,
    progress: Progress = silent,
) -> Batch:
    """Land a recognised delivery; see `land`."""
    lacking = delivery.lacks or lacks(delivery)
    where = printable(delivery.location) or "the delivery"
    if lacking:
        raise SourceError(f"{where} cannot be landed: {describe_lack(lacking)}")
    _require_readable(delivery)
    batch = _hashed(lake, name, delivery.records, delivery.images, delivery.image_manifest, snapshot_date, progress)
    update: dict[str, str] = {"seen": delivery.seen}
    if delivery.location and is_folder(delivery.location):
        if list_delivery(delivery.location).seen != delivery.seen:
            raise UnavailableError(f"{where} changed while it was hashed; wait until the copy is complete, try again")
        update["origin"] = marker.relative(delivery.location.rstrip("/"), batch.folder)
    batch = batch.model_copy(update=update)
    marker.write(lake, batch)
    return batch


def describe_lack(lacking: Sequence[str]) -> str:
    """One sentence: what a delivery lacks, and how to fix it."""
    way = "; add one, or an image manifest if the images belong to records of other batches"
    return "; ".join(f"{each}{way}" if each.startswith(NO_RECORDS) else each for each in lacking)


def _require_readable(delivery: Delivery) -> None:
    """Raise at once if a file is not readable, instead of after an hour of hashing."""
    if is_remote(delivery.location):
        return
    closed = [file for file in delivery.files if not is_remote(file.location) and not os.access(file.location, os.R_OK)]
    if closed:
        more = f" and {len(closed) - 1:,} more files" if len(closed) > 1 else ""
        raise SourceError(
            f"{printable(closed[0].location)}{more} cannot be read: permission denied; change its permissions (chmod)"
        )


def _merged(deliveries: Sequence[Delivery]) -> Delivery:
    """Combine several sources into one; they may complement each other."""
    manifests = [each.image_manifest for each in deliveries if each.image_manifest is not None]
    problems = [sentence for each in deliveries for sentence in each.lacks if not sentence.startswith(NO_RECORDS)]
    if len(manifests) > 1:
        problems.append(two_manifests(manifests[0], manifests[1]))
    return Delivery(
        "",
        records=tuple(dict.fromkeys(location for each in deliveries for location in each.records)),
        images=tuple(dict.fromkeys(location for each in deliveries for location in each.images)),
        image_manifest=manifests[0] if manifests else None,
        unknown=tuple(name for each in deliveries for name in each.unknown),
        lacks=tuple(problems),
        files=tuple(file for each in deliveries for file in each.files),
    )


def _name_of(lake: Lake, folder: str | None, records: Sequence[str]) -> str:
    """The default name of a batch."""
    if folder is not None:
        if is_s3(folder):
            return marker.name_from_file(folder)
        path = Path(os.path.abspath(folder))  # noqa: PTH100 - a link's own name is the batch's
        # Below OUTPUT/landing, the batch has the name of its folder, which contains the marker.
        return path.name if path.parent == Path(os.path.abspath(lake.landing)) else marker.name_from_file(str(path))  # noqa: PTH100
    if len(records) == 1:
        return marker.name_from_file(records[0])
    raise SourceError(f"the batch needs a name because it has {len(records)} records files; give one with --batch")
