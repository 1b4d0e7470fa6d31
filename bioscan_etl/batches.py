"""Specimen batches: the marker that says one has landed, and the pin of those that a corpus run reads.

A batch is a delivery of specimens: records files, and images in folders, zips or S3 prefixes. It has landed
when its marker `landing/<batch>/batch.json` exists; the marker is written last and names every file with
its sha256, so half a delivery is never read.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bioscan_etl import storage
from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.lake import Lake, code_digest, digest
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import Settings

# Batch names become paths and Dagster partition keys (spec: orchestration).
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_SUFFIXES = re.compile(r"(\.(tsv|txt|csv|gz|tar|tgz|zip|jsonl|ndjson|json|parquet))+$", re.IGNORECASE)
MARKER = "batch.json"
BATCH_ASSETS = (
    "raw_records",
    "checked_barcodes",
    "checked_geography",
    "normalised_names",
    "specimen_images",
    "specimen_boxes",
)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordsEntry(_Entry):
    """A records file of a batch; a relative location is relative to the marker."""

    location: str
    sha256: str
    snapshot_date: dt.date | None = None


class ImagesEntry(_Entry):
    """A folder, zip or S3 prefix of images; `listing` is the sha256 over names, sizes and times of its files."""

    location: str
    files: int
    listing: str


class ManifestEntry(_Entry):
    """The CSV that joins process IDs to image files."""

    location: str
    sha256: str


class Batch(_Entry):
    """What a marker says."""

    name: str
    records: tuple[RecordsEntry, ...] = ()
    images: tuple[ImagesEntry, ...] = ()
    image_manifest: ManifestEntry | None = None
    folder: Path = Field(Path(), exclude=True)

    @property
    def fingerprint(self) -> str:
        """Hex sha256 over the content of the delivery, wherever it lies."""
        return digest(
            [
                self.name,
                sorted((storage.base_name(e.location), e.sha256, str(e.snapshot_date or "")) for e in self.records),
                sorted((storage.base_name(e.location), e.files, e.listing) for e in self.images),
                self.image_manifest.sha256 if self.image_manifest else "",
            ]
        )

    def locate(self, location: str) -> str:
        """An entry's location as a path or S3 address that can be opened."""
        if storage.is_remote(location) or Path(location).is_absolute():
            return location
        return str(self.folder / location)


def is_name(name: str) -> bool:
    """Whether a text can be a batch name: a path and a Dagster partition key."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """The batch name itself.

    Raises:
        SourceError: the name cannot be a path and a partition key.
    """
    if not is_name(name):
        raise SourceError(
            f"batch name {name!r} cannot be used: letters, digits, '_', '.' and '-' only, not starting with '.', "
            "128 at most; give another with --batch"
        )
    return name


def name_from_file(location: str) -> str:
    """A batch name from a records file's name: its suffixes gone, other letters as '-'."""
    name = _SUFFIXES.sub("", storage.base_name(location))
    return check_name(re.sub(r"[^A-Za-z0-9_.-]", "-", name).lstrip(".") or "batch")


def images_entry(location: str) -> ImagesEntry:
    """Describe an image source as it is now.

    Raises:
        SourceError: it is no folder, zip or S3 prefix, or holds no file.
    """
    if storage.is_s3(location) and not location.lower().endswith(".zip"):
        listing = [[f.name, f.size] for f in storage.list_files(location)]
    elif Path(location).is_dir():
        listing = [[f.name, f.size, Path(f.location).stat().st_mtime_ns] for f in storage.list_files(location)]
    elif location.lower().endswith(".zip"):
        listing = [[storage.base_name(location), storage.sha256(location)]]
    else:
        raise SourceError(f"images {location} are no folder, .zip or s3:// prefix; check --images")
    if not listing:
        raise SourceError(f"images {location} hold no file; check --images")
    return ImagesEntry(location=location, files=len(listing), listing=digest(listing))


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
    """Land a batch: hash its files and write its marker. The files stay where they are.

    Args:
        lake: the lake to land in.
        name: batch name.
        records: records files, local, on S3 or on the web.
        images: image folders, zips or S3 prefixes.
        image_manifest: CSV with processid and image_file.
        snapshot_date: date of the records' BOLD snapshot, where their names and descriptors do not say it.
        progress: told of each hashed file.

    Raises:
        SourceError: a name or a file cannot be used.
    """
    check_name(name)
    sources = tuple(images_entry(_absolute(location)) for location in images)
    manifest = (
        ManifestEntry(location=_absolute(image_manifest), sha256=storage.sha256(image_manifest))
        if image_manifest is not None
        else None
    )
    entries = []
    for done, location in enumerate(records):
        progress(f"hash {name}", done, len(records))
        entries.append(
            RecordsEntry(location=_absolute(location), sha256=storage.sha256(location), snapshot_date=snapshot_date)
        )
    progress(f"hash {name}", len(records), len(records))
    batch = Batch(
        name=name,
        records=tuple(sorted(entries, key=lambda entry: (storage.base_name(entry.location), entry.sha256))),
        images=sources,
        image_manifest=manifest,
        folder=lake.landing / name,
    )
    storage.write_text(lake.landing / name / MARKER, batch.model_dump_json(indent=1))
    return batch


