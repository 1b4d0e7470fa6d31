"""What a location is: a local path, `s3://bucket/key` or, for single files, an http(s) address.

Belongs here: the kinds of locations, their names, and the secrets in addresses; nothing here touches a disk or a
network.

A web address may hold a password or a signature, and a location ends up in messages, markers and manifests. So all of
the package passes on the address without them (`hide`), and only the request uses the whole one (`reveal`). It is kept
in memory alone: another process has to be given it again.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, unquote_plus, urlsplit

_HIDDEN = "***"
# Parts of the names of parameters whose value lets anyone in who has it.
_SECRET = re.compile(r"sig|token|key|secret|pass|pwd|credential|auth|session|jwt|code|sas", re.IGNORECASE)
_LONG = 32  # letters and digits without a blank: no word, but a key under an unknown name
_OPAQUE = re.compile(rf"[A-Za-z0-9+/=_.~-]{{{_LONG},}}")
_WITHOUT = re.compile(r"//\*\*\*@|[?&=]\*\*\*")
_whole: dict[str, str] = {}


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


def hide(location: str) -> str:
    """A location without passwords, signatures and tokens; this process can still request it.

    A digest takes the place of a value in the query, so that two addresses stay two.

    Example:
        >>> hide("https://me:secret@lab.example.org/a.tsv?token=abc&format=tsv#top")
        'https://***@lab.example.org/a.tsv?token=***ba7816bf&format=tsv'
    """
    if not is_web(location) or location in _whole:
        return location
    head, _, query = location.partition("#")[0].partition("?")
    scheme, _, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    _, at, host = authority.rpartition("@")
    shown = f"{scheme}://{_HIDDEN if at else ''}{at}{host}{slash}{path}"
    if query:
        shown += "?" + "&".join(_without_secret(part) for part in query.split("&"))
    if shown != location.partition("#")[0]:
        _whole[shown] = location
    return shown


def reveal(location: str) -> str | None:
    """The whole address of one that `hide` returned; other locations unchanged. None if this process never had it."""
    if location in _whole:
        return _whole[location]
    return None if is_web(location) and _WITHOUT.search(location) else location


def _without_secret(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        return part if not _OPAQUE.fullmatch(part) else _HIDDEN + _short(part)
    if value.startswith(_HIDDEN) or not (_SECRET.search(unquote_plus(name)) or _OPAQUE.fullmatch(unquote_plus(value))):
        return part
    return f"{name}={_HIDDEN}{_short(value)}"


def _short(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def local_path(place: str | os.PathLike[str]) -> Path:
    """A local path as it was given; `~` and `~/x` are below the user's home, `~x` is a name like any other."""
    text = os.fspath(place)
    return Path(text).expanduser() if text == "~" or text.startswith("~/") else Path(text)
