"""A release on S3, as in a folder: whole or not there, never overwritten, and `latest` points to the last one.

    s3://bucket/prefix/v3/…              the files of the release; manifest.json is written last
    s3://bucket/prefix/latest            an object that holds the name of the last version
    s3://bucket/prefix/.publishing-v3    while v3 is being written: the sha256 of its manifest

Who reads a version begins with its manifest.json, and so never sees half a release. The claim `.publishing-v3` keeps
two publishers from mixing two releases of one name. What an interrupted run has written is kept: objects, and parts
of large ones, that have the right sums are not sent again.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan_etl import storage
from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.manifest import MANIFEST, Sums, is_inside, read_files, read_head, sums
from bioscan_etl.release.staging import LATEST

_MIB = 1 << 20
PART = 16 * _MIB  # bytes of a part of a large file; S3 wants 5 MiB at least
_MOST_PARTS = 9_000  # S3 allows 10,000
_WORKERS = 8
_VERSION = re.compile(r"v([1-9][0-9]*)")
_SHA256 = "sha256"  # key of the object's own metadata


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
        location: `s3://bucket/prefix`, where the versions lie.
        progress: told of the mebibytes that are there.
        workers: objects or parts that are sent at the same time.
        part: bytes of a part of a large file, and the size from which a file is large.

    Raises:
        SourceError: the location is none, cannot be written, or holds another release under this version's name.
        LakeError: the release is damaged.
    """
    root = release.resolve()
    target = _Target.open(root, location)
    files, size = target.survey()
    target.refuse_another()
    target.claim()
    target.refuse_strangers()
    sender = _Sender(target, workers, part)
    done = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="publish") as pool:
        for one in target.compare():
            if not one.there:
                sender.send(pool, one.file)
            done += one.file.size
            progress("publish (MiB)", min(done, size) // _MIB, size // _MIB)
        sender.finish()
        target.verify()
        sent, sent_bytes = sender.sent, sender.sent_bytes
        if not target.has_manifest():
            sender.send(pool, target.manifest)
            sender.finish()
            sent, sent_bytes = sender.sent, sender.sent_bytes
    latest = target.point_latest()
    target.release_claim()
    return Published(target.location, target.version, files + 1, sent, sent_bytes, latest)


def download(location: str, folder: Path, progress: Progress = silent, *, workers: int = _WORKERS) -> Path:
    """Fetch a release from S3; whether it is whole, `release.check` tells.

    Args:
        location: `s3://bucket/prefix/v3`, or `s3://bucket/prefix/latest`.
        folder: where its folder is made.
        progress: told of the files fetched.
        workers: objects that are fetched at the same time.

    Returns:
        The folder of the release.

    Raises:
        SourceError: there is none, or an object has a name that leads out of the folder.
    """
    location = location.rstrip("/")
    base, _, name = location.rpartition("/")
    if name == LATEST:
        with storage.open_binary(location) as stream:
            name = stream.read(64).decode("ascii", "replace").strip()
    if not _VERSION.fullmatch(name):
        raise SourceError(f"{location} names no version; give s3://bucket/prefix/v3, or …/{LATEST}")
    found = storage.list_files(f"{base}/{name}")
    if MANIFEST not in {file.name for file in found}:
        raise SourceError(f"{base}/{name} is no release: it has no {MANIFEST}, or is still being published")
    for file in found:
        if not is_inside(file.name):
            raise SourceError(f"{file.location} has a name that leads out of the release; nothing is fetched")

    def fetch(file: storage.StoredFile) -> None:
        with storage.open_binary(file.location) as source, storage.atomic_file(folder / name / file.name) as target:
            while block := source.read(_MIB):
                target.write(block)

    with ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool:
        for done, _ in enumerate(pool.map(fetch, found), start=1):
            progress("fetch", done, len(found))
    return folder / name


@dataclass(frozen=True, slots=True)
class _Compared:
    file: Sums
    there: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """A version on S3, and the release that it is to be."""

    root: Path
    version: str
    bucket: str
    prefix: str
    manifest: Sums

    @classmethod
    def open(cls, root: Path, location: str) -> _Target:
        """Hold the release and the location against what is needed before anything is written."""
        bucket, prefix = storage.split_s3(location) if storage.is_s3(location) else ("", "")
        if not bucket:
            raise SourceError(f"{location} is no place on S3; give s3://bucket/prefix")
        try:
            head = read_head(root)
            version = str(head["version"])
        except (OSError, ValueError, KeyError) as error:
            raise LakeError(f"{root} is no release: {error}; give the folder of a version") from None
        if not _VERSION.fullmatch(version):
            raise LakeError(f"{root}/{MANIFEST} says version {version!r}; bioscan-etl check names every fault")
        target = cls(
            root, version, bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else "", *sums(root, [MANIFEST], "")
        )
        target.newest()
        return target

    @property
    def location(self) -> str:
        """Where the version is."""
        return f"s3://{self.bucket}/{self.prefix}{self.version}"

    def key(self, name: str) -> str:
        """Key of a file of the release."""
        return f"{self.prefix}{self.version}/{name}"

    @property
    def _claim(self) -> str:
        return f"{self.prefix}.publishing-{self.version}"

    def files(self, *, looked_at: bool) -> Iterator[Sums]:
        """The release's files but for the manifest, in the order of keys; look whether each is there, unless done."""
        try:
            for file in read_files(self.root):
                path = self.root / file.path
                if not looked_at:
                    if not is_inside(file.path) or path.resolve() != path or not path.is_file():
                        raise LakeError(f"{self.root}: {file.path!r} is no file of the release; run bioscan-etl check")
                    if path.stat().st_size != file.size:
                        raise _damaged(self.root, file)
                yield file
        except (OSError, ValueError) as error:
            raise LakeError(f"{self.root} is damaged: {str(error).splitlines()[0]}; run bioscan-etl check") from None

    def survey(self) -> tuple[int, int]:
        """Number and bytes of the files, each of which is there."""
        files = size = 0
        for file in self.files(looked_at=False):
            files, size = files + 1, size + file.size
        return files, size

    def refuse_another(self) -> None:
        """Refuse a version that is another release."""
        if (there := self._head(self.key(MANIFEST))) is not None and not _same(there, self.manifest):
            raise SourceError(
                f"{self.location} holds another release of this name; nothing was changed: publish to another prefix"
            )

    def refuse_strangers(self) -> None:
        """Refuse objects that are no files of the release: who fetches it would get them, too."""
        names = (file.path for file in self.files(looked_at=True))
        name = next(names, None)
        for there in self._listed():
            while name is not None and name < there["name"]:
                name = next(names, None)
            if there["name"] not in {name, MANIFEST}:
                raise SourceError(
                    f"{self.location}/{there['name']} is no file of this release; remove it, or publish to another "
                    "prefix"
                )

    def compare(self) -> Iterator[_Compared]:
        """Each file, and whether S3 has it."""
        listed = self._listed()
        there = next(listed, None)
        for file in self.files(looked_at=True):
            while there is not None and there["name"] < file.path:
                there = next(listed, None)
            found = there is not None and there["name"] == file.path
            yield _Compared(file, bool(found and there is not None and self._is(there, file)))

    def _is(self, there: dict[str, Any], file: Sums) -> bool:
        """Whether a listed object is the file. Encrypted and large objects have an ETag that is no md5."""
        if there["size"] != file.size:
            return False
        if there["etag"] == file.md5:
            return True
        head = self._head(self.key(file.path))
        return head is not None and _same(head, file)

    def verify(self) -> None:
        """Hold what is there against the release once more, before the manifest makes it visible."""
        for one in self.compare():
            if not one.there:
                raise SourceError(
                    f"{self.location}/{one.file.path} is not what was sent: another process writes there; run again"
                )

    def has_manifest(self) -> bool:
        """Whether the version is visible."""
        return self._head(self.key(MANIFEST)) is not None

    def claim(self) -> None:
        """Say which release the version is to be; refuse if another one has begun."""
        claimed = self._read(self._claim)
        if claimed is None:
            claimed = self._put_first(self._claim, self.manifest.sha256)
        if claimed != self.manifest.sha256:
            raise SourceError(
                f"another release is being published as {self.location}; if that was given up, remove "
                f"s3://{self.bucket}/{self._claim} and what lies below {self.location}/"
            )

    def release_claim(self) -> None:
        """The version is there: the claim has done its work."""
        with storage.s3_errors(f"s3://{self.bucket}/{self._claim}", "written"):
            storage.s3_client().delete_object(Bucket=self.bucket, Key=self._claim)

    def newest(self) -> int:
        """Number of the version that `latest` names; 0 where there is none."""
        key = f"{self.prefix}{LATEST}"
        text = self._read(key)
        if text is None:
            return 0
        match = _VERSION.fullmatch(text)
        if match is None:
            raise SourceError(f"s3://{self.bucket}/{key} names no version; releases cannot be published beside it")
        return int(match.group(1))

    def point_latest(self) -> str:
        """Let `latest` name this version, unless it names a newer one."""
        newest = self.newest()
        if newest > int(self.version[1:]):
            return f"v{newest}"
        if newest < int(self.version[1:]):
            key = f"{self.prefix}{LATEST}"
            with storage.s3_errors(f"s3://{self.bucket}/{key}", "written"):
                storage.s3_client().put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=f"{self.version}\n".encode(),
                    ContentType="text/plain",
                    CacheControl="no-cache",
                )
        return self.version

    def _listed(self) -> Iterator[dict[str, Any]]:
        """Name, size and ETag of the version's objects, in the order of keys, a page at a time."""
        prefix, last = self.key(""), ""
        with storage.s3_errors(self.location):
            pages = storage.s3_client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    name = entry["Key"].removeprefix(prefix)
                    if name <= last:
                        raise SourceError(f"{self.location} is not listed in the order of keys: no general S3 bucket")
                    last = name
                    yield {"name": name, "size": entry["Size"], "etag": entry["ETag"].strip('"')}

    def _head(self, key: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        with storage.s3_errors(f"s3://{self.bucket}/{key}"):
            try:
                answer = storage.s3_client().head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise
        sha256 = answer.get("Metadata", {}).get(_SHA256)
        return {"size": answer["ContentLength"], "etag": answer["ETag"].strip('"'), "sha256": sha256}

    def _read(self, key: str) -> str | None:
        """The text of a small object; None where there is none."""
        from botocore.exceptions import ClientError

        with storage.s3_errors(f"s3://{self.bucket}/{key}"):
            try:
                body: bytes = storage.s3_client().get_object(Bucket=self.bucket, Key=key)["Body"].read(1024)
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    return None
                raise
        return body.decode("ascii", "replace").strip()

    def _put_first(self, key: str, text: str) -> str | None:
        """Write a small object unless there is one; returns what is there then."""
        from botocore.exceptions import ClientError

        with storage.s3_errors(f"s3://{self.bucket}/{key}", "written"):
            named = {"Bucket": self.bucket, "Key": key, "Body": text.encode(), "ContentType": "text/plain"}
            try:
                storage.s3_client().put_object(**named, IfNoneMatch="*")
            except ClientError as error:
                if _status(error) == 501:  # a server without conditional writes
                    storage.s3_client().put_object(**named)
                elif _status(error) not in {409, 412}:
                    raise
        return self._read(key)


class _Sender:
    """Sends files; a bounded number of requests is under way at a time."""

    def __init__(self, target: _Target, workers: int, part: int) -> None:
        self._target, self._part, self._window = target, part, 2 * workers
        self._running: deque[Future[None]] = deque()
        self.sent = 0
        self.sent_bytes = 0

    def send(self, pool: ThreadPoolExecutor, file: Sums) -> None:
        """Send one file; a small one in the background.

        Raises:
            SourceError: this or an earlier file cannot be written.
            LakeError: it is not what the manifest says.
        """
        if file.size >= self._part:
            self._send_parts(pool, file)
        else:
            self._start(pool, lambda: self._send_whole(file))
        self.sent += 1
        self.sent_bytes += file.size

    def finish(self) -> None:
        """Wait for all that is under way; the first error is raised."""
        while self._running:
            self._running.popleft().result()

    def _start(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        if len(self._running) >= self._window:
            self._running.popleft().result()
        self._running.append(pool.submit(work))

    def _send_whole(self, file: Sums) -> None:
        body = (self._target.root / file.path).read_bytes()
        if hashlib.sha256(body).hexdigest() != file.sha256:
            raise _damaged(self._target.root, file)
        key = self._target.key(file.path)
        with storage.s3_errors(f"s3://{self._target.bucket}/{key}", "written"):
            answer = storage.s3_client().put_object(
                Bucket=self._target.bucket, Key=key, Body=body, ContentMD5=_base64(body), **_about(file)
            )
        _require_etag(answer, body, f"s3://{self._target.bucket}/{key}")

    def _send_parts(self, pool: ThreadPoolExecutor, file: Sums) -> None:
        """Send a large file in parts, going on with an upload that an earlier run began."""
        bucket, key = self._target.bucket, self._target.key(file.path)
        where = f"s3://{bucket}/{key}"
        size = max(self._part, -(-file.size // _MOST_PARTS))
        with storage.s3_errors(where, "written"):
            uploads, known = self._begun(key)
            if not uploads:
                about = _about(file)
                uploads = [storage.s3_client().create_multipart_upload(Bucket=bucket, Key=key, **about)["UploadId"]]
        upload, tags = uploads[-1], dict[int, str]()

        def put(number: int, body: bytes) -> None:
            with storage.s3_errors(where, "written"):
                answer = storage.s3_client().upload_part(
                    Bucket=bucket,
                    Key=key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=body,
                    ContentMD5=_base64(body),
                )
            _require_etag(answer, body, where)
            tags[number] = answer["ETag"]

        digest, number = hashlib.sha256(), 0
        with (self._target.root / file.path).open("rb") as stream:
            while body := stream.read(size):
                number += 1
                digest.update(body)
                tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
                if known.get(number) == (tag, len(body)):
                    tags[number] = tag
                else:
                    self._start(pool, lambda number=number, body=body: put(number, body))  # type: ignore[misc]
        self.finish()
        with storage.s3_errors(where, "written"):
            client = storage.s3_client()
            if digest.hexdigest() != file.sha256:
                client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
                raise _damaged(self._target.root, file)
            parts = [{"PartNumber": number, "ETag": tags[number]} for number in sorted(tags)]
            client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
            # Earlier runs, and answers that were lost, may have left uploads of this key behind.
            for other in self._begun(key)[0]:
                with suppress(client.exceptions.NoSuchUpload):
                    client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=other)

    def _begun(self, key: str) -> tuple[list[str], dict[int, tuple[str, int]]]:
        """Uploads of this key that are under way, oldest first, and the parts of the last: md5 and size by number."""
        client, bucket = storage.s3_client(), self._target.bucket
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
        found = [entry for page in pages for entry in page.get("Uploads", []) if entry["Key"] == key]
        uploads = [entry["UploadId"] for entry in sorted(found, key=lambda entry: str(entry.get("Initiated", "")))]
        if not uploads:
            return [], {}
        pages = client.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=uploads[-1])
        parts = [part for page in pages for part in page.get("Parts", [])]
        return uploads, {part["PartNumber"]: (part["ETag"].strip('"'), part["Size"]) for part in parts}


def _same(there: dict[str, Any], file: Sums) -> bool:
    """Whether an object is the file: by its md5, or by the sha256 that was written beside it."""
    return bool(there["size"] == file.size and (there["etag"] == file.md5 or there["sha256"] == file.sha256))


def _about(file: Sums) -> dict[str, Any]:
    """What S3 keeps beside the bytes."""
    kind = mimetypes.guess_type(file.path)[0] or "application/octet-stream"
    return {"ContentType": kind, "Metadata": {_SHA256: file.sha256}}


def _base64(body: bytes) -> str:
    """The md5 that the server holds the bytes against."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _require_etag(answer: dict[str, Any], body: bytes, where: str) -> None:
    """Hold the server's sum of what it got against ours; with some encryptions its ETag is none."""
    encrypted = answer.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in answer
    tag = answer["ETag"].strip('"')
    if not encrypted and tag != hashlib.md5(body, usedforsecurity=False).hexdigest():
        raise SourceError(f"{where} arrived with other bytes than were sent; run the same command again")


def _damaged(root: Path, file: Sums) -> LakeError:
    return LakeError(f"{root / file.path} is not what {MANIFEST} says; run bioscan-etl check on {root}")


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
