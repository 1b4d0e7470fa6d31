"""What a location is: a local path, `s3://bucket/key` or, for single files, an http(s) address.

Belongs here: the kinds of locations and their names; nothing here touches a disk or a network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


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


def is_web(location: str) -> bool:
    """Whether a location is an http(s) address."""
    return location.lower().startswith(("http://", "https://"))


def is_remote(location: str) -> bool:
    """Whether a location is on S3 or the web, and so no local path."""
    return is_s3(location) or is_web(location)


def base_name(location: str) -> str:
    """The last part of a location's path.

    Of a web address without its query and with percent signs decoded; the host's name if the path is empty.
    """
    if not is_web(location):
        return location.rstrip("/").rsplit("/", 1)[-1]
    parts = urlsplit(location)
    return unquote(parts.path.rstrip("/").rsplit("/", 1)[-1]).replace("/", "_") or (parts.hostname or "")


def split_s3(location: str) -> tuple[str, str]:
    """Bucket and key of an `s3://bucket/key` location."""
    # By hand: keys may hold what ends the path of a web address, `?` and `#`.
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key.lstrip("/")