def _absolute(location: str) -> str:
    return location if storage.is_remote(location) else str(Path(location).resolve())


def landed(lake: Lake) -> list[str]:
    """Names of the folders that hold a marker, sorted; names that cannot be batches included."""
    return sorted(path.parent.name for path in lake.landing.glob(f"*/{MARKER}"))


def load(lake: Lake, name: str) -> Batch:
    """Read a landed batch's marker.

    Raises:
        SourceError: there is no marker, or it is damaged.
    """
    path = lake.landing / check_name(name) / MARKER
    try:
        batch = Batch.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"batch {name} has not landed: no marker {path}") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise SourceError(f"marker {path} is damaged: {str(error).splitlines()[0]}; land the batch again") from error
    if batch.name != name:
        raise SourceError(f"marker {path} names batch {batch.name!r}; the folder and the name must agree")
    return batch.model_copy(update={"folder": path.parent})


def standard(settings: Settings) -> str:
    """Hex sha256 over what batch outputs depend on besides their delivery: settings and code."""
    return digest([settings.digest("records", "barcodes", "geography", "images"), code_digest()])


def is_ingested(lake: Lake, batch: Batch, settings: Settings | None = None) -> bool:
    """Whether every per-batch output stands for this delivery (and, with settings, is of their standard)."""
    outputs = [lake.find(asset, batch.name) for asset in BATCH_ASSETS]
    wanted = standard(settings) if settings else None
    return all(
        output is not None and output.delivery == batch.fingerprint and wanted in {None, output.standard}
        for output in outputs
    )


@dataclass(frozen=True, slots=True)
class Pin:
    """The batch outputs a corpus run reads: content digest by batch and asset."""

    batches: dict[str, dict[str, str]]

    @property
    def digest(self) -> str:
        """Hex sha256 over the pinned content."""
        return digest(self.batches)


def pin_current(lake: Lake) -> Pin:
    """Pin the batches of which every per-batch output is there and stands for one delivery."""
    pinned = {}
    for name in lake.batches(BATCH_ASSETS[0]):
        outputs = {asset: lake.find(asset, name) for asset in BATCH_ASSETS}
        whole = {asset: output for asset, output in outputs.items() if output is not None}
        if len(whole) == len(BATCH_ASSETS) and len({output.delivery for output in whole.values()}) == 1:
            pinned[name] = {asset: output.content for asset, output in whole.items()}
    return Pin(pinned)


def save_pin(lake: Lake, pin: Pin) -> None:
    """Keep a pin under its digest."""
    storage.write_text(lake.root / "lake" / "pins" / f"{pin.digest}.json", json.dumps(pin.batches, sort_keys=True))


def load_pin(lake: Lake, pin_digest: str) -> Pin:
    """Read a pin and hold it against the lake.

    Raises:
        LakeError: the pin is unknown, or a batch it names has changed since.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", pin_digest):
        raise LakeError(f"pin {pin_digest!r} is no digest")
    path = lake.root / "lake" / "pins" / f"{pin_digest}.json"
    try:
        pin = Pin(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise LakeError(f"there is no pin {path}; start the run without one") from None
    for name, contents in pin.batches.items():
        for asset, content in contents.items():
            output = lake.find(asset, name)
            if output is None or output.content != content:
                raise LakeError(f"batch {name} was ingested again after it was pinned ({asset}); start a new run")
    return pin
