"""Reading: one reader that resumes after broken connections, for S3 and the web, with sequential or random access.

Belongs here: opening, listing and hashing. Does not belong here: what the bytes mean.

A connection that breaks or stalls is opened again at the byte where it broke. If the server cannot send a part of a
file, a streaming reader reads the bytes before again and drops them. A file that changes while it is read, as its ETag,
date or size says, is an error, never a mixture of two versions.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

from bioscan_etl.errors import SourceError, UnavailableError
from bioscan_etl.io import s3, web
from bioscan_etl.io.locations import StoredFile, hide, is_s3, is_web, split_s3
from bioscan_etl.io.paths import real_path

if TYPE_CHECKING:
    from tenacity import RetryCallState

ATTEMPTS = 6
"""Consecutive attempts without a new byte after which a reader gives up."""

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
PAUSE_SECONDS, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before the second attempt, doubled each time. If a server asks for more than LONGEST_PAUSE, it is not asked
again."""

_BLOCK = 1 << 20
_SEEK_BLOCK = 256 << 10  # requested at a time for random access: a specimen image of 40 kB and its neighbours
_S3_PIECE = 256 << 10  # what a read has gathered is lost if the connection breaks
_BUSY = (408, 425, 429)
_FINAL = ("address", "slow")  # reasons for which another attempt at once is of no use
_LOGGED_PAUSE = 5.0  # seconds; shorter pauses are not logged

_log = logging.getLogger("bioscan_etl")

T = TypeVar("T")


class Body(Protocol):
    """The bytes of one answer."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end. Raises `web.WebError` if the connection breaks."""

    def close(self) -> None:
        """Give up the connection; what is left of the answer is not read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a server, and which bytes of which version of the file it holds."""

    body: Body
    extent: web.Extent


Ask = Callable[[int, int | None, str | None], Answer]
"""Asks for a file from a first byte to a last one (None: to its end), of a version (None: of any)."""


