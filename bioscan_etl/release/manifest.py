"""A release's manifests: what it holds, from what it was made, and a checksum of every file.

Belongs here: the shape of manifest.json and md5sums.txt, writing and reading them. Does not belong here:
whether the files agree with it (`release.check`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from bioscan_etl.io.tables import scan_lines
from bioscan_etl.io.write import atomic_file, write_text
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import Settings
from bioscan_etl.vocabulary import ImagePackage

if TYPE_CHECKING:
    from bioscan_etl.release.signature import SigningKey

MANIFEST = "manifest.json"
MD5SUMS = "md5sums.txt"
README = "README.md"
SIGNATURE = "manifest.json.sig"
"""Beside the manifest of a signed release; in no list of files, for it is made after all of them."""
_FILES_LINE = ' "files": ['
_BLOCK = 1 << 20
_THREADS = 4
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Ledger(_Part):
    """Where every row that was read has gone: rows_read = specimens + quarantined + set_aside + rejected."""

    rows_read: Count
    specimens: Count
    quarantined: Count
    set_aside: Count
    rejected: Count

    @property
    def balances(self) -> bool:
        """Whether no row is lost."""
        return self.rows_read == self.specimens + self.quarantined + self.set_aside + self.rejected


class Counts(_Part):
    """Rows and images of the release, and rows by reason (several gates of one specimen joined by '+')."""

    splits: dict[str, Count]
    images: dict[str, Count]
    boxes: Count
    changes: Count
    quarantined: dict[str, Count]
    set_aside: dict[str, Count]
    rejected: dict[str, Count]


class FileEntry(_Part):
    """A file of the release; `path` is relative to it, `size` in bytes."""

    path: str
    size: Count
    sha256: Sha256


class StageProvenance(_Part):
    """What one output was made with; `content` is a digest of its files, `extra` inputs such as the detector."""

    code: dict[str, Any]
    content: Sha256
    extra: dict[str, Any]


class BatchProvenance(_Part):
    """What a batch was made from: its delivery, the settings that its stages read, and each stage's code."""

    delivery: Sha256
    settings: dict[str, Any]
    stages: dict[str, StageProvenance]
    failed_checks: list[str]


class CorpusProvenance(_Part):
    """What a stage over all batches was made with."""

    code: dict[str, Any]
    settings: dict[str, Any]


class Provenance(_Part):
    """How a release was made: what was done, per batch and stage.

    Attributes:
        batches: by name.
        corpus: stages over all batches, by name.
        withdrawn: reason by batch that was kept out.
        notes: a remark by batch, if there is one, such as a delivery that failed.
        settings_digest: of the settings that the manifest states.
    """

    batches: dict[str, BatchProvenance]
    corpus: dict[str, CorpusProvenance]
    withdrawn: dict[str, str]
    notes: dict[str, str]
    settings_digest: Sha256


class Signed(_Part):
    """That a release is signed: how, in which file, and with which key; see `release.signature`."""

    format: Literal["sshsig"]
    file: Literal["manifest.json.sig"]
    public_key: Annotated[str, Field(pattern=r"^ssh-ed25519 [A-Za-z0-9+/]+={0,2}$")]


class Manifest(_Part):
    """manifest.json; format 1, of earlier versions, has no provenance. `signature` is left out if there is none."""

    format: Literal["bioscan-release"]
    format_version: Literal[1, 2]
    version: Annotated[str, Field(pattern=r"^v[1-9][0-9]*$")]
    inputs_digest: str
    dataset: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
    image_packages: Annotated[list[ImagePackage], Field(strict=False)]
    hdf5_packages: Annotated[list[ImagePackage], Field(strict=False)]
    counts: Counts
    ledger: Ledger
    settings: dict[str, Any]
    inputs: list[dict[str, Any]]
    provenance: Provenance | None = None
    signature: Signed | None = None
    files: list[FileEntry]


class Sums(_Part):
    """A file's sums."""

    path: str
    size: Count
    sha256: str
    md5: str


def walk(root: Path) -> Iterator[str]:
    """Relative paths of everything below a folder that is not a folder, links to folders included; unordered."""
    for folder, names, files in os.walk(root):
        here = Path(folder)
        links = [name for name in names if (here / name).is_symlink()]
        for name in (*files, *links):
            yield (here / name).relative_to(root).as_posix()


def md5(path: Path) -> str:
    """Hex md5 of a file, as the published tools ask for."""
    return _sums(path, "").md5


def _sums(path: Path, name: str) -> Sums:
    sha256, digest, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            sha256.update(block)
            digest.update(block)
            size += len(block)
    return Sums.model_construct(path=name, size=size, sha256=sha256.hexdigest(), md5=digest.hexdigest())


def sums(root: Path, names: Sequence[str], stage: str, progress: Progress = silent) -> list[Sums]:
    """Size, sha256 and md5 of files, in the order of `names`; read once, by several threads."""
    found = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for one in pool.map(lambda name: _sums(root / name, name), names):
            found.append(one)
            if len(found) % 1000 == 0:
                progress(stage, len(found), len(names))
    progress(stage, len(names), len(names))
    return found


