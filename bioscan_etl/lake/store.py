"""Outputs of stages: complete or absent, at a path derived from their fingerprint.

Belongs here: finding, writing and removing outputs. Does not belong here: what a fingerprint covers
(`bioscan_etl.stages.run`), and which outputs are current (`lake.record`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.errors import LakeError
from bioscan_etl.findings import Finding
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.tables import pattern, scan_parquet
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.locks import hold
from bioscan_etl.schema import Table

CORPUS = "corpus"
FORMAT = 2
MANIFEST = "manifest.json"
_SHORT = 16  # hex digits of a fingerprint in a folder's name

# Compression level 1 takes 25 % less time than the default for 12 % more bytes. The row group size is fixed: the
# default may depend on the number of threads, but the bytes must not.
_PARQUET: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "row_group_size": 100_000}


def digest(value: Any) -> str:
    """Hex sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Output:
    """A complete output in the lake.

    Attributes:
        folder: folder of its files.
        stage: the stage that made it.
        batch: its batch, or `CORPUS`.
        fingerprint: identifies what it was made from.
        files: sha256 by file name, relative to `folder`.
        counts: counts that the stage reported.
        findings: results of the stage's checks.
        made_from: what the fingerprint covers: `code`, `settings` and `inputs`.
    """

    folder: Path
    stage: str
    batch: str
    fingerprint: str
    files: Mapping[str, str]
    counts: Mapping[str, Any]
    findings: tuple[Finding, ...]
    made_from: Mapping[str, Any]

    @property
    def content(self) -> str:
        """Hex sha256 over names and bytes of all files: equal content, equal digest."""
        return digest(dict(self.files))

    @property
    def is_whole(self) -> bool:
        """Whether all its files are still there."""
        return all((self.folder / name).is_file() for name in self.files)

    def path(self, name: str) -> Path:
        """Path of one of its files.

        Raises:
            LakeError: the output has no such file, or the file is missing.
        """
        path = self.folder / name
        if name not in self.files or not path.is_file():
            raise LakeError(f"{path} is missing from the lake; run {self.stage} again")
        return path


@dataclass(slots=True)
class Draft:
    """An output being written: put files into `folder`, counts into `counts`, results of checks into `findings`."""

    folder: Path
    counts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def write(self, table: Table, frame: pl.DataFrame | pl.LazyFrame) -> pl.LazyFrame:
        """Write a frame with the schema of `table` as `<table>.parquet`, and count its rows.

        A lazy frame is streamed to the file and checked there: wide tables of millions of rows do not fit into
        memory.

        Returns:
            The written file as a lazy frame.

        Raises:
            SchemaError: the frame does not have the schema of the table.
        """
        path = self.folder / f"{table.name}.parquet"
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(path, **_PARQUET)
            table.check(scan_parquet(path))
        else:
            table.conform(frame).rechunk().write_parquet(path, **_PARQUET)
        written = scan_parquet(path)
        self.counts[table.name] = int(written.select(pl.len()).collect().item())
        return written


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake below one output folder.

    Raises:
        SourceError: the folder's name is one that the libraries cannot open.
    """

    root: Path

    def __post_init__(self) -> None:
        """Refuse a name before anything is written, and not at the first stage that trips over it."""
        pattern(self.root)

    @property
    def home(self) -> Path:
        """Folder of outputs, records and pins."""
        return self.root / "lake"

    @property
    def landing(self) -> Path:
        """Folder of landed batches."""
        return self.root / "landing"

    @property
    def releases(self) -> Path:
        """Folder of the releases."""
        return self.root / "releases"

    def require_format(self) -> None:
        """Raise if the lake has another layout.

        Raises:
            LakeError: an earlier or later bioscan-etl wrote this lake; nothing in it is changed.
        """
        path = self.home / "format.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["format"]
        except FileNotFoundError:
            # The first layout had no such file, but a pointer with the outputs of each asset and batch.
            found = 1 if any(self.home.glob("*/*/current.json")) else FORMAT
        except (ValueError, TypeError, KeyError):
            raise LakeError(f'{path} is damaged; write {{"format": {FORMAT}}} into it if the lake is yours') from None
        if found != FORMAT:
            age = "an earlier" if isinstance(found, int) and found < FORMAT else "a later"
            raise LakeError(
                f"{self.home} was written by {age} bioscan-etl (layout {found}, this one reads {FORMAT}): move it "
                f"away (mv {self.home} {self.home}.old) and run again; batches are ingested again, releases are kept"
            )

    def place(self, stage: str, batch: str) -> Path:
        """Folder of all outputs of a stage and batch."""
        return self.home / "outputs" / stage / batch

    def find(self, stage: str, fingerprint: str, batch: str = CORPUS) -> Output | None:
        """The output with a fingerprint, or None; a damaged manifest counts as none."""
        folder = self.place(stage, batch) / fingerprint[:_SHORT]
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if manifest["format"] != FORMAT or manifest["fingerprint"] != fingerprint:
                return None
            return Output(
                folder,
                stage,
                batch,
                fingerprint,
                manifest["files"],
                manifest["counts"],
                tuple(Finding.from_dict(one) for one in manifest["findings"]),
                manifest["made_from"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @contextmanager
    def lock(self, stage: str, batch: str = CORPUS) -> Iterator[None]:
        """Lock the outputs of one stage and batch against other writers.

        Raises:
            BusyError: another run writes them.
        """
        place = self.place(stage, batch)
        with hold(place / ".lock", f"{place} is being written by another run; wait for it and run again"):
            yield

    @contextmanager
    def writing(
        self,
        stage: str,
        fingerprint: str,
        batch: str = CORPUS,
        *,
        made_from: Mapping[str, Any],
        resumable: bool = False,
    ) -> Iterator[Draft]:
        """Write an output; it exists once its manifest is written, which is done last.

        Args:
            stage: name of the stage.
            fingerprint: identifies what it is made from.
            batch: batch, or `CORPUS`.
            made_from: what the fingerprint covers, stored in the manifest.
            resumable: keep the files of an earlier, killed attempt with the same fingerprint.
        """
        self.require_format()
        if not (self.home / "format.json").exists():
            write_text(self.home / "format.json", json.dumps({"format": FORMAT}))
        folder = self.place(stage, batch) / fingerprint[:_SHORT]
        # Replaces a damaged output, or one whose fingerprint has the same first digits.
        damaged = (folder / MANIFEST).exists()
        (folder / MANIFEST).unlink(missing_ok=True)
        if folder.exists() and (damaged or not resumable):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        draft = Draft(folder)
        yield draft
        files = {
            path.relative_to(folder).as_posix(): file_sha256(str(path))
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        manifest = {
            "format": FORMAT,
            "stage": stage,
            "batch": batch,
            "fingerprint": fingerprint,
            "made_from": dict(made_from),
            "counts": draft.counts,
            "findings": [finding.as_dict() for finding in draft.findings],
            "files": files,
        }
        write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))

    def sweep(self, stage: str, batch: str, keep: Collection[str]) -> None:
        """Remove the outputs of a stage and batch except those with some fingerprints."""
        kept = {fingerprint[:_SHORT] for fingerprint in keep}
        place = self.place(stage, batch)
        if not place.is_dir():
            return
        for folder in place.iterdir():
            if folder.is_dir() and folder.name not in kept:
                # Remove the manifest first, so that a partly removed output does not count.
                (folder / MANIFEST).unlink(missing_ok=True)
                shutil.rmtree(folder)
