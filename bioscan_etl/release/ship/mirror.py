"""A release on S3, as in a folder: whole or not there, never overwritten, and `latest` points to the last one.

    s3://bucket/prefix/v3/…              the files of the release and its signature; manifest.json is written last
    s3://bucket/prefix/latest            an object that holds the name of the last version
    s3://bucket/prefix/.publishing-v3    while v3 is being written: the sha256 of its manifest

A reader of a version begins with its manifest.json, and so never sees half a release. The claim `.publishing-v3` keeps
two publishers from mixing two releases of one name. What an interrupted run has written is kept: objects, and parts
of large ones, that have the right sums are not sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.io import s3
from bioscan_etl.io.locations import StoredFile, is_s3, split_s3
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.read import file_sha256, list_files, open_binary
from bioscan_etl.io.upload import SHA256, Uploader
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.manifest import MANIFEST, SIGNATURE, Sums, is_inside, read_files, read_head, sums
from bioscan_etl.release.staging import LATEST

_MIB = 1 << 20
PART = 16 * _MIB  # bytes of a part of a large file; S3 wants 5 MiB at least
_WORKERS = 8
_VERSION = re.compile(r"v([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Published:
    """What a run did.

    Attributes:
        location: of the version.
        version: such as `v3`.
        files: files of the release, manifest.json included.
        sent: those that were sent now.
        sent_bytes: their bytes.
        latest: the version that `latest` now names.
    """

    location: str
    version: str
    files: int
    sent: int
    sent_bytes: int
    latest: str


def publish_to_s3(
    release: Path, location: str, progress: Progress = silent, *, workers: int = _WORKERS, part: int = PART
) -> Published:
    """Mirror a published release to S3.

    Args:
        release: folder of a version, or a link to it.
        location: `s3://bucket/prefix`, where the versions are.
        progress: reports the mebibytes that are there.
        workers: objects or parts that are sent at the same time.
        part: bytes of a part of a large file, and the size from which a file is large.

    Raises:
        SourceError: the location is invalid, cannot be written, or holds another release under this version's name.
        LakeError: the release is damaged.
    """
    root = real_path(release)
    target = _Target.open(root, location)
    files, size = target.survey()
    target.refuse_another()
    target.claim()
    target.refuse_strangers()
    sent = sent_bytes = done = 0
    with Uploader(workers, part) as uploader:

        def send(file: Sums) -> None:
            nonlocal sent, sent_bytes
            target.send(uploader, file)
            sent, sent_bytes = sent + 1, sent_bytes + file.size

        for file, there in target.compare():
            if not there:
                send(file)
            done += file.size
            progress("publish (MiB)", min(done, size) // _MIB, size // _MIB)
        uploader.finish()
        target.verify()
        if not target.has_manifest():
            send(target.manifest)
            uploader.finish()
    latest = target.point_latest()
    target.release_claim()
    return Published(target.location, target.version, files + 1, sent, sent_bytes, latest)


def download(location: str, folder: Path, progress: Progress = silent, *, workers: int = _WORKERS) -> Path:
    """Fetch a release from S3; use `release.check` to verify that it is complete.

    Args:
        location: `s3://bucket/prefix/v3`, or `s3://bucket/prefix/latest`.
        folder: where its folder is made.
        progress: reports the files fetched.
        workers: objects that are fetched at the same time.

    Returns:
        The folder of the release.

    Raises:
        SourceError: there is none, or an object has a name that leads out of the folder.
    """
    location = location.rstrip("/")
    base, _, name = location.rpartition("/")
    if name == LATEST:
        with open_binary(location) as stream:
            name = stream.read(64).decode("ascii", "replace").strip()
    if not _VERSION.fullmatch(name):
        raise SourceError(f"{location} names no version; give s3://bucket/prefix/v3, or …/{LATEST}")
    found = list_files(f"{base}/{name}")
    if MANIFEST not in {file.name for file in found}:
        raise SourceError(f"{base}/{name} is no release: it has no {MANIFEST}, or is still being published")
    for file in found:
        if not is_inside(file.name):
            raise SourceError(f"{file.location} has a name that leads out of the release; nothing is fetched")

    def fetch(file: StoredFile) -> None:
        with open_binary(file.location) as source, atomic_file(folder / name / file.name) as target:
            while block := source.read(_MIB):
                target.write(block)

    with ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool:
        for done, _ in enumerate(pool.map(fetch, found), start=1):
            progress("fetch", done, len(found))
    return folder / name


@dataclass(frozen=True, slots=True)
class _Target:
    """A version on S3 (`base`/`version`), and the release that it is to be."""

    root: Path
    version: str
    base: str
    manifest: Sums
    signature: Sums | None

    @classmethod
    def open(cls, root: Path, location: str) -> _Target:
        """Check the release and the location before anything is written."""
        bucket, prefix = split_s3(location) if is_s3(location) else ("", "")
        if not bucket:
            raise SourceError(f"{location} is no place on S3; give s3://bucket/prefix")
        try:
            head = read_head(root)
            version = str(head["version"])
            signature = sums(root, [SIGNATURE], "")[0] if head.get("signature") else None
        except (OSError, ValueError, KeyError) as error:
            raise LakeError(f"{root} is no release: {error}; give the folder of a version") from None
        if not _VERSION.fullmatch(version):
            raise LakeError(f"{root}/{MANIFEST} says version {version!r}; bioscan-etl check names every fault")
        base = f"s3://{bucket}/{prefix}".strip("/")
        [document] = sums(root, [MANIFEST], "")
        target = cls(root, version, base, document, signature)
        target.newest()
        return target

    @property
    def location(self) -> str:
        """Where the version is."""
        return f"{self.base}/{self.version}"

    @property
    def _claim(self) -> str:
        return f"{self.base}/.publishing-{self.version}"

    def files(self, *, looked_at: bool) -> Iterator[Sums]:
        """The release's files but for the manifest, in the order of keys; look whether each is there, unless done."""
        try:
            for file in self._in_order():
                path = self.root / file.path
                if not looked_at:
                    if not is_inside(file.path) or real_path(path) != path or not path.is_file():
                        raise LakeError(f"{self.root}: {file.path!r} is no file of the release; run bioscan-etl check")
                    if path.stat().st_size != file.size:
                        raise _damaged(self.root, file)
                yield file
        except (OSError, ValueError) as error:
            raise LakeError(f"{self.root} is damaged: {str(error).splitlines()[0]}; run bioscan-etl check") from None

    def _in_order(self) -> Iterator[Sums]:
        """The files that the manifest lists and the signature, which it cannot list, in the order of paths."""
        signature = self.signature
        for file in read_files(self.root):
            if signature is not None and signature.path < file.path:
                yield signature
                signature = None
            yield file
        if signature is not None:
            yield signature

    def survey(self) -> tuple[int, int]:
        """Number and bytes of the files, each of which is there."""
        files = size = 0
        for file in self.files(looked_at=False):
            files, size = files + 1, size + file.size
        return files, size

    def refuse_another(self) -> None:
        """Refuse a version that is another release."""
        if (there := s3.head(f"{self.location}/{MANIFEST}")) is not None and not _same(there, self.manifest):
            raise SourceError(
                f"{self.location} holds another release of this name; nothing was changed: publish to another prefix"
            )

    def refuse_strangers(self) -> None:
        """Refuse objects that are not files of the release: whoever fetches it would get them, too."""
        names = (file.path for file in self.files(looked_at=True))
        name = next(names, None)
        for there in self._listed():
            while name is not None and name < there.name:
                name = next(names, None)
            if there.name not in {name, MANIFEST}:
                raise SourceError(
                    f"{self.location}/{there.name} is no file of this release; remove it, or publish to another prefix"
                )

    def compare(self) -> Iterator[tuple[Sums, bool]]:
        """Each file, and whether S3 has it."""
        listed = self._listed()
        there = next(listed, None)
        for file in self.files(looked_at=True):
            while there is not None and there.name < file.path:
                there = next(listed, None)
            found = there is not None and there.name == file.path
            yield file, bool(found and there is not None and self._is(there, file))

    def _is(self, there: StoredFile, file: Sums) -> bool:
        """Whether a listed object is the file. Encrypted and large objects have an ETag that is not an md5."""
        if there.size != file.size:
            return False
        if there.etag == file.md5:
            return True
        head = s3.head(there.location)
        return head is not None and _same(head, file)

    def send(self, uploader: Uploader, file: Sums) -> None:
        """Begin to send a file, if it is what the manifest says."""
        path = self.root / file.path
        if file_sha256(str(path)) != file.sha256:
            raise _damaged(self.root, file)
        uploader.send(path, f"{self.location}/{file.path}", file.size, file.sha256)

    def verify(self) -> None:
        """Check what is there against the release once more, before the manifest makes it visible."""
        for file, there in self.compare():
            if not there:
                raise SourceError(
                    f"{self.location}/{file.path} is not what was sent: another process writes there; run again"
                )

    def has_manifest(self) -> bool:
        """Whether the version is visible."""
        return s3.head(f"{self.location}/{MANIFEST}") is not None

    def claim(self) -> None:
        """Declare which release the version is to be; refuse if another one has begun."""
        claimed = s3.read_text(self._claim)
        if claimed is None:
            claimed = s3.put_text_once(self._claim, self.manifest.sha256)
        if claimed != self.manifest.sha256:
            raise SourceError(
                f"another release is being published as {self.location}; if that was given up, remove "
                f"{self._claim} and what lies below {self.location}/"
            )

    def release_claim(self) -> None:
        """Remove the claim: the version is complete."""
        s3.delete(self._claim)

    def newest(self) -> int:
        """Number of the version that `latest` names; 0 if there is none."""
        text = s3.read_text(f"{self.base}/{LATEST}")
        if text is None:
            return 0
        match = _VERSION.fullmatch(text)
        if match is None:
            raise SourceError(f"{self.base}/{LATEST} names no version; releases cannot be published beside it")
        return int(match.group(1))

    def point_latest(self) -> str:
        """Let `latest` name this version, unless it names a newer one."""
        newest = self.newest()
        if newest > int(self.version[1:]):
            return f"v{newest}"
        if newest < int(self.version[1:]):
            s3.put_text(f"{self.base}/{LATEST}", f"{self.version}\n")
        return self.version

    def _listed(self) -> Iterator[StoredFile]:
        """The version's objects, in the order of keys."""
        last = ""
        for there in s3.objects(self.location):
            if there.name <= last:
                raise SourceError(f"{self.location} is not listed in the order of keys: no general S3 bucket")
            last = there.name
            yield there


def _same(head: dict[str, Any], file: Sums) -> bool:
    """Whether an object is the file: by its md5, or by the sha256 that was written beside it."""
    return bool(head["size"] == file.size and (head["etag"] == file.md5 or head["metadata"].get(SHA256) == file.sha256))


def _damaged(root: Path, file: Sums) -> LakeError:
    return LakeError(f"{root / file.path} is not what {MANIFEST} says; run bioscan-etl check on {root}")
