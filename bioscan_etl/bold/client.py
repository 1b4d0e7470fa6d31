"""Requests to BOLD: paced, retried with growing pauses, and trusted only once they are read to the end.

Belongs here: HTTP, and which failures are worth another attempt. Does not belong here: what is asked for
(`terms`, `records`, `images`).

`bioscan_etl.io.web` makes the requests, tenacity repeats them and pyrate-limiter paces them. urllib3's own Retry was
weighed: it ends where the headers end, so it cannot repeat a body that broke off or an error page that came with
status 200, the two failures that matter here.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pyrate_limiter import Limiter, Rate
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

from bioscan_etl.errors import BioscanError
from bioscan_etl.io import web
from bioscan_etl.printable import printable
from bioscan_etl.settings import BoldSettings

T = TypeVar("T")

# An answer of the API is some kilobytes per hundred process IDs; a broken server may send without end.
_ANSWER_LIMIT = 64 << 20
_LOGGED_PAUSE = 5.0
_log = logging.getLogger("bioscan_etl")
_OK, _NOT_FOUND, _GONE, _TOO_MANY, _SERVER_ERROR = 200, 404, 410, 429, 500
_TEMPORARY = {408, 425, _TOO_MANY}


class BoldError(BioscanError):
    """BOLD could not be reached, or its answer cannot be used.

    Attributes:
        reason: a short code for tables: unreachable, server_error, rate_limited, refused, not_found, bad_answer, …
        status: HTTP status, if one caused the error.
    """

    def __init__(self, message: str, reason: str = "bad_answer", status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class TemporaryError(BoldError):
    """A failure that a retry may resolve; `pause` is the number of seconds that the server asked to wait."""

    def __init__(self, message: str, reason: str = "bad_answer", status: int | None = None, pause: float = 0.0) -> None:
        super().__init__(message, reason, status)
        self.pause = pause


class Client:
    """A connection to BOLD, to be used in a `with`; its methods may be called from several threads."""

    def __init__(self, settings: BoldSettings) -> None:
        self.settings = settings
        self._stopped = threading.Event()
        # One request per interval, no bursts; the buffer is what the library adds to each pause.
        self._limiter = Limiter(Rate(1, max(1, round(1000 / settings.requests_per_second))), buffer_ms=1)
        self._growing = wait_exponential_jitter(
            multiplier=settings.backoff_seconds, jitter=settings.backoff_seconds, max=settings.max_wait_seconds
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Begin no further attempt, and end all pauses between attempts."""
        self._stopped.set()

    def request(
        self,
        url: str,
        read: Callable[[web.Response], T],
        headers: Callable[[], Mapping[str, str]] = dict,
        also: Sequence[int] = (),
    ) -> T:
        """GET a URL and pass the answer to `read`; repeat until `read` returns.

        Args:
            url: the whole address.
            read: takes the streamed answer and reads its body; raises `TemporaryError` if another attempt
                is worth it. An attempt whose body breaks off is repeated, too.
            headers: called before each attempt.
            also: statuses besides 200 that are passed to `read`.

        Raises:
            BoldError: all attempts failed, or one failed in a way that no retry can fix.
        """

        def attempt() -> T:
            self._limiter.try_acquire("bold")
            timeout = self.settings.timeout_seconds
            try:
                with web.get(url, headers(), connect=timeout, read=timeout, decode=True) as response:
                    if response.status != _OK and response.status not in also:
                        raise self._failed(response, _host(url))
                    return read(response)
            except web.WebError as error:
                raise _broken(error, _host(url)) from None

        retrying = Retrying(
            retry=retry_if_exception_type(TemporaryError),
            stop=stop_any(stop_after_attempt(self.settings.attempts), stop_when_event_set(self._stopped)),
            wait=self._pause,
            sleep=sleep_using_event(self._stopped),
            before_sleep=_tell,
            reraise=True,
        )
        return retrying(attempt)

    def json(self, url: str, also: Sequence[int] = ()) -> tuple[int, Any]:
        """GET a URL that answers with JSON; returns the status and the document.

        Raises:
            BoldError: as `request`; an answer that is not a complete JSON document is a failed attempt, too.
        """

        def read(response: web.Response) -> tuple[int, Any]:
            refuse_page(response)
            body = b"".join(limited(response, _ANSWER_LIMIT))
            try:
                return response.status, json.loads(body)
            except (ValueError, RecursionError):
                raise TemporaryError(f"{_host(url)} answered with broken JSON ({len(body)} bytes)") from None

        return self.request(url, read, lambda: {"Accept": "application/json"}, also)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: the growing pause, or the longer one that the server asked for."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, TemporaryError) else 0.0
        return max(asked, float(self._growing(state)))

    def _failed(self, response: web.Response, host: str) -> BoldError:
        """The error for a status that is not a success."""
        status = response.status
        text = f"{host} answered {web.said(response)}" + _detail(response)
        if status not in _TEMPORARY and status < _SERVER_ERROR:
            reason = "not_found" if status in {_NOT_FOUND, _GONE} else "refused"
            return BoldError(f"{text}; this request will not succeed", reason, status)
        reason = "rate_limited" if status == _TOO_MANY else "server_error"
        pause = web.asked_pause(response)
        if pause > self.settings.max_wait_seconds:
            return BoldError(
                f"{text} and asks for a pause of {pause:.0f} s, longer than bold.max_wait_seconds; "
                "run the same command again after it",
                reason,
                status,
            )
        return TemporaryError(f"{text}; try again later", reason, status, pause)