class ResumingReader(io.RawIOBase):
    """A reader over a file on a server; for one thread."""

    def __init__(self, location: str, ask: Ask, *, seekable: bool) -> None:
        """Open the file.

        Args:
            location: for messages.
            ask: makes one request.
            seekable: random access, one request per block, instead of one sequential request.

        Raises:
            SourceError: there is no such file, or it cannot be reached.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        self._location, self._ask, self._seekable = location, ask, seekable
        self._position = 0
        self._size: int | None = None
        self._version: str | None = None
        self._body: Body | None = None
        self._end: int | None = None  # where the body ends, if that is known
        self._known = False
        self._retrying = Retrying(
            retry=retry_if_exception(_is_worth_another),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            before_sleep=self._before_pause,
            reraise=True,
        )
        self._repeat(self._connect, None)
        if seekable and self._size is None:
            self._drop()
            raise SourceError(f"{location} cannot be read by place: the server does not say its size; fetch it first")

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Whether it was opened for random access."""
        return self._seekable

    def tell(self) -> int:
        """The byte that is read next."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte.

        Raises:
            OSError: it is before the beginning, or the reader is not seekable.
        """
        if not self._seekable:
            raise io.UnsupportedOperation("seek")
        position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size or 0}[whence] + offset
        if position < 0:
            raise OSError(f"{self._location}: byte {position} is before the beginning")
        if position != self._position:
            self._drop()
        self._position = position
        return position

    def close(self) -> None:
        """Give up the connection."""
        self._drop()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer: what has arrived, or of a seekable reader as much as fits.

        Raises:
            SourceError: the connection broke too often, or the file changed.
        """
        view = memoryview(buffer)
        done = self._repeat(self._read, view)
        # Read the rest of a block's answer too: a connection can be reused only after the end of its answer.
        while self._seekable and done < len(view) and (more := self._repeat(self._read, view[done:])):
            done += more
        return done

    def _repeat(self, act: Callable[[Any], T], argument: Any) -> T:
        """Act until it succeeds, `ATTEMPTS` times."""
        try:
            return self._retrying(act, argument)
        except web.WebError as error:
            self._drop()
            if error.reason == "address":
                raise SourceError(f"{self._location} cannot be read: {error}; check the address") from None
            if error.pause > LONGEST_PAUSE:
                text = f"cannot be read now: {error}, and to come back in {_duration(error.pause)}; run again then"
            elif error.reason == "slow":
                text = f"is read too slowly: {error}; check the network, or try again later"
            elif error.reason == "busy":
                text = f"cannot be read now: {error}; check the address, or try again later"
            elif not self._known:
                text = f"cannot be reached: {error}; check the address"
            else:
                text = f"broke off {ATTEMPTS} times: {error}; check the network and run again"
            raise UnavailableError(f"{self._location} {text}") from None

    def _before_pause(self, state: RetryCallState) -> None:
        self._drop()
        seconds = state.next_action.sleep if state.next_action else 0.0
        if seconds >= _LOGGED_PAUSE:
            error = state.outcome.exception() if state.outcome else None
            _log.warning("%s: %s; trying again in %s", self._location, error, _duration(seconds))

    def _read(self, view: memoryview) -> int:
        if self._size is not None and self._position >= self._size:
            return 0
        if self._body is None or self._position == self._end:
            self._drop()
            self._connect(self._position + len(view) - 1 if self._seekable else None)
        assert self._body is not None
        block = self._body.read(len(view))
        if not block and self._size is not None:
            raise web.WebError(f"it ended at byte {self._position:,} of {self._size:,}", "truncated")
        view[: len(block)] = block
        self._position += len(block)
        return len(block)

    def _connect(self, last: int | None) -> None:
        """Ask for the bytes from the position on, and check the answer against the first one."""
        answer = self._ask(self._position, last, self._version)
        self._body, extent = answer.body, answer.extent
        if not self._known:
            if extent.start:
                raise self._refused(f"{self._location} cannot be read: the server sends a part that nobody asked for")
            self._size, self._version, self._known = extent.size, extent.version, True
            self._end = self._size
            return
        if _differ(extent.version, self._version) or _differ(extent.size, self._size):
            raise self._refused(f"{self._location} changed while it was read; run again")
        if extent.start not in {0, self._position}:
            raise self._refused(f"{self._location} cannot be read: the server sends other bytes than were asked for")
        skip = self._position - (extent.start or 0)
        if skip and self._seekable:
            raise self._refused(
                f"{self._location} cannot be read by place: the server sends the whole file only; fetch it first"
            )
        self._end = self._size if last is None or extent.start != self._position else last + 1
        while skip:
            block = self._body.read(min(skip, _BLOCK))
            if not block:
                raise web.WebError(f"it ended {skip:,} bytes before the place where it broke off", "truncated")
            skip -= len(block)

    def _refused(self, message: str) -> SourceError:
        self._drop()
        return SourceError(message)

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
        self._body = self._end = None


def open_binary(location: str) -> BinaryIO:
    """Open a location to read its bytes sequentially.

    Raises:
        SourceError: there is no such file, or it cannot be reached.
    """
    location = hide(location)
    if is_s3(location) or is_web(location):
        return io.BufferedReader(ResumingReader(location, _asker(location), seekable=False), buffer_size=_BLOCK)
    return _open_local(location)


def open_seekable(location: str) -> BinaryIO:
    """Open a location for random access to its bytes, as `zipfile` needs it.

    Raises:
        SourceError: there is no such file, it cannot be reached, or its server cannot send parts of it.
    """
    location = hide(location)
    if is_s3(location) or is_web(location):
        return io.BufferedReader(ResumingReader(location, _asker(location), seekable=True), buffer_size=_SEEK_BLOCK)
    return _open_local(location)


def list_files(location: str) -> list[StoredFile]:
    """All files below a folder or S3 prefix, sorted by name; links that lead out of the folder are left out.

    Raises:
        SourceError: there is no such folder or bucket.
    """
    if is_s3(location):
        return sorted(file for file in s3.objects(location) if not file.location.endswith("/"))
    root = Path(location)
    if not root.is_dir():
        raise SourceError(f"{location} is no folder; check the path")
    resolved = real_path(root)
    return sorted(
        StoredFile(path.relative_to(root).as_posix(), str(path), path.stat().st_size)
        for path in root.rglob("*")
        if path.is_file() and real_path(path).is_relative_to(resolved)
    )


def file_sha256(location: str) -> str:
    """Hex sha256 of a file's bytes."""
    with open_binary(location) as stream:
        return _digest(stream)


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _open_local(location: str) -> BinaryIO:
    try:
        return Path(location).open("rb")
    except OSError as error:
        raise SourceError(f"{location} cannot be read: {error.strerror}; check the path") from None


