"""The webhook: one POST of JSON per message.

Belongs here: the address, the token, and what an answer means. Does not belong here: connections and guards
(`bioscan_etl.io.web`).

The address is that of `alerts.webhook`, or of the environment variable `BIOSCAN_ALERTS_WEBHOOK`, which wins: chats
give addresses that let in everybody who has them, and settings.toml may be shared. `BIOSCAN_ALERTS_TOKEN` is sent as a
bearer token. No message of an error names more of the address than its host.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from urllib.parse import urlsplit

from bioscan_etl.alerts.channel import (
    CONNECT_SECONDS,
    READ_SECONDS,
    BrieflyUnsentError,
    Channel,
    UnsentError,
    persistent,
)
from bioscan_etl.alerts.message import Message
from bioscan_etl.io import web
from bioscan_etl.printable import printable
from bioscan_etl.settings import AlertSettings

ADDRESS, TOKEN = "BIOSCAN_ALERTS_WEBHOOK", "BIOSCAN_ALERTS_TOKEN"
_REDIRECTIONS = range(300, 400)
_SERVER_ERROR = 500
# After other failures, the server may have taken the message although its answer did not arrive.
_NOTHING_SENT: frozenset[web.Reason] = frozenset({"unreachable", "proxy"})
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def address_of(settings: AlertSettings) -> str:
    """The address to send to; empty for none."""
    return os.environ.get(ADDRESS, "").strip() or settings.webhook


def webhook_channel(settings: AlertSettings) -> Channel | None:
    """The webhook, if there is an address."""
    address = address_of(settings)
    return Channel("webhook", lambda message: persistent(lambda: _post(address, message))) if address else None


def _post(address: str, message: Message) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
    if token := os.environ.get(TOKEN, "").strip():
        headers["Authorization"] = f"Bearer {token}"
    host = _host(address)
    try:
        with web.post(
            address, message.document.encode(), headers, connect=CONNECT_SECONDS, read=READ_SECONDS
        ) as response:
            status, said, pause = response.status, web.said(response), web.asked_pause(response)
            response.close()  # what is in the body does not matter, and may be without end
    except web.WebError as error:
        kind = BrieflyUnsentError if error.reason in _NOTHING_SENT else UnsentError
        # The text about an address that is none quotes the address, with the secrets in it.
        why = "it is no web address" if error.reason == "address" else str(error)
        raise kind(f"the webhook at {host} cannot be reached: {why}; check alerts.webhook or {ADDRESS}") from None
    if 200 <= status < 300:
        return
    if status in _REDIRECTIONS:
        raise UnsentError(f"the webhook at {host} answers {said}; give the address that it leads to")
    if status in _BUSY or status >= _SERVER_ERROR:
        kind = BrieflyUnsentError if status in _BUSY and not pause else UnsentError
        raise kind(f"the webhook at {host} answers {said}; the alerts wait and are sent later")
    raise UnsentError(f"the webhook at {host} answers {said}; check its address and {TOKEN}")


def _host(address: str) -> str:
    try:
        return printable(urlsplit(address).netloc.rpartition("@")[2])[:100] or "no host"
    except ValueError:
        return "no host"