def write_manifests(
    root: Path,
    *,
    version: str,
    inputs_digest: str,
    settings: Settings,
    counts: Counts,
    ledger: Ledger,
    inputs: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any] | None = None,
    key: SigningKey | None = None,
    known: Sequence[Sums] = (),
    progress: Progress = silent,
) -> None:
    """Write md5sums.txt over all other files, then manifest.json over all and md5sums.txt, then its signature.

    Args:
        root: the release's folder, complete but for these two.
        version: such as `v3`.
        inputs_digest: of what the release was made from.
        settings: all settings.
        counts: see `Counts`.
        ledger: see `Ledger`.
        inputs: one entry per input file: name and sha256, no local folders.
        provenance: see `Provenance`; None if the parts were not made by the pipeline.
        key: signs the manifest; None: the release is not signed.
        known: sums of files that are not to be read again.
        progress: reports each thousand files.
    """
    names = set(walk(root)) - {MANIFEST, MD5SUMS, SIGNATURE}
    old = [one for one in known if one.path in names]
    fresh = sums(root, sorted(names - {one.path for one in old}), "checksums", progress)
    found = sorted([*old, *fresh], key=lambda one: one.path)
    write_text(root / MD5SUMS, "".join(f"{one.md5}  {one.path}\n" for one in found))
    found = sorted([*found, _sums(root / MD5SUMS, MD5SUMS)], key=lambda one: one.path)
    head = Manifest(
        format="bioscan-release",
        format_version=1 if provenance is None else 2,
        version=version,
        inputs_digest=inputs_digest,
        dataset=settings.release.dataset,
        title=settings.release.title,
        image_packages=list(settings.release.image_packages),
        hdf5_packages=list(settings.release.hdf5_packages),
        counts=counts,
        ledger=ledger,
        settings=settings.choices(),
        inputs=[dict(entry) for entry in inputs],
        provenance=None if provenance is None else Provenance.model_validate(provenance),
        signature=None if key is None else Signed(format="sshsig", file="manifest.json.sig", public_key=key.public),
        files=[],
    )
    absent = {name for name in ("provenance", "signature") if getattr(head, name) is None}
    document = head.model_dump(mode="json", exclude={"files", *absent})
    write_manifest(root, document, [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in found])
    if key is not None:
        write_text(root / SIGNATURE, key.sign(root / MANIFEST))


def write_manifest(root: Path, head: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> None:
    """Write manifest.json: the head's keys, then one line per file, so that the head can be read alone."""
    text = json.dumps(head, indent=1, sort_keys=True, ensure_ascii=False).removesuffix("\n}")
    with atomic_file(root / MANIFEST) as stream:
        stream.write(f"{text},\n{_FILES_LINE}".encode())
        for number, entry in enumerate(files):
            line = json.dumps(entry, sort_keys=True, ensure_ascii=False)
            stream.write(f"{',' if number else ''}\n  {line}".encode())
        stream.write(b"\n ]\n}\n")


def read_head(root: Path, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> dict[str, Any]:
    """manifest.json without its list of files.

    Args:
        root: the release's folder.
        pairs: makes a value of the keys and values of each object, as for `json.loads`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not a manifest of a release.
    """
    lines = []
    with (root / MANIFEST).open(encoding="utf-8") as stream:
        for line in stream:
            if line.rstrip("\n") == _FILES_LINE:
                break
            lines.append(line)
        else:
            raise ValueError("no list of files")
    head = json.loads("".join(lines).rstrip().removesuffix(",") + "}", object_pairs_hook=pairs)
    if not isinstance(head, dict) or head.get("format") != "bioscan-release":
        raise ValueError("not of a release")
    return head


def scan_files(root: Path) -> pl.LazyFrame:
    """Path and sha256 of the files that manifest.json lists, text; read in a stream, a line per file."""
    line, entry = pl.col("line"), pl.Struct({"path": pl.String, "sha256": pl.String})
    return (
        scan_lines(root / MANIFEST)
        .filter(line.str.starts_with('  {"'), line.str.contains('"path"', literal=True))
        .select(line.str.strip_suffix(",").str.json_decode(entry))
        .unnest("line")
    )


def read_files(root: Path) -> Iterator[Sums]:
    """Every file of a release with the sums of manifest.json and md5sums.txt, in the order of paths; in a stream.

    Raises:
        OSError: one of the two cannot be read.
        ValueError: they name different files, or a line is malformed.
    """
    with (root / MANIFEST).open(encoding="utf-8") as entries, (root / MD5SUMS).open(encoding="utf-8") as digests:
        for line in entries:
            if line.rstrip("\n") == _FILES_LINE:
                break
        for line in entries:
            if not line.startswith("  {"):
                break
            entry = FileEntry.model_validate_json(line.rstrip().removesuffix(","))
            if entry.path == MD5SUMS:
                digest = md5(root / MD5SUMS)
            else:
                digest, _, name = next(digests, "").rstrip("\n").partition("  ")
                if name != entry.path:
                    raise ValueError(f"{MANIFEST} names {entry.path!r} where {MD5SUMS} names {name!r}")
            yield Sums(path=entry.path, size=entry.size, sha256=entry.sha256, md5=digest)


def is_inside(name: str) -> bool:
    """Whether a path from a manifest stays below the release: relative, normal, with forward slashes."""
    path = PurePosixPath(name)
    return (
        bool(name)
        and not path.is_absolute()
        and ".." not in path.parts
        and path.as_posix() == name != "."
        and ("\\" not in name and "\0" not in name)
    )
