"""Where bytes live: a local folder, an S3 prefix or a web address, behind the same few functions.

Belongs here: listing, reading, hashing and atomic writing. Does not belong here: what the bytes mean, and
where in the lake an output goes (`bioscan_etl.lake`).

A location is a local path, `s3://bucket/key` or, for single files, an http(s) address. S3 is read with boto3's
standard credentials; the environment variable AWS_ENDPOINT_URL points it at another S3-compatible server.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from bioscan_etl.errors import SourceError, UnavailableError
from bioscan_etl.web import WebReader, is_web, name_of

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class StoredFile:
    """A file below a location.

    Attributes:
        name: its path relative to the location, with forward slashes.
        location: where to open it.
        size: in bytes.
        etag: of an object on S3, without quotes: changes with the content; '' elsewhere.
        modified: when it was last written, in nanoseconds since 1970; on S3 to the second.
    """

    name: str
    location: str
    size: int
    etag: str = field(default="", compare=False)
    modified: int = field(default=0, compare=False)


def is_s3(location: str) -> bool:
    """Whether a location is on S3."""
    return location.startswith("s3://")


def is_remote(location: str) -> bool:
    """Whether a location is on S3 or the web, and so no local path."""
    return is_s3(location) or is_web(location)


def base_name(location: str) -> str:
    """The last part of a location's path; of a web address without its query."""
    return name_of(location) if is_web(location) else location.rstrip("/").rsplit("/", 1)[-1]


def split_s3(location: str) -> tuple[str, str]:
    """Bucket and key of an `s3://bucket/key` location."""
    # By hand: keys may hold what ends the path of a web address, `?` and `#`.
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key.lstrip("/")


@cache
def s3_client() -> Any:
    """The process' boto3 client: adaptive retries, ten attempts, checksums verified where the server has them."""
    import boto3
    from botocore.config import Config

    retries = {"mode": "adaptive", "total_max_attempts": 10}
    return boto3.client("s3", config=Config(retries=retries, connect_timeout=10, read_timeout=60))


@contextmanager
def s3_errors(location: str, doing: str = "read") -> Iterator[None]:
    """Turn what boto3 raises at a location into a `SourceError` of one line; `doing` is `read` or `written`."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or status == 429:
            raise UnavailableError(f"{location} cannot be {doing} now: {error}; try again later") from None
        raise SourceError(
            f"{location} cannot be {doing}: {error}; check the bucket, the key and the credentials"
        ) from None
    except (BotoCoreError, Boto3Error) as error:
        raise UnavailableError(
            f"{location} cannot be reached: {error}; check the network and AWS_ENDPOINT_URL"
        ) from None


class _S3Reader(io.RawIOBase):
    """A streaming, forward-only reader over one S3 object, which resumes after a broken connection."""

    _attempts = 5

    def __init__(self, location: str) -> None:
        self._location = location
        self._bucket, self._key = split_s3(location)
        self._position = 0
        self._etag: str | None = None
        self._size = 0
        self._body: Any = None
        self._open()

    def _open(self) -> None:
        arguments: dict[str, str] = {"Bucket": self._bucket, "Key": self._key}
        if self._etag is not None:
            arguments |= {"Range": f"bytes={self._position}-", "IfMatch": self._etag}
        with s3_errors(self._location):
            answer = s3_client().get_object(**arguments)
        if self._etag is None:
            self._etag, self._size = answer["ETag"], answer["ContentLength"]
        self._body = answer["Body"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        if self._position >= self._size:
            return 0
        for attempt in range(self._attempts):
            try:
                if attempt:
                    self._open()
                block: bytes = self._body.read(len(buffer))
            except (BotoCoreError, HTTPError, OSError) as error:
                broken: Exception = error
                continue
            if block:
                buffer[: len(block)] = block
                self._position += len(block)
                return len(block)
            broken = EOFError(f"ended at byte {self._position} of {self._size}")
        raise UnavailableError(f"{self._location} broke off {self._attempts} times: {broken}; run again to resume")


def open_binary(location: str) -> BinaryIO:
    """Open a location for streaming reads of bytes.

    Raises:
        SourceError: there is no such file, or it cannot be reached.
    """
    if is_s3(location):
        return io.BufferedReader(_S3Reader(location), buffer_size=8 * _BLOCK)
    if is_web(location):
        return io.BufferedReader(WebReader(location), buffer_size=_BLOCK)
    try:
        return Path(location).open("rb")
    except OSError as error:
        raise SourceError(f"{location} cannot be read: {error.strerror}; check the path") from None


def list_files(location: str) -> list[StoredFile]:
    """All files below a folder or S3 prefix, sorted by name; links that lead out of the folder are left out.

    Raises:
        SourceError: there is no such folder or bucket.
    """
    if is_s3(location):
        bucket, prefix = split_s3(location)
        prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        found = []
        with s3_errors(location):
            for page in s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                found += [
                    StoredFile(
                        entry["Key"].removeprefix(prefix),
                        f"s3://{bucket}/{entry['Key']}",
                        entry["Size"],
                        entry.get("ETag", "").strip('"'),
                        int(entry["LastModified"].timestamp()) * 1_000_000_000,
                    )
                    for entry in page.get("Contents", [])
                    if not entry["Key"].endswith("/")
                ]
        return sorted(found)
    root = Path(location)
    if not root.is_dir():
        raise SourceError(f"{location} is no folder; check the path")
    resolved = root.resolve()
    return sorted(
        StoredFile(path.relative_to(root).as_posix(), str(path), path.stat().st_size)
        for path in root.rglob("*")
        if path.is_file() and path.resolve().is_relative_to(resolved)
    )


def sha256(location: str) -> str:
    """Hex sha256 of a file's bytes."""
    with open_binary(location) as stream:
        return _digest(stream)


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Write a local file that appears whole or not at all; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield cast("BinaryIO", stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with LF line ends."""
    with atomic_file(path) as stream:
        stream.write(text.encode())
