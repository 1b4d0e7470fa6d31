"""Requests to BOLD: paced, retried with growing pauses, and never believed before they are read to the end.

Belongs here: HTTP, and which failures are worth another attempt. Does not belong here: what is asked for
(`terms`, `records`, `images`).

tenacity runs the attempts and pyrate-limiter the pace. urllib3's own Retry was weighed first, being there
already: it ends where the headers end, so it cannot repeat a body that broke off or an error page that came
with status 200, the two failures that matter here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from pyrate_limiter import Limiter, Rate
from requests.adapters import HTTPAdapter
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_exponential_jitter,
)
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from bioscan_etl import __version__
from bioscan_etl.errors import BioscanError
from bioscan_etl.settings import BoldSettings

T = TypeVar("T")

# Small enough that a cut connection loses little: what a read had gathered when it broke is gone.
PIECE = 1 << 16
# An answer of the API is some kilobytes per hundred process IDs; a broken server may send without end.
_ANSWER_LIMIT = 64 << 20
_TOO_EARLY, _TOO_MANY = 425, 429
_TEMPORARY = {requests.codes.request_timeout, _TOO_EARLY, _TOO_MANY}
_REDIRECTS = 5


class BoldError(BioscanError):
    """BOLD could not be asked, or what it answered is of no use.

    Attributes:
        reason: a word for tables: unreachable, server_error, rate_limited, refused, not_found, bad_answer, …
        status: HTTP status, where one decided.
    """

    def __init__(self, message: str, reason: str = "bad_answer", status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class TemporaryError(BoldError):
    """A failure that another attempt may not meet; `pause` is how many seconds the server asked to wait."""

    def __init__(self, message: str, reason: str = "bad_answer", status: int | None = None, pause: float = 0.0) -> None:
        super().__init__(message, reason, status)
        self.pause = pause


class Client:
    """A connection to BOLD, to be used in a `with`; its methods may be called from several threads."""

    def __init__(self, settings: BoldSettings) -> None:
        self.settings = settings
        self._stopped = threading.Event()
        self._sessions = threading.local()
        self._opened: list[requests.Session] = []
        # One request per interval, no bursts; the buffer is what the library adds to each pause.
        self._limiter = Limiter(Rate(1, max(1, round(1000 / settings.requests_per_second))), buffer_ms=1)
        self._growing = wait_exponential_jitter(
            multiplier=settings.backoff_seconds, jitter=settings.backoff_seconds, max=settings.max_wait_seconds
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for session in self._opened:
            session.close()

    def stop(self) -> None:
        """Begin no further attempt, and end all pauses between attempts."""
        self._stopped.set()

    def request(
        self,
        url: str,
        read: Callable[[requests.Response], T],
        headers: Callable[[], Mapping[str, str]] = dict,
        also: Sequence[int] = (),
    ) -> T:
        """GET a URL and hand the answer to `read`, again and again until that returns.

        Args:
            url: the whole address.
            read: takes the streamed answer and reads its body; raises `TemporaryError` where another attempt
                is worth it. An attempt whose body breaks off is repeated too.
            headers: asked before each attempt.
            also: statuses beside 200 that go to `read`.

        Raises:
            BoldError: all attempts failed, or one in a way that no repetition mends.
        """

        def attempt() -> T:
            self._limiter.try_acquire("bold")
            try:
                with self._session().get(
                    url, headers=dict(headers()), stream=True, timeout=self.settings.timeout_seconds
                ) as response:
                    if response.status_code != requests.codes.ok and response.status_code not in also:
                        raise self._failed(response)
                    return read(response)
            except requests.RequestException as error:
                raise _broken(error, _host(url)) from None

        retrying = Retrying(
            retry=retry_if_exception_type(TemporaryError),
            stop=stop_any(stop_after_attempt(self.settings.attempts), stop_when_event_set(self._stopped)),
            wait=self._pause,
            sleep=sleep_using_event(self._stopped),
            reraise=True,
        )
        return retrying(attempt)

    def json(self, url: str, also: Sequence[int] = ()) -> tuple[int, Any]:
        """GET a URL that answers with JSON; returns the status and the document.

        Raises:
            BoldError: as `request`; an answer that is no whole JSON document is one more failed attempt.
        """

        def read(response: requests.Response) -> tuple[int, Any]:
            refuse_page(response)
            body = b"".join(limited(response, _ANSWER_LIMIT))
            try:
                return response.status_code, json.loads(body)
            except (ValueError, RecursionError):
                raise TemporaryError(f"{_host(url)} answered with broken JSON ({len(body)} bytes)") from None

        return self.request(url, read, lambda: {"Accept": "application/json"}, also)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: the growing pause, or the longer one that the server asked for."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, TemporaryError) else 0.0
        return max(asked, float(self._growing(state)))

    def _session(self) -> requests.Session:
        # requests does not promise that a session may be shared by threads.
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = requests.Session()
            session.max_redirects = _REDIRECTS
            # The portal refuses the names that libraries give themselves.
            session.headers["User-Agent"] = f"bioscan-etl/{__version__}"
            # Compressed, the positions of a resumed body would not be the file's.
            session.headers["Accept-Encoding"] = "identity"
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=0))
            self._sessions.session = session
            self._opened.append(session)
        return session

    def _failed(self, response: requests.Response) -> BoldError:
        """The error for a status that is no success."""
        status, host = response.status_code, _host(response.url)
        text = f"{host} answered {status} {response.reason or ''}".rstrip() + _detail(response)
        if status not in _TEMPORARY and status < requests.codes.internal_server_error:
            reasons = {requests.codes.not_found: "not_found", requests.codes.gone: "not_found"}
            return BoldError(f"{text}; this request will not succeed", reasons.get(status, "refused"), status)
        reason = "rate_limited" if status == _TOO_MANY else "server_error"
        pause = _asked_pause(response.headers.get("Retry-After"))
        if pause > self.settings.max_wait_seconds:
            return BoldError(
                f"{text} and asks for a pause of {pause:.0f} s, longer than bold.max_wait_seconds; "
                "run the same command again after it",
                reason,
                status,
            )
        return TemporaryError(f"{text}; try again later", reason, status, pause)


def limited(response: requests.Response, limit: int) -> Iterator[bytes]:
    """The pieces of a body, of at most `limit` bytes in all.

    Raises:
        BoldError: the body is longer (reason `too_large`).
    """
    size = 0
    for piece in response.iter_content(PIECE):
        size += len(piece)
        if size > limit:
            raise BoldError(f"{_host(response.url)} sent more than {limit:,} bytes; not read further", "too_large")
        yield piece


def refuse_page(response: requests.Response) -> None:
    """Refuse web pages: BOLD's notice that it is offline comes with status 200.

    Raises:
        TemporaryError: the answer says that it is HTML.
    """
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"}:
        raise TemporaryError(
            f"{_host(response.url)} answered with a web page instead of data; BOLD may be offline, try again later"
        )


def _asked_pause(value: str | None) -> float:
    """Seconds of a Retry-After header, which may also be a date; 0 where there is none that can be read."""
    if value is None:
        return 0.0
    try:
        return max(0.0, float(Retry().parse_retry_after(value)))
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0


def _detail(response: requests.Response) -> str:
    """What an answer says of its failure, where it is JSON with a `detail`; in one short line."""
    try:
        body = next(response.iter_content(PIECE), b"")
        said = json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError, RecursionError, requests.RequestException):
        return ""
    text = " ".join((said if isinstance(said, str) else json.dumps(said)).split())
    return f" ({text[:200]})"


def _broken(error: requests.RequestException, host: str) -> BoldError:
    """The error for a request that did not come to its end; without the library's text, which names objects."""
    # A silence in the middle of a body comes as a ConnectionError of that text.
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return TemporaryError(f"{host} is silent for longer than bold.timeout_seconds; try again later", "timeout")
    for kinds, says, reason in _BREAKS:
        if isinstance(error, kinds):
            return TemporaryError(says.format(host), reason)
    return BoldError(f"{host} cannot be asked ({type(error).__name__}); check the addresses in [bold] and the proxy")


# Narrower kinds first: a ProxyError is a ConnectionError too.
_BREAKS: tuple[tuple[tuple[type[requests.RequestException], ...], str, str], ...] = (
    (
        (requests.exceptions.SSLError,),
        "the certificate of {} cannot be trusted; check clock and proxy",
        "refused",
    ),
    ((requests.exceptions.ProxyError,), "the proxy does not reach {}; check HTTPS_PROXY", "unreachable"),
    (
        (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError),
        "the connection to {} broke off; run again to go on",
        "truncated",
    ),
    ((requests.ConnectionError,), "{} cannot be reached; check the network", "unreachable"),
)


def _host(url: str) -> str:
    return urlsplit(url).netloc