def _asker(location: str) -> Ask:
    """Return the function that requests a location from its server."""

    def ask(first: int, last: int | None, version: str | None) -> Answer:
        wanted = f"bytes={first}-{'' if last is None else last}" if first or last is not None else None
        return (_ask_s3 if is_s3(location) else _ask_web)(location, wanted, version)

    return ask


@dataclass(frozen=True, slots=True)
class _S3Body:
    stream: Any

    def read(self, size: int) -> bytes:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            block: bytes = self.stream.read(min(size, _S3_PIECE))
        except (BotoCoreError, HTTPError, OSError) as error:
            raise web.WebError(web.one_line(error), "truncated") from None
        return block

    def close(self) -> None:
        self.stream.close()


def _ask_s3(location: str, wanted: str | None, version: str | None) -> Answer:
    bucket, key = split_s3(location)
    conditions = {"Range": wanted, "IfMatch": version}
    with s3.errors(location):
        answer = s3.client().get_object(
            Bucket=bucket, Key=key, **{name: value for name, value in conditions.items() if value is not None}
        )
    part = answer.get("ContentRange")
    start, size = web.content_range(part) if part else (0, answer["ContentLength"])
    return Answer(_S3Body(answer["Body"]), web.Extent(start, size, answer["ETag"]))


@dataclass(frozen=True, slots=True)
class _WebBody:
    response: web.Response

    def read(self, size: int) -> bytes:
        return web.read_piece(self.response, size)

    def close(self) -> None:
        self.response.close()


def _ask_web(location: str, wanted: str | None, version: str | None) -> Answer:
    headers = {}
    if wanted:
        headers = {"Range": wanted} | ({"If-Range": version} if version else {})
    response = web.get(location, headers, connect=CONNECT_SECONDS, read=READ_SECONDS)
    if response.status == 416 and wanted:
        response.close()
        raise SourceError(f"{location} changed while it was read: it is shorter now; run again")
    if response.status not in {200, 206}:
        says = f"the server answers {web.said(response)}"
        busy = response.status >= 500 or response.status in _BUSY
        pause = web.asked_pause(response)
        response.close()
        raise web.WebError(says, "busy" if busy else "address", pause)
    return Answer(_WebBody(response), web.extent(response))


def _is_worth_another(error: BaseException) -> bool:
    return isinstance(error, web.WebError) and error.reason not in _FINAL and error.pause <= LONGEST_PAUSE


def _duration(seconds: float) -> str:
    """A time to wait, for a person.

    Example:
        >>> _duration(86400), _duration(90), _duration(7)
        ('24 h', '2 min', '7 s')
    """
    if seconds >= 3600:
        return f"{math.ceil(seconds / 3600):,} h"
    return f"{math.ceil(seconds / 60)} min" if seconds >= 60 else f"{math.ceil(seconds)} s"


def _wait(state: RetryCallState) -> float:
    """Seconds until the next attempt: a growing pause, or the longer one that the server asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.pause if isinstance(error, web.WebError) else 0.0
    growing = PAUSE_SECONDS * 2.0 ** (state.attempt_number - 1)
    return min(max(asked, growing), LONGEST_PAUSE)


def _differ(one: object, other: object) -> bool:
    """Whether both are known and differ."""
    return None not in (one, other) and one != other
