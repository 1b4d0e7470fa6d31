"""Which requests a local server answers: only those of its own pages, and of local tools.

A server without a log-in answers anyone who can reach it: any page open in a browser on this machine could start work
or save decisions through it. Belongs here: the guard and the ASGI app behind it. Does not belong here: the servers
(`bioscan_etl.definitions.server`, `bioscan_etl.desk.server`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from bioscan_etl.ui.plan import host_name

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://(.+)")
_log = logging.getLogger("bioscan_etl.ui")


class Guard:
    """Decides which requests the UI answers.

    Args:
        host: the address that the server is bound to.
        port: the port that it serves.
        allow_hosts: additional host names of the UI. They may belong to a proxy or an SSH tunnel, so
            they are accepted with any port; local names are accepted only with the served port. For a tunnel from
            another port of the user's machine, allow `localhost` by name.
        command: the command that serves, for the advice in a refusal.
    """

    def __init__(self, host: str, port: int, allow_hosts: Iterable[str] = (), command: str = "bioscan-etl ui") -> None:
        self.port = port
        self.command = command
        self.own = LOCAL_NAMES | {host_name(host)}
        self.anywhere = frozenset(host_name(name) for name in allow_hosts)

    def refusal(self, scope: _Scope) -> str | None:
        """Why a request (an ASGI scope of HTTP or a websocket) is not answered, in one line; None where it is."""
        return self._of_host(scope) or self._of_origin(scope) or self._of_site(scope) or _of_graphql(scope)

    def _allows(self, name: str, port: int | None) -> bool:
        name = name.lower().rstrip(".")
        return name in self.anywhere or (name in self.own and port in (None, self.port))

    def _of_host(self, scope: _Scope) -> str | None:
        # A page whose name resolves to this machine (DNS rebinding) has its own origin; only its Host reveals it.
        hosts = _values(scope, b"host")
        match = _AUTHORITY.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is None:
            return "refused: the request names no single valid Host"
        if self._allows(match[1], int(match[2]) if match[2] else None):
            return None
        return f"refused: the UI does not go by {match[0]}; start it with: {self.command} --allow-host {match[1]}"

    def _of_origin(self, scope: _Scope) -> str | None:
        for origin in _values(scope, b"origin"):
            match = _ORIGIN.fullmatch(origin)
            authority = _AUTHORITY.fullmatch(match[2]) if match else None
            if match is None or authority is None:
                return "refused: the request comes from a page that is not the UI; open the UI itself"
            port = int(authority[2]) if authority[2] else {"http": 80, "https": 443}[match[1]]
            if not self._allows(authority[1], port):
                return (
                    f"refused: the request comes from a page of {authority[0]}, not of the UI; if a proxy or a tunnel "
                    f"serves the UI there, start it with: {self.command} --allow-host {authority[1]}"
                )
        return None

    def _of_site(self, scope: _Scope) -> str | None:
        # Another port of localhost is the same site, but not the same origin: a notebook server's page, for one.
        if all(site in ("same-origin", "none") for site in _values(scope, b"sec-fetch-site")):
            return None
        followed_link = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and _values(scope, b"sec-fetch-mode") == ["navigate"]
            and _values(scope, b"sec-fetch-dest") in ([], ["document"])
            and _path(scope) != "/graphql"
        )
        return None if followed_link else "refused: a page of another site requests this; open the UI itself"


def _of_graphql(scope: _Scope) -> str | None:
    if scope["type"] != "http" or _path(scope) != "/graphql":
        return None
    if scope["method"] in ("GET", "HEAD"):
        # An image's address can send a GET; Dagster would execute mutations in it.
        if "query" in parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True):
            return "refused: send GraphQL by POST as application/json, not in the address"
        return None
    # Forms and plain text can be posted from any page without a preflight request; JSON cannot. The UI sends only JSON.
    kinds = [value.split(";")[0].strip().lower() for value in _values(scope, b"content-type")]
    if scope["method"] == "POST" and kinds != ["application/json"]:
        return "refused: send GraphQL as application/json"
    return None


def _values(scope: _Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == name]


def _path(scope: _Scope) -> str:
    path: str = scope["path"]
    return path.rstrip("/")


def guarded(app: App, guard: Guard, headers: Sequence[tuple[bytes, bytes]] = ()) -> App:
    """The ASGI app behind the guard: refused requests get 403 and one line, and never reach the app.

    Args:
        app: the app.
        guard: which requests it answers.
        headers: added to every answer.
    """

    async def serve(scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return

        async def send_with_headers(message: _Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        reason = guard.refusal(scope)
        if reason is None:
            await app(scope, receive, send_with_headers)
            return
        _log.warning("%s %r: %s", scope.get("method", "websocket"), scope["path"], reason)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})  # before the handshake: a 403
            return
        body = f"{reason}\n".encode()
        own = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send_with_headers({"type": "http.response.start", "status": 403, "headers": own})
        await send({"type": "http.response.body", "body": body})

    return serve
