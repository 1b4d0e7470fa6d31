"""HTTP: one pool of connections, single requests, and what their answers state about the file.

Belongs here: asking once, and why it failed. Does not belong here: asking again, which depends on who asks
(`bioscan_etl.io.read` for files, `bioscan_etl.bold.client` for BOLD).

Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Certificates are checked against the system's list, or that
of SSL_CERT_FILE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from bioscan_etl import __version__

if TYPE_CHECKING:
    import urllib3

Response: TypeAlias = "urllib3.BaseHTTPResponse"
"""An answer, its body unread."""

PIECE = 1 << 16
"""Bytes read from a body at a time."""

_REDIRECTS = 5
_CONNECTIONS = 16  # kept open per host
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

Reason = Literal["certificate", "proxy", "unreachable", "timeout", "truncated", "address", "busy", "mismatch"]


class WebError(Exception):
    """A request that failed; the message is what the library or the server reports, in one line.

    Attributes:
        reason: `address` if no repetition helps; `truncated` if the body broke off; `busy` if the server asks to
            retry later; `mismatch` if the bytes do not continue those before.
        pause: seconds that the server asks to wait.
    """

    def __init__(self, message: str, reason: Reason, pause: float = 0.0) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Extent:
    """Which bytes of which version of a file an answer holds.

    Attributes:
        start: the first byte; None if the answer does not state it.
        size: bytes of the whole file; None if unknown.
        version: ETag or date that changes with the bytes, as If-Range takes it; None if there is none to rely on.
    """

    start: int | None
    size: int | None
    version: str | None


def get(address: str, headers: Mapping[str, str], *, connect: float, read: float, decode: bool = False) -> Response:
    """GET an address once; redirections are followed. The body is unread, the status unchecked.

    Args:
        address: http or https.
        headers: beside the User-Agent. The body comes unpacked: positions in a packed one are not those of the file.
        connect: seconds to wait for the connection.
        read: seconds to wait for each piece of the answer.
        decode: unpack a body that the server packs nevertheless.

    Raises:
        WebError: there is no answer.
    """
    import urllib3

    with _failures("unreachable"):
        return _pool(_proxy(address)).request(
            "GET",
            address,
            headers={
                "User-Agent": f"bioscan-etl/{__version__}",  # BOLD refuses the names of libraries
                "Accept-Encoding": "identity",
                **headers,
            },
            preload_content=False,
            decode_content=decode,
            retries=urllib3.Retry(
                total=None, connect=0, read=0, other=0, status=0, redirect=_REDIRECTS, respect_retry_after_header=False
            ),
            timeout=urllib3.Timeout(connect=connect, read=read),
        )


def read_piece(response: Response, size: int) -> bytes:
    """What has arrived of a body, at most `size` bytes; empty at its end.

    Raises:
        WebError: the body broke off.
    """
    with _failures("truncated"):
        return response.read1(size)


def pieces(response: Response) -> Iterator[bytes]:
    """A body, piece by piece.

    Raises:
        WebError: the body broke off.
    """
    while piece := read_piece(response, PIECE):
        yield piece


def extent(response: Response) -> Extent:
    """Which bytes of which version of the file an answer holds."""
    headers = response.headers
    tag = headers.get("ETag", "")
    # A weak tag (W/) does not promise the same bytes.
    version = tag if tag.startswith('"') else headers.get("Last-Modified")
    if response.status in {206, 416}:
        return Extent(*content_range(headers.get("Content-Range", "")), version)
    return Extent(0, _number(headers.get("Content-Length")), version)


def content_range(text: str) -> tuple[int | None, int | None]:
    """The first byte and the whole size that a Content-Range names; None if it does not.

    Example:
        >>> content_range("bytes 100-199/300")
        (100, 300)
        >>> content_range("bytes */300")
        (None, 300)
    """
    found = _CONTENT_RANGE.fullmatch(text.strip())
    return (_number(found[1]), _number(found[2])) if found else (None, None)


def asked_pause(response: Response) -> float:
    """Seconds of an answer's Retry-After, which may also be a date; 0 if it has none or an unreadable one."""
    import urllib3

    value = response.headers.get("Retry-After")
    if value is None:
        return 0.0
    try:
        return max(0.0, float(urllib3.Retry().parse_retry_after(value)))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


def one_line(error: BaseException) -> str:
    """The message of an error of urllib3, in one line and without the objects it names."""
    reason = getattr(error, "reason", None) or error
    text = re.sub(r"^<?[\w.]*(Connection|Pool)[^>]*>?: ", "", str(reason))
    return (text.splitlines() or [type(reason).__name__])[0][:200]


@contextmanager
def _failures(broken: Reason) -> Iterator[None]:
    """Turn what urllib3 raises into a `WebError`; `broken` is the reason for a connection that ends early."""
    from urllib3 import exceptions as e

    try:
        yield
    except (e.HTTPError, OSError, ValueError) as error:  # ValueError: not a valid address
        cause = (error.reason or error) if isinstance(error, e.MaxRetryError) else error
        # Narrower kinds first: a refused connection is a kind of timeout to urllib3.
        kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Reason], ...] = (
            (e.ProxyError, "proxy"),
            (e.SSLError, "certificate"),
            (e.NewConnectionError, "unreachable"),
            (e.TimeoutError, "timeout"),
            ((e.ProtocolError, e.IncompleteRead, e.DecodeError, OSError), broken),
        )
        reason: Reason = next((reason for kind, reason in kinds if isinstance(cause, kind)), "address")
        raise WebError(one_line(cause), reason) from None


@cache
def _pool(proxy: str | None) -> urllib3.PoolManager:
    import urllib3

    if proxy is None:
        return urllib3.PoolManager(maxsize=_CONNECTIONS)
    auth = urllib3.util.parse_url(proxy).auth
    headers = urllib3.util.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
    return urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, proxy_headers=headers)


def _proxy(address: str) -> str | None:
    """The proxy that the environment names for an address."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(address)
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return found if "://" in found else f"http://{found}"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
