"""Single requests: what fails and why, proxies of the environment, and what an answer says of the file."""

import base64
import contextlib
import gzip
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from bioscan_etl.io import connections, web
from bioscan_etl.io.locations import hide


class Server(ThreadingHTTPServer):
    """Answers as `answer` says: status, headers, body; notes what it is asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = (200, {}, b"body")
        self.plan = []  # answers before that one; a body may be a list of pieces
        self.pause = self.head_pause = 0.0
        self.phrase = None
        self.asked = []
        self.bodies = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.server.plan.pop(0) if self.server.plan else self.server.answer
        time.sleep(self.server.head_pause)
        self.send_response(status, self.server.phrase)
        length = {} if isinstance(body, list) else {"Content-Length": str(len(body))}
        for name, value in (length | headers).items():
            self.send_header(name, value)
        with contextlib.suppress(OSError):
            self.end_headers()
            for piece in body if isinstance(body, list) else [body]:
                self.wfile.write(piece)
                time.sleep(self.server.pause)
        self.close_connection = "Content-Length" in headers or isinstance(body, list)


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


def moved(server, *targets):
    """Redirect the first requests to these places, in this order; the last answer is a body."""
    answers = [(302, {"Location": target}, b"") for target in targets]
    server.plan = [*answers, (200, {}, b"there")]


@pytest.mark.parametrize("target", ["/elsewhere", "https:/no-host", "//[bad", "file:///etc/passwd", "http://a:b:c/"])
def test_a_redirection_within_a_host_is_followed_and_no_other_scheme(server, target):
    moved(server, target)
    if target == "/elsewhere":
        with get(f"{server.url}/a/b?c") as response:
            assert b"".join(web.pieces(response)) == b"there"
        assert [path for path, _ in server.asked] == ["/a/b?c", "/elsewhere"]
    else:
        with pytest.raises(web.WebError) as caught:
            get(server.url)
        assert caught.value.reason == "address"


def test_redirections_have_an_end(server):
    moved(server, *["/next"] * 5)
    with get(server.url) as response:
        assert response.status == 200
    moved(server, *["/next"] * 6)
    with pytest.raises(web.WebError, match="redirected more than 5 times"):
        get(server.url)


def test_another_host_is_reached_with_encryption_alone(server):
    moved(server, server.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(web.WebError, match="redirected to localhost without encryption") as caught:
        get(server.url)
    assert caught.value.reason == "address"


@pytest.mark.parametrize(
    "target",
    [
        *("https://10.0.0.1/x", "https://169.254.169.254/latest", "https://localhost:9/x", "https://[::1]/x"),
        *("https://2130706433/", "https://0/", "https://[fd00::1]/", "https://[::ffff:127.0.0.1]/", "https://0x7f.1/"),
    ],
)
def test_a_public_address_leads_into_no_other_network(server, monkeypatch, target):
    """The server plays the proxy to a public host, as this machine reaches none."""
    monkeypatch.setenv("http_proxy", server.url)
    moved(server, target)
    with pytest.raises(web.WebError, match="not on the public network") as caught:
        get("http://records.invalid/a.tsv")
    assert caught.value.reason == "address"
    assert len(server.asked) == 1


def test_a_local_address_does_not_lead_to_the_keys_of_the_machine(server):
    moved(server, "https://169.254.169.254/latest/meta-data/iam")
    with pytest.raises(web.WebError, match=r"redirected to 169\.254\.169\.254, which is not on the public network"):
        get(server.url)


def test_a_password_is_sent_to_its_host_and_nowhere_else(server):
    address = server.url.replace("//", "//me:p%40ss@")
    with get(hide(address)) as response:
        assert response.status == 200
    assert server.asked[0][1]["authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    given = web._Given.of(address, {"Cookie": "a", "Accept": "b"})
    assert set(given.headers_for(server.url)) >= {"Cookie", "authorization"}
    assert not {"Cookie", "authorization"} & set(given.headers_for("https://elsewhere.invalid/"))
    with pytest.raises(web.WebError, match="password or signature is not stored"):
        get("http://***@never.given.invalid/")


def slowly(server, piece, pause):
    server.plan = [(200, {"Content-Length": "1000000"}, [piece] * 1000)]
    server.pause = pause


def test_a_body_is_not_read_for_ever_byte_by_byte(server, monkeypatch):
    monkeypatch.setattr(web, "RATE_SECONDS", 0.3)
    slowly(server, b"x", 0.02)
    began = time.monotonic()
    with get(server.url) as response, pytest.raises(web.WebError, match="bytes a second, fewer than 1,024") as caught:
        list(web.pieces(response))
    assert caught.value.reason == "slow"
    assert time.monotonic() - began < 5


def test_a_reader_that_takes_its_time_is_no_slow_server(server, monkeypatch):
    monkeypatch.setattr(web, "RATE_SECONDS", 0.2)
    server.plan = [(200, {}, b"x" * 10)]
    with get(server.url) as response:
        for _ in range(10):
            assert web.read_piece(response, 1) == b"x"
            time.sleep(0.04)


def test_a_body_without_an_end_has_one(server, monkeypatch):
    monkeypatch.setattr(web, "LARGEST_BODY", 50_000)
    server.plan = [(200, {"Transfer-Encoding": "chunked"}, [b"3e8\r\n" + b"x" * 1000 + b"\r\n"] * 1000)]
    with get(server.url) as response, pytest.raises(web.WebError, match="more than 50,000 bytes") as caught:
        list(web.pieces(response))
    assert caught.value.reason == "address"


def test_a_flood_of_headers_is_refused(server):
    server.plan = [(200, {f"X-{number}": "x" for number in range(1000)}, b"body")]
    with pytest.raises(web.WebError) as caught:
        get(server.url)
    assert caught.value.reason == "unreachable"


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 20, "-1", "1, 2", "ten", " "])
def test_an_absurd_length_is_no_length(length):
    answer = urllib3.HTTPResponse(b"", status=200)
    answer.headers["Content-Length"] = length
    assert web.extent(answer).size is None


def test_a_servers_own_words_are_not_repeated(server):
    server.plan = [(503, {}, b"")]
    server.phrase = "\x1b[31mSend money"
    with get(server.url) as response:
        assert response.reason.endswith("Send money")
        assert web.said(response) == "503 Service Unavailable"
    assert web.said(urllib3.HTTPResponse(b"", status=599)) == "599"
    assert web.one_line(ValueError("a\x1b[31m\u202eb\nc")) == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b"


def test_headers_in_drips_are_a_timeout(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    server.plan = [(200, {}, b"late")]
    server.head_pause = 1.0
    with pytest.raises(web.WebError, match=r"no headers within|timed out") as caught:
        get(server.url)
    assert caught.value.reason in {"timeout", "unreachable"}


def post(address, body=b"{}", headers=None):
    return web.post(address, body, headers or {"Content-Type": "application/json"}, connect=2, read=2)


def test_a_body_is_posted_once(server):
    with post(server.url.replace("//", "//user:pass@") + "/x", b'{"a": 1}') as response:
        assert response.status == 200
    path, headers = server.asked[0]
    assert (path, server.bodies) == ("/x", [b'{"a": 1}'])
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("bioscan-etl/")
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"user:pass"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_posted_body_follows_no_redirection(server, status):
    server.answer = (status, {"Location": f"{server.url}/elsewhere"}, b"")
    with post(server.url) as response:
        assert response.status == status
    assert len(server.asked) == 1


def test_a_post_that_sent_nothing_is_told_from_one_that_may_have_arrived(server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(web.WebError) as caught:
            post(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert caught.value.reason == "unreachable"
    with socket.create_server(("127.0.0.1", 0)) as rude:

        def hang_up():
            connection, _ = rude.accept()
            connection.recv(65_536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(web.WebError) as caught:
            post(f"http://127.0.0.1:{rude.getsockname()[1]}")
        thread.join()
    assert caught.value.reason == "truncated"
    server.head_pause = 3
    with pytest.raises(web.WebError) as caught:
        post(server.url)
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize("address", ["ftp://x/y", "file:///etc/passwd", "http://[bad", "http:///x", "x"])
def test_what_is_no_web_address_is_not_posted_to(address):
    with pytest.raises(web.WebError) as caught:
        post(address)
    assert caught.value.reason == "address"
