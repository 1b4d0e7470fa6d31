"""Which hosts a server may lead to, and how long its headers may take; against real servers of this machine."""

import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.io import connections

PUBLIC = ["151.101.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
LOCAL = [
    *("127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "::1", "fd12:3456::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
]
NEVER = [
    *("169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1"),
    *("255.255.255.255", "240.0.0.1", "100.64.0.1", "192.0.2.1", "fd00:ec2::254", "::ffff:169.254.169.254"),
    "64:ff9b::a9fe:a9fe",
]


@pytest.mark.parametrize(
    ("address", "expected"),
    [(one, kind) for kind, some in (("public", PUBLIC), ("local", LOCAL), ("never", NEVER)) for one in some],
)
def test_the_kind_of_an_address(address, expected):
    assert connections.kind(address) == expected


@given(st.ip_addresses(v=4))
def test_an_address_is_of_the_same_kind_in_all_its_forms(address):
    assert connections.kind(f"::ffff:{address}") == connections.kind(str(address))
    assert connections.kind(f"64:ff9b::{address}") == connections.kind(str(address))


@contextmanager
def server(answer):
    """A server that says `answer` (a function of the connection) to each connection; yields its port and what came."""
    came = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve():
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(accepted,), daemon=True).start()

        def talk(accepted):
            with accepted:
                try:
                    came.append(accepted.recv(1 << 16))
                    answer(accepted)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], came


def fine(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")


NAMES_OF_THIS_MACHINE = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "[::ffff:127.0.0.1]"]


@pytest.mark.parametrize("host", NAMES_OF_THIS_MACHINE)
def test_a_public_server_cannot_lead_here_under_any_name(host):
    with server(fine) as (port, came):
        address = f"http://{host}:{port}/"
        with pytest.raises(connections.ForbiddenError, match="not on the public network"):
            connections.pool(None, "public").request("GET", address, retries=False)
        with pytest.raises(connections.ForbiddenError):
            connections.refuse_by_name(address, "public")
        time.sleep(0.05)
        assert b"".join(came) == b""  # nothing was sent
        for reach in ("local", "anywhere"):
            connections.refuse_by_name(address, reach)
            assert connections.pool(None, reach).request("GET", address, retries=False).data == b"body"


def test_no_server_may_lead_to_the_keys_of_a_machine():
    for reach in ("local", "public"):
        with pytest.raises(connections.ForbiddenError):
            connections.refuse_by_name("https://169.254.169.254/latest/meta-data", reach)


def test_only_a_server_of_this_network_may_lead_into_it():
    assert connections.reach_from("http://127.0.0.1:80/a") == "local"
    assert connections.reach_from("http://localhost/a") == "local"
    assert connections.reach_from("https://8.8.8.8/a") == "public"
    assert connections.reach_from("https://no.such.host.invalid/a") == "public"


def trickle(start, piece):
    def answer(connection):
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize(
    ("start", "piece"),
    [(b"HTTP/1.1 200 OK\r\nX: ", b"x"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"HTTP/1.1 200 ", b"O")],
)
def test_headers_that_come_byte_by_byte_do_not_come_for_ever(start, piece, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    with server(trickle(start, piece)) as (port, _):
        began = time.monotonic()
        with pytest.raises((urllib3.exceptions.HTTPError, OSError)):
            connections.pool(None, "anywhere").request("GET", f"http://127.0.0.1:{port}/", retries=False, timeout=10)
        assert time.monotonic() - began < 5
