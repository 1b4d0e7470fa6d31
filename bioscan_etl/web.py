"""A file at an http(s) address as a stream of bytes that outlives broken connections.

Belongs here: opening an address, retries, going on where a connection broke. Does not belong here: what the
bytes mean, and BOLD's own services (`bioscan_etl.bold`). urllib3 holds the connections and repeats requests
that a server is too busy for.
"""

from __future__ import annotations

import io
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bioscan_etl.errors import SourceError, UnavailableError

if TYPE_CHECKING:
    import urllib3

ATTEMPTS = 6
"""Times a connection may break, or a request be repeated, without a byte more than before."""

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
PAUSE_SECONDS, LONGEST_PAUSE = 0.5, 30.0
_PASSING = (408, 425, 429, 500, 502, 503, 504)


def is_web(location: str) -> bool:
    """Whether a location is an http(s) address."""
    return location.lower().startswith(("http://", "https://"))


def name_of(location: str) -> str:
    """The last part of an address' path, without its query, percent signs undone; else the host's name."""
    parts = urlsplit(location)
    return unquote(parts.path.rstrip("/").rsplit("/", 1)[-1]).replace("/", "_") or (parts.hostname or "")


@cache
def _pool() -> urllib3.PoolManager:
    import urllib3

    return urllib3.PoolManager()


class WebReader(io.RawIOBase):
    """A forward-only reader over what an address holds.

    A connection that breaks or stalls is opened again from the byte it broke at (RFC 9110, Range and If-Range);
    where the server cannot do that, the bytes before are read again and dropped. A file that changes meanwhile
    is an error, never a mixture.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self._position = 0
        self._size: int | None = None
        self._mark: str | None = None
        self._response: Any = None
        self._started = False
        self._open()

    def readable(self) -> bool:
        """Always true."""
        return True

    def close(self) -> None:
        """Give the connection up; what is left of the answer is not read."""
        if self._response is not None:
            self._response.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived, at most as much as fits.

        Raises:
            SourceError: the connection broke too often, or the file changed.
        """
        from urllib3.exceptions import HTTPError

        for attempt in range(ATTEMPTS):
            if self._position == self._size:
                return 0
            try:
                if attempt:
                    time.sleep(min(PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE))
                    self._open()
                block: bytes = self._response.read1(len(buffer))
            except (HTTPError, OSError) as error:
                broken = _words(error)
                continue
            if block:
                buffer[: len(block)] = block
                self._position += len(block)
                return len(block)
            if self._size is None:
                return 0
            broken = f"it ended at byte {self._position:,} of {self._size:,}"
        raise UnavailableError(
            f"{self._location} broke off {ATTEMPTS} times: {broken}; check the network and run again"
        )

    def _open(self) -> None:
        import urllib3

        if self._response is not None:
            self._response.close()
        # Bytes are counted as they lie on the server, so it must not pack them on the way.
        headers = {"Accept-Encoding": "identity"}
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
            if self._mark:
                headers["If-Range"] = self._mark
        retries = urllib3.Retry(
            total=ATTEMPTS - 1,
            status_forcelist=_PASSING,
            backoff_factor=PAUSE_SECONDS,
            backoff_max=LONGEST_PAUSE,
            raise_on_status=False,
        )
        try:
            self._response = _pool().request(
                "GET",
                self._location,
                headers=headers,
                preload_content=False,
                decode_content=False,
                retries=retries,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"{self._location} cannot be reached: {_words(error)}; check the address") from None
        if self._response.status not in (200, 206):
            status = f"{self._response.status} {self._response.reason or ''}".strip()
            self._response.close()
            passing = self._response.status >= 500 or self._response.status == 429
            raise (UnavailableError if passing else SourceError)(
                f"{self._location} cannot be read: the server answers {status}; check the address"
            )
        self._place()

    def _place(self) -> None:
        """Hold the answer against the one before, and go to the byte that is wanted next."""
        headers = self._response.headers
        mark = headers.get("ETag") or headers.get("Last-Modified")
        start, size = 0, _number(headers.get("Content-Length"))
        if self._response.status == 206:
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
            start, size = (int(found[1]), _number(found[2])) if found else (-1, None)
        if not self._started:
            # A weak mark (W/) does not promise the same bytes, so If-Range must not carry it.
            self._mark = mark if mark and not mark.startswith("W/") else None
            self._size, self._started = size, True
            if start:
                raise SourceError(f"{self._location} cannot be read: the server sends a part that nobody asked for")
            return
        changed = (self._mark and mark and mark != self._mark) or (
            None not in (size, self._size) and size != self._size
        )
        if changed or start not in (0, self._position):
            raise SourceError(f"{self._location} changed while it was read; run again")
        left = self._position - start
        while left:
            block = self._response.read1(min(left, 1 << 20))
            if not block:
                raise OSError(f"it ended {left:,} bytes before the place it broke off at")
            left -= len(block)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _words(error: Exception) -> str:
    """What an error of urllib3 says, without the objects it names."""
    reason = getattr(error, "reason", None) or error
    return re.sub(r"^<?[\w.]*(Connection|Pool)[^>]*>?: ", "", str(reason)).splitlines()[0][:200]