def limited(response: web.Response, limit: int) -> Iterator[bytes]:
    """The pieces of a body, of at most `limit` bytes in all.

    Raises:
        BoldError: the body is longer (reason `too_large`).
    """
    size = 0
    for piece in web.pieces(response):
        size += len(piece)
        if size > limit:
            raise BoldError(f"BOLD sent more than {limit:,} bytes; not read further", "too_large")
        yield piece


def refuse_page(response: web.Response) -> None:
    """Refuse web pages: BOLD's notice that it is offline comes with status 200.

    Raises:
        TemporaryError: the answer says that it is HTML.
    """
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"}:
        raise TemporaryError("BOLD answered with a web page instead of data; it may be offline, try again later")


def _tell(state: RetryCallState) -> None:
    """Say why a request waits, where that takes longer than the pace of requests."""
    seconds = state.next_action.sleep if state.next_action else 0.0
    if seconds >= _LOGGED_PAUSE and state.outcome is not None:
        _log.warning("%s; trying again in %.0f s", state.outcome.exception(), seconds)


def _detail(response: web.Response) -> str:
    """The `detail` of a failed answer, if it is JSON and has one; in one short line."""
    try:
        body = next(web.pieces(response), b"")
        said = json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError, RecursionError, web.WebError):
        return ""
    text = " ".join((said if isinstance(said, str) else json.dumps(said)).split())
    return f" ({printable(text[:200])})"


def _broken(error: web.WebError, host: str) -> BoldError:
    """The error for a request that was not completed."""
    if error.reason not in _BREAKS:
        return BoldError(f"{host} cannot be asked ({error}); check the addresses in [bold] and the proxy")
    says, reason = _BREAKS[error.reason]
    return TemporaryError(says.format(host=host, error=error), reason)


# By kind of failure: the message, and the reason for tables.
_BREAKS: dict[web.Reason, tuple[str, str]] = {
    "certificate": (
        "the certificate of {host} cannot be trusted; check the clock, the proxy, SSL_CERT_FILE",
        "refused",
    ),
    "proxy": ("the proxy does not reach {host}; check HTTPS_PROXY", "unreachable"),
    "slow": ("{host}: {error}; try again later", "timeout"),
    "timeout": ("{host} is silent for longer than bold.timeout_seconds; try again later", "timeout"),
    "truncated": ("the connection to {host} broke off ({error}); run again to go on", "truncated"),
    "mismatch": ("{host}: {error}", "bad_answer"),
    "unreachable": ("{host} cannot be reached; check the network", "unreachable"),
}


def _host(url: str) -> str:
    """The host and port, without a name and password before them."""
    return urlsplit(url).netloc.rpartition("@")[2]
