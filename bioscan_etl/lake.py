"""The lake: every stage's output, whole or absent, with a manifest that says what it was made from.

    OUTPUT/landing/<batch>/batch.json      the marker of a landed batch (`bioscan_etl.batches`)
    OUTPUT/lake/<asset>/<batch>/           an output per batch; corpus outputs use the name `corpus`
        current.json                       names the folder that counts
        <fingerprint>/manifest.json, …     the files
    OUTPUT/lake/pins/<digest>.json         the batch outputs that a corpus run read
    OUTPUT/releases/<version>/             what users download

The manifests are the truth: Dagster's database can be lost without harm. An output's fingerprint covers the
content of its inputs, the settings it reads, the library's source and the versions of what computes with it;
an output with the wanted fingerprint is not made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl import storage
from bioscan_etl.errors import LakeError
from bioscan_etl.schema import Table

CORPUS = "corpus"
# Libraries whose releases can change bytes of an output.
_COMPUTES = (
    "polars",
    "pyarrow",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "h5py",
    "shapely",
    "pycountry",
    "onnxruntime",
    "simplejpeg",
    "rapidfuzz",
    "gbif-name-parser",
)


# Level 1 takes a quarter less time than the default for an eighth more bytes. A fixed row group: the default may
# follow the number of threads, and bytes must not.
_PARQUET: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "row_group_size": 100_000}

# What fetches, shows or documents, but makes no output.
_COMPUTES_NOTHING = ("bold", "demo", "arguments.py", "cli.py", "definitions.py", "reference.py", "resources.py")


def digest(value: Any) -> str:
    """Hex sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def code_digest() -> str:
    """Hex sha256 over the source and data that make outputs, and the versions of the libraries they compute with."""
    root = Path(__file__).parent
    files = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.relative_to(root).parts[0] not in _COMPUTES_NOTHING
    }
    versions = {}
    for name in _COMPUTES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return digest([files, versions])


@dataclass(frozen=True, slots=True)
class Output:
    """A complete output in the lake.

    Attributes:
        folder: where its files are.
        fingerprint: of what it was made from.
        files: sha256 by file name, relative to `folder`.
        counts: what the stage reported.
        inputs: content of the inputs it was made from.
        delivery: fingerprint of the batch marker it stands for; empty for corpus outputs.
        standard: digest of the settings and the code it was last found current with; empty for corpus outputs.
    """

    folder: Path
    fingerprint: str
    files: Mapping[str, str]
    counts: Mapping[str, Any]
    inputs: Mapping[str, Any]
    delivery: str
    standard: str

    @property
    def content(self) -> str:
        """Hex sha256 over names and bytes of all files: equal content, equal digest."""
        return digest(dict(self.files))

    def path(self, name: str) -> Path:
        """Path of one of its files.

        Raises:
            LakeError: the output has no such file, or it is gone.
        """
        path = self.folder / name
        if name not in self.files or not path.is_file():
            raise LakeError(f"{path} is missing from the lake; materialise {self.folder.parent.parent.name} again")
        return path


