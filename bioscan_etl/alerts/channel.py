"""What a way to send messages is, and when a failed attempt is repeated.

Belongs here: the channel, its error, and the repetition. Does not belong here: the protocols (`webhook`, `mail`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from bioscan_etl.alerts.message import Message
from bioscan_etl.errors import BioscanError

CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
_ATTEMPTS = 3  # at once; after longer outages the next round sends what waits
_PAUSE_SECONDS, _LONGEST_PAUSE = 0.2, 2.0


class UnsentError(BioscanError):
    """A message could not be sent; the next round tries again."""


class BrieflyUnsentError(UnsentError):
    """The same attempt may succeed at once, and certainly sent nothing the first time."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to send messages: its name in the ledger, and the function that sends one or raises `UnsentError`."""

    name: str
    send: Callable[[Message], None]


def persistent(send: Callable[[], None]) -> None:
    """Send, repeating attempts that certainly sent nothing.

    Raises:
        UnsentError: no attempt succeeded.
    """
    tries = Retrying(
        retry=retry_if_exception_type(BrieflyUnsentError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=_PAUSE_SECONDS, jitter=_PAUSE_SECONDS, max=_LONGEST_PAUSE),
        reraise=True,
    )
    tries(send)
