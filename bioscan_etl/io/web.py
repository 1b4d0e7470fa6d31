"""HTTP: single requests, redirections, and what the answers state about the file.

Belongs here: asking once, and why it failed. Does not belong here: connections and which hosts a server may send us to
(`bioscan_etl.io.connections`); asking again, which depends on who asks (`bioscan_etl.io.read` for files,
`bioscan_etl.bold.client` for BOLD).

A server is not obeyed beyond its file. Redirections lead to the same host or to https, never to another network than
the user's own address (`connections`). Headers have `HEAD_SECONDS` to arrive, a body has a slowest rate and a largest
size, and no text of a server gets into a message unless it can be printed.

Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Certificates are checked against the system's list, or that
of SSL_CERT_FILE.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from bioscan_etl import __version__
from bioscan_etl.io import connections
from bioscan_etl.io.locations import reveal

if TYPE_CHECKING:
    import urllib3

Response: TypeAlias = "urllib3.BaseHTTPResponse"
"""An answer, its body unread."""

PIECE = 1 << 16
"""Bytes read from a body at a time."""

SLOWEST_RATE, RATE_SECONDS = 1024, 60.0
"""Bytes per second that a body has at least, over how many seconds of waiting for it."""

LARGEST_BODY = 1 << 40
"""Bytes of the largest body that is read; a whole snapshot of BOLD has some 10 GB."""

_REDIRECTS = 5
_REDIRECTED = {301, 302, 303, 307, 308}
_PRIVATE_HEADERS = {"authorization", "cookie"}
_DIGITS = 19  # of 2**63
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

Reason = Literal["certificate", "proxy", "unreachable", "timeout", "slow", "truncated", "address", "busy", "mismatch"]


class WebError(Exception):
    """A request that failed; the message is what the library or the server reports, in one line.

    Attributes:
        reason: `address` if no repetition helps; `slow` if none helps now; `truncated` if the body broke off; `busy`
            if the server asks to retry later; `mismatch` if the bytes do not continue those before.
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
    """GET an address once; redirections are followed as far as a server may send us. The body is unread.

    Args:
        address: http or https, whole or as `locations.hide` returned it. A name and a password before the host are
            sent to this host alone.
        headers: beside the User-Agent. The body comes unpacked: positions in a packed one are not those of the file.
        connect: seconds to wait for the connection.
        read: seconds to wait for each piece of the answer.
        decode: unpack a body that the server packs nevertheless.

    Raises:
        WebError: there is no answer, or it leads where it may not.
    """
    whole = reveal(address)
    if whole is None:
        raise WebError("its password or signature is not stored; give the whole address again", "address")
    given = _Given.of(whole, headers)
    at, reach = given.address, connections.ANYWHERE
    for _ in range(_REDIRECTS + 1):
        response = _ask(at, given.headers_for(at), reach, (connect, read), decode)
        target = response.headers.get("Location")
        if response.status not in _REDIRECTED or not target:
            return response
        response.close()
        at = _redirected(at, target)
        reach = connections.reach_from(given.address) if _origin(at) != _origin(given.address) else reach
    raise WebError(f"it is redirected more than {_REDIRECTS} times", "address")


def post(address: str, body: bytes, headers: Mapping[str, str], *, connect: float, read: float) -> Response:
    """POST a body once. The body of the answer is unread, and a redirection is an answer like any other.

    Following one would send the body, or nothing, to a host that the user did not name.

    Args:
        address: as for `get`.
        body: what is sent.
        headers: beside the User-Agent.
        connect: seconds to wait for the connection.
        read: seconds to wait for each piece of the answer.

    Raises:
        WebError: there is no answer. If the reason is `unreachable` or `proxy`, nothing was sent.
    """
    whole = reveal(address)
    if whole is None:
        raise WebError("its password or signature is not stored; give the whole address again", "address")
    given = _Given.of(whole, headers)
    # `truncated`: a connection that breaks after it was made may have taken the body.
    return _ask(
        given.address, given.headers, connections.ANYWHERE, (connect, read), decode=False, body=body, broken="truncated"
    )