@dataclass(slots=True)
class Draft:
    """An output being written: put files into `folder`, counts into `counts`."""

    folder: Path
    counts: dict[str, Any]

    def write(self, table: Table, frame: pl.DataFrame | pl.LazyFrame) -> pl.LazyFrame:
        """Write a frame that `table` describes as `<table>.parquet`, and count its rows.

        A lazy frame goes to the file as it is made, and is held against the table there: wide tables of millions
        of rows do not fit into memory.

        Returns:
            The written file, to be read from.

        Raises:
            SchemaError: the frame is not what the table says.
        """
        path = self.folder / f"{table.name}.parquet"
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(path, **_PARQUET)
            table.check(pl.scan_parquet(path))
        else:
            table.conform(frame).rechunk().write_parquet(path, **_PARQUET)
        written = pl.scan_parquet(path)
        self.counts[table.name] = int(written.select(pl.len()).collect().item())
        return written


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake below one output folder."""

    root: Path

    @property
    def landing(self) -> Path:
        """Where batches land."""
        return self.root / "landing"

    @property
    def releases(self) -> Path:
        """Where releases are published."""
        return self.root / "releases"

    def _place(self, asset: str, batch: str) -> Path:
        return self.root / "lake" / asset / batch

    def find(self, asset: str, batch: str = CORPUS) -> Output | None:
        """The current output of an asset, or None where there is none."""
        place = self._place(asset, batch)
        try:
            pointer = json.loads((place / "current.json").read_text(encoding="utf-8"))
            folder = place / pointer["folder"]
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (json.JSONDecodeError, KeyError) as error:
            raise LakeError(f"{place} has a damaged manifest ({error}); delete that folder and run again") from error
        return Output(
            folder,
            manifest["fingerprint"],
            manifest["files"],
            manifest["counts"],
            manifest["inputs"],
            pointer["delivery"],
            pointer["standard"],
        )

    def get(self, asset: str, batch: str = CORPUS) -> Output:
        """The current output of an asset.

        Raises:
            LakeError: there is none.
        """
        output = self.find(asset, batch)
        if output is None:
            raise LakeError(f"no output of {asset} for {batch} in {self.root}; materialise {asset} first")
        return output

    def batches(self, asset: str) -> list[str]:
        """Batches that have a current output of an asset, sorted."""
        return sorted(path.parent.name for path in (self.root / "lake" / asset).glob("*/current.json"))

    @contextmanager
    def lock(self, asset: str, batch: str = CORPUS) -> Iterator[None]:
        """Hold one output against other writers; the lock dies with its process."""
        place = self._place(asset, batch)
        place.mkdir(parents=True, exist_ok=True)
        with (place / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LakeError(f"{place} is being written by another run; wait for it and run again") from None
            yield

    def reuse(self, asset: str, batch: str, fingerprint: str, delivery: str = "", standard: str = "") -> Output | None:
        """The current output if it has this fingerprint and all its files; it then stands for `delivery`."""
        output = self.find(asset, batch)
        if output is None or output.fingerprint != fingerprint:
            return None
        if not all((output.folder / name).is_file() for name in output.files):
            return None
        if (output.delivery, output.standard) != (delivery, standard):
            self._point(asset, batch, output.folder.name, delivery, standard)
            output = self.get(asset, batch)
        return output

    @contextmanager
    def writing(
        self,
        asset: str,
        batch: str,
        fingerprint: str,
        *,
        inputs: Mapping[str, Any],
        delivery: str = "",
        standard: str = "",
        resumable: bool = False,
    ) -> Iterator[Draft]:
        """Write an output that appears whole or not at all, and replaces the asset's earlier one.

        Args:
            asset: name of the asset.
            batch: batch, or `CORPUS`.
            fingerprint: of what it is made from.
            inputs: kept in the manifest.
            delivery: fingerprint of the batch marker.
            standard: digest of settings and code.
            resumable: keep what an earlier, killed attempt of the same fingerprint has left in the folder.
        """
        place = self._place(asset, batch)
        draft = Draft(place / f".writing-{fingerprint[:16]}", {})
        for leftover in place.glob(".writing-*"):
            if leftover != draft.folder or not resumable:
                shutil.rmtree(leftover)
        draft.folder.mkdir(parents=True, exist_ok=True)
        yield draft
        files = {
            path.relative_to(draft.folder).as_posix(): storage.sha256(str(path))
            for path in sorted(draft.folder.rglob("*"))
            if path.is_file()
        }
        manifest = {
            "asset": asset,
            "batch": batch,
            "fingerprint": fingerprint,
            "inputs": dict(inputs),
            "counts": draft.counts,
            "files": files,
        }
        storage.write_text(draft.folder / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True))
        final = place / fingerprint[:16]
        if final.exists():
            # Same fingerprint, but `reuse` found it damaged: the new bytes take its place.
            final.rename(place / f".writing-old-{fingerprint[:16]}")
        draft.folder.rename(final)
        self._point(asset, batch, final.name, delivery, standard)
        for folder in place.iterdir():
            if folder.is_dir() and folder != final:
                shutil.rmtree(folder)

    def _point(self, asset: str, batch: str, folder: str, delivery: str, standard: str) -> None:
        pointer = {"folder": folder, "delivery": delivery, "standard": standard}
        storage.write_text(self._place(asset, batch) / "current.json", json.dumps(pointer, sort_keys=True))
