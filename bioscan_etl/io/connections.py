"""Connections to web servers: a pool for each kind of host that a request may reach.

Belongs here: which addresses a redirection may lead to, and for how long a server may take for its headers. Does not
belong here: what is asked (`bioscan_etl.io.web`).

The check is made twice: on the addresses of the name, and on that of the open connection before anything is sent. A
name may resolve to another address at the next moment (DNS rebinding), and `2130706433` or `0x7f.1` are names of
127.0.0.1 as well. With a proxy the connection leads to the proxy, so that only the name can be checked.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import urllib3

Reach: TypeAlias = Literal["anywhere", "local", "public"]
"""Hosts that a request may reach: any (the user names it), those of this network and public ones, public ones only."""

Kind: TypeAlias = Literal["public", "local", "never"]

ANYWHERE: Reach = "anywhere"

HEAD_SECONDS = 120.0
"""Seconds that an answer's headers may take; each wait for a piece of them has the request's own limit."""

_CONNECTIONS = 16  # kept open per host
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OF_THIS_NETWORK = [
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
]
_METADATA = ipaddress.ip_address("fd00:ec2::254")  # of Amazon's instances; others' are link-local

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenError(Exception):
    """A redirection leads to a host that it may not reach; the message names the host."""


def kind(address: str) -> Kind:
    """The network of an IP address: public, local, or one to which no redirection may lead.

    `never`: link-local addresses (a cloud serves a machine's credentials there), multicast and reserved ones.

    Example:
        >>> [kind(one) for one in ("151.101.1.1", "::ffff:10.0.0.1", "169.254.169.254")]
        ['public', 'local', 'never']
    """
    found = _inner(ipaddress.ip_address(address.partition("%")[0]))
    if found == _METADATA:
        return "never"
    if any(found in network for network in _OF_THIS_NETWORK if network.version == found.version):
        return "local"
    return "public" if found.is_global and not found.is_multicast else "never"


def _inner(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address contains (mapped, 6to4 or NAT64); otherwise the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def reach_from(address: str) -> Reach:
    """Which hosts the server of an address may redirect to: local ones only if the server itself is local."""
    return "local" if _kinds(urlsplit(address).hostname or "") == {"local"} else "public"


def refuse_by_name(address: str, reach: Reach) -> None:
    """Refuse an address if its host name resolves to a forbidden one; a name that only a proxy can resolve passes.

    Raises:
        ForbiddenError: requests of this reach may not go there.
    """
    host = urlsplit(address).hostname or ""
    for found in _kinds(host):
        _refuse(host, found, reach)


def _kinds(host: str) -> set[Kind]:
    """The kinds of a host's addresses."""
    with suppress(ValueError):
        return {kind(host)}
    try:
        return {kind(str(entry[4][0])) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


def _refuse(host: str, found: Kind, reach: Reach) -> None:
    if reach != "anywhere" and found != "public" and (reach, found) != ("local", "local"):
        raise ForbiddenError(f"it is redirected to {_printed(host)}, which is not on the public network")


def _printed(host: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in host)[:100]


@contextmanager
def _within(seconds: float, sock: socket.socket) -> Iterator[None]:
    """End a connection that is not done in time: a byte now and then would keep each single wait short."""
    late = threading.Event()

    def end() -> None:
        late.set()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late.is_set():  # whatever came of the headers that were cut off, even an answer
            raise TimeoutError(f"no headers within {seconds:,.0f} s") from None


@cache
def pool(proxy: str | None, reach: Reach) -> urllib3.PoolManager:
    """The connections to hosts of a kind, through a proxy or not; a ForbiddenError comes from its requests."""
    import urllib3
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Guarded:
        """Checks the address of the peer before anything is sent, and limits the time for the headers."""

        host: str
        sock: socket.socket

        def _new_conn(self) -> socket.socket:
            sock: socket.socket = super()._new_conn()  # type: ignore[misc]
            try:
                if proxy is None:
                    _refuse(self.host, kind(sock.getpeername()[0]), reach)
            except BaseException:
                sock.close()
                raise
            return sock

        def getresponse(self) -> Any:
            with _within(HEAD_SECONDS, self.sock):
                return super().getresponse()  # type: ignore[misc]

    class GuardedHttp(Guarded, HTTPConnection):
        pass

    class GuardedHttps(Guarded, HTTPSConnection):
        pass

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = GuardedHttp

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = GuardedHttps

    if proxy is None:
        manager = urllib3.PoolManager(maxsize=_CONNECTIONS)
    else:
        auth = urllib3.util.parse_url(proxy).auth
        headers = urllib3.util.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        manager = urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, proxy_headers=headers)
    manager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
    return manager
