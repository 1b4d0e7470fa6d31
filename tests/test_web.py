"""Reading from the web: a real HTTP server that breaks off, stalls, refuses, and cannot resume."""

import hashlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bioscan_etl import storage, web
from bioscan_etl.errors import SourceError

BODY = bytes(number * 7919 % 251 for number in range(300_000))


class Server:
    """Serves BODY; `plan` says what becomes of each request in turn, the last entry of all further ones."""

    def __init__(self):
        self.plan = ["whole"]
        self.ranges = True
        self.etag = '"one"'
        self.length = True
        self.asked = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                server.answer(self)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def answer(self, request):
        step = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        wanted = request.headers.get("Range")
        self.asked.append((step, wanted, request.headers.get("If-Range")))
        if isinstance(step, int):
            request.send_response(step)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if step == "moved":
            request.send_response(302)
            request.send_header("Location", "/elsewhere/b.tsv")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = 0
        if wanted and self.ranges and request.headers.get("If-Range", self.etag) == self.etag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        else:
            request.send_response(200)
        if self.etag:
            request.send_header("ETag", self.etag)
        if self.length:
            request.send_header("Content-Length", str(len(BODY) - start))
        else:
            request.send_header("Connection", "close")
        request.end_headers()
        if step == "cut":
            request.wfile.write(BODY[start : start + 100_000])
            request.close_connection = True
        elif step == "stall":
            request.wfile.write(BODY[start : start + 50_000])
            request.wfile.flush()
            time.sleep(2)
            request.close_connection = True
        elif step == "slow":
            for at in range(start, len(BODY), 30_000):
                request.wfile.write(BODY[at : at + 30_000])
                request.wfile.flush()
                time.sleep(0.02)
        else:
            request.wfile.write(BODY[start:])

    def stop(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(web, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    server = Server()
    yield server
    server.stop()


def read(server, path="/a/records.tsv?format=tsv"):
    with storage.open_binary(server.url + path) as stream:
        return stream.read()


def test_a_file_is_read_and_hashed(server):
    assert read(server) == BODY
    assert storage.sha256(server.url) == hashlib.sha256(BODY).hexdigest()


def test_a_cut_connection_is_resumed_where_it_broke(server):
    server.plan = ["cut", "cut", "whole"]
    assert read(server) == BODY
    assert server.asked == [
        ("cut", None, None),
        ("cut", "bytes=100000-", '"one"'),
        ("whole", "bytes=200000-", '"one"'),
    ]


def test_a_server_that_cannot_resume_is_read_again(server):
    server.plan, server.ranges = ["cut", "whole"], False
    assert read(server) == BODY


def test_a_stalled_connection_is_resumed(server):
    server.plan = ["stall", "whole"]
    assert read(server) == BODY
    assert server.asked[1][1] == "bytes=50000-"


def test_a_slow_server_is_waited_for(server):
    server.plan = ["slow"]
    assert read(server) == BODY
    assert len(server.asked) == 1


def test_a_server_without_a_length_is_read_to_its_end(server):
    server.length = False
    assert read(server) == BODY


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_server_is_asked_again(server, status):
    server.plan = [status, status, "whole"]
    assert read(server) == BODY


def test_a_redirection_is_followed(server):
    server.plan = ["moved", "whole"]
    assert read(server) == BODY


def test_a_file_that_changes_meanwhile_is_an_error(server):
    server.plan = ["cut", "whole"]
    stream = storage.open_binary(server.url)
    assert stream.read(10) == BODY[:10]
    server.etag = '"two"'
    with pytest.raises(SourceError, match="changed while it was read"):
        stream.read()


def test_what_never_comes_is_an_error_of_one_line(server):
    server.plan = ["cut", 404]
    with pytest.raises(SourceError, match="404 Not Found; check the address"):
        read(server, "/none")
    server.plan, server.asked = [500], []
    with pytest.raises(SourceError, match="500 Internal Server Error"):
        read(server)
    assert len(server.asked) == web.ATTEMPTS


def test_a_connection_that_always_breaks_at_the_same_byte(server, monkeypatch):
    monkeypatch.setattr(Server, "answer", broken_at_start)
    with pytest.raises(SourceError, match="broke off 6 times"):
        read(server)


def broken_at_start(self, request):
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.close_connection = True


def test_nobody_there():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "PAUSE_SECONDS", 0.0)
        with pytest.raises(SourceError, match="cannot be reached") as error:
            storage.open_binary("http://127.0.0.1:9/x.tsv")
    assert "\n" not in str(error.value)
    assert "HTTPConnection" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://host/a/b.tsv.gz?x=1/2#y", "b.tsv.gz"),
        ("https://host/a%20b.tsv", "a b.tsv"),
        ("https://host/a%2Fb.tsv", "a_b.tsv"),
        ("https://host/", "host"),
        ("https://host/x/", "x"),
    ],
)
def test_name_of_an_address(address, name):
    assert storage.base_name(address) == name


def test_what_is_on_the_web():
    assert web.is_web("HTTPS://host/x")
    assert not web.is_web("s3://bucket/x")
    assert not web.is_web("/https://x")
