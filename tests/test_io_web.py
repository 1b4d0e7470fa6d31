"""Single requests: what fails and why, proxies of the environment, and what an answer says of the file."""

import gzip
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from bioscan_etl.io import web


class Server(ThreadingHTTPServer):
    """Answers as `answer` says: status, headers, body; notes what it is asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = (200, {}, b"body")
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = "Content-Length" in headers


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    running = Server()
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def get(address, headers=None, **options):
    return web.get(address, headers or {}, connect=2, read=2, **options)


def test_a_body_comes_in_pieces_as_it_lies_on_the_server(server):
    with get(f"{server.url}/x?y=1", {"Accept": "image/jpeg"}) as response:
        assert b"".join(web.pieces(response)) == b"body"
    path, headers = server.asked[0]
    assert path == "/x?y=1"
    assert headers["Accept"] == "image/jpeg"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("bioscan-etl/")


def test_a_body_that_breaks_off_is_truncated(server):
    server.answer = (200, {"Content-Length": "100"}, b"half")
    with get(server.url) as response, pytest.raises(web.WebError) as caught:
        list(web.pieces(response))
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize(("status", "location"), [(302, "/again"), (301, "ftp://elsewhere/x")])
def test_a_redirection_that_leads_nowhere_is_not_repeated(server, status, location):
    server.answer = (status, {"Location": location}, b"")
    with pytest.raises(web.WebError) as caught:
        get(server.url)
    assert caught.value.reason == "address"


def test_what_no_server_answers():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        for url, reason in ((f"http://{address}", "unreachable"), ("http://[bad", "address")):
            with pytest.raises(web.WebError) as caught:
                get(url)
            assert caught.value.reason == reason
            assert "\n" not in str(caught.value)
            assert "object at" not in str(caught.value)


def test_a_server_that_speaks_no_tls_has_no_certificate(server):
    with pytest.raises(web.WebError) as caught:
        get(server.url.replace("http:", "https:"))
    assert caught.value.reason == "certificate"


def test_the_proxy_of_the_environment_is_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:p%40ss@"))
    monkeypatch.setenv("no_proxy", "bypassed.invalid")
    with get("http://records.invalid/a.tsv") as response:
        assert b"".join(web.pieces(response)) == b"body"
    path, headers = server.asked[0]
    assert path == "http://records.invalid/a.tsv"
    assert (
        headers["proxy-authorization"] == urllib3.util.make_headers(proxy_basic_auth="user:p@ss")["proxy-authorization"]
    )
    with pytest.raises(web.WebError) as caught:
        get("http://bypassed.invalid/a.tsv")
    assert caught.value.reason == "unreachable"


def test_a_proxy_that_is_not_there_is_said(server, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(web.WebError) as caught:
            get("http://records.invalid/a.tsv")
    assert caught.value.reason == "proxy"


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {"Content-Length": "300", "ETag": '"a"'}, (0, 300, '"a"')),
        (200, {"ETag": 'W/"a"'}, (0, None, None)),
        (200, {"ETag": 'W/"a"', "Last-Modified": "Sat, 01 Jan 2026"}, (0, None, "Sat, 01 Jan 2026")),
        (206, {"Content-Length": "200", "Content-Range": "bytes 100-299/300"}, (100, 300, None)),
        (206, {"Content-Range": "bytes 100-299/*"}, (100, None, None)),
        (206, {}, (None, None, None)),
        (206, {"Content-Range": "lines 1-2/3"}, (None, None, None)),
        (416, {"Content-Range": "bytes */300"}, (None, 300, None)),
    ],
)
def test_what_an_answer_holds(status, headers, expected):
    extent = web.extent(urllib3.HTTPResponse(b"", headers=headers, status=status))
    assert (extent.start, extent.size, extent.version) == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("soon", 0.0), (None, 0.0), ("-3", 0.0), ("Sat, 01 Jan 2000 00:00:00 GMT", 0.0)],
)
def test_the_pause_that_an_answer_asks_for(value, seconds):
    headers = {} if value is None else {"Retry-After": value}
    assert web.asked_pause(urllib3.HTTPResponse(b"", headers=headers, status=429)) == seconds


def test_a_packed_body_is_unpacked_only_on_request(server):
    packed = gzip.compress(b"text")
    server.answer = (200, {"Content-Encoding": "gzip"}, packed)
    with get(server.url) as response:
        assert b"".join(web.pieces(response)) == packed
    with get(server.url, decode=True) as response:
        assert b"".join(web.pieces(response)) == b"text"