@dataclass(frozen=True, slots=True)
class _Given:
    """What a request was given: the address without name and password, and its headers."""

    address: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, address: str, headers: Mapping[str, str]) -> _Given:
        import urllib3

        with _failures("address"):
            parts = urlsplit(address)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise WebError("it is no http or https address", "address")
            _ = parts.port  # ValueError if it is none
        user, at, host = parts.netloc.rpartition("@")
        # BOLD refuses the names of libraries.
        own = {"User-Agent": f"bioscan-etl/{__version__}", "Accept-Encoding": "identity", **headers}
        if at:
            own |= urllib3.util.make_headers(basic_auth=unquote(user)).items()
        return cls(urlunsplit(parts._replace(netloc=host, fragment="")), own)

    def headers_for(self, address: str) -> dict[str, str]:
        """The headers for an address; another host than the given one learns no secret."""
        same = _origin(address) == _origin(self.address)
        return {name: text for name, text in self.headers.items() if same or name.lower() not in _PRIVATE_HEADERS}


def _ask(
    address: str,
    headers: Mapping[str, str],
    reach: connections.Reach,
    timeout: tuple[float, float],
    decode: bool,
    *,
    body: bytes | None = None,
    broken: Reason = "unreachable",
) -> Response:
    import urllib3

    connect, read = timeout
    proxy = _proxy(address)
    with _failures(broken):
        if reach != connections.ANYWHERE:
            connections.refuse_by_name(address, reach)
        return connections.pool(proxy, reach).request(
            "GET" if body is None else "POST",
            address,
            body=body,
            headers=headers,
            redirect=False,
            preload_content=False,
            decode_content=decode,
            retries=False,
            timeout=urllib3.Timeout(connect=connect, read=read),
        )


def _redirected(at: str, target: str) -> str:
    """The address to which an answer leads.

    Raises:
        WebError: it may not lead there.
    """
    with _failures("address"):
        address = urljoin(at, target)
        parts = urlsplit(address)
        _ = parts.port
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WebError("it is redirected to what is no web address", "address")
    if parts.scheme == "http" and (at.lower().startswith("https:") or parts.hostname != urlsplit(at).hostname):
        raise WebError(f"it is redirected to {_shown_host(address)} without encryption", "address")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _shown_host(address: str) -> str:
    return one_line(ValueError(urlsplit(address).hostname or ""))


def read_piece(response: Response, size: int) -> bytes:
    """What has arrived of a body, at most `size` bytes; empty at its end.

    Raises:
        WebError: the body broke off, comes too slowly, or does not end.
    """
    pace = _paces(response)
    began = time.monotonic()
    with _failures("truncated"):
        piece: bytes = response.read1(size)
    pace.note(len(piece), time.monotonic() - began)
    return piece


class _Pace:
    """How quickly and how long a body comes; the time that its reader takes between two pieces does not count."""

    def __init__(self) -> None:
        self._total = self._bytes = 0
        self._waited = 0.0

    def note(self, size: int, seconds: float) -> None:
        """Count a piece.

        Raises:
            WebError: it is too slow, or too much.
        """
        self._total += size
        self._bytes += size
        self._waited += seconds
        if self._total > LARGEST_BODY:
            raise WebError(f"the server sends more than {LARGEST_BODY:,} bytes", "address")
        if size and self._waited >= RATE_SECONDS:
            rate = self._bytes / self._waited
            if rate < SLOWEST_RATE:
                raise WebError(f"the server sends {rate:,.0f} bytes a second, fewer than {SLOWEST_RATE:,}", "slow")
            self._bytes, self._waited = 0, 0.0


def _paces(response: Response) -> _Pace:
    """The pace of an answer; it is kept with the answer."""
    pace: _Pace | None = getattr(response, "bioscan_pace", None)
    if pace is None:
        pace = _Pace()
        response.bioscan_pace = pace  # type: ignore[attr-defined]
    return pace


def pieces(response: Response) -> Iterator[bytes]:
    """A body, piece by piece.

    Raises:
        WebError: the body broke off, comes too slowly, or does not end.
    """
    while piece := read_piece(response, PIECE):
        yield piece


def said(response: Response) -> str:
    """What an answer's status says, in the words of the standard: those of a server may be anything.

    Example:
        >>> import urllib3
        >>> said(urllib3.HTTPResponse(status=503, reason="you have won"))
        '503 Service Unavailable'
    """
    try:
        return f"{response.status} {HTTPStatus(response.status).phrase}"
    except ValueError:
        return str(response.status)


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
    line = (text.splitlines() or [type(reason).__name__])[0][:200]
    # Parts of what the server sent may be in it.
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)


@contextmanager
def _failures(broken: Reason) -> Iterator[None]:
    """Turn what urllib3 raises into a `WebError`; `broken` is the reason for a connection that ends early."""
    from urllib3 import exceptions as e

    try:
        yield
    except connections.ForbiddenError as error:
        raise WebError(str(error), "address") from None
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
    # More digits than any file has bytes are refused: Python, too, refuses to read thousands of them.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < _DIGITS else None
