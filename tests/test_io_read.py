"""Reading: local files, a real S3-compatible server process, and a web server that breaks off, stalls and refuses."""

import contextlib
import hashlib
import os
import re
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bioscan_etl.errors import SourceError, UnavailableError
from bioscan_etl.io import read
from bioscan_etl.io import s3 as s3_module
from bioscan_etl.io.read import file_sha256, list_files, open_binary, open_seekable


def test_local_files_are_listed_sorted_and_links_out_are_not_followed(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "b").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (inside / "b" / "2.jpg").write_bytes(b"22")
    (inside / "a.jpg").write_bytes(b"1")
    (inside / "link.jpg").symlink_to(outside / "secret.jpg")
    assert [(f.name, f.size) for f in list_files(str(inside))] == [("a.jpg", 1), ("b/2.jpg", 2)]


def test_absent_local_files_are_one_line(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        open_binary(str(tmp_path / "none"))
    with pytest.raises(SourceError, match="is no folder"):
        list_files(str(tmp_path / "none"))


def test_s3_is_listed_read_and_hashed_like_a_folder(s3):
    body = os.urandom(20_000_000)
    s3.put_object(Bucket="deliveries", Key="plate-1/images/A-1.jpg", Body=body)
    s3.put_object(Bucket="deliveries", Key="plate-1/images/deep/A-2.jpg", Body=b"two")
    s3.put_object(Bucket="deliveries", Key="plate-10/other.jpg", Body=b"another prefix")
    listed = list_files("s3://deliveries/plate-1")
    assert [(f.name, f.size) for f in listed] == [("images/A-1.jpg", 20_000_000), ("images/deep/A-2.jpg", 3)]
    with open_binary(listed[0].location) as stream:
        assert stream.read(10) == body[:10]
        assert stream.read() == body[10:]
    assert file_sha256(listed[0].location) == hashlib.sha256(body).hexdigest()


def test_s3_faults_are_one_line(s3):
    with pytest.raises(SourceError, match="check the bucket, the key"):
        open_binary("s3://deliveries/none")
    with pytest.raises(SourceError, match="check the bucket"):
        list_files("s3://no-such-bucket/x")


def test_a_cut_s3_connection_is_resumed_where_it_broke(s3, monkeypatch):
    body = os.urandom(3_000_000)
    s3.put_object(Bucket="deliveries", Key="cut.bin", Body=body)
    client = s3_module.client()
    real = client.get_object
    calls = []

    def cut(**arguments):
        calls.append(arguments.get("Range"))
        answer = real(**arguments)
        if len(calls) <= 2:
            whole = answer["Body"]

            class Cut:
                left = 1_000_000

                def read(self, size):
                    if self.left <= 0:
                        raise ConnectionResetError("cut")
                    block = whole.read(min(size, self.left))
                    self.left -= len(block)
                    return block

                def close(self):
                    whole.close()

            answer["Body"] = Cut()
        return answer

    monkeypatch.setattr(client, "get_object", cut)
    with open_binary("s3://deliveries/cut.bin") as stream:
        assert stream.read() == body
    assert calls[:2] == [None, "bytes=1000000-"]


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
        start, end = 0, len(BODY)
        if wanted and self.ranges and request.headers.get("If-Range", self.etag) == self.etag:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
            start, end = int(first), min(int(last) + 1, len(BODY)) if last else len(BODY)
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(BODY)}")
        else:
            request.send_response(200)
        if self.etag:
            request.send_header("ETag", self.etag)
        if self.length:
            request.send_header("Content-Length", str(end - start))
        else:
            request.send_header("Connection", "close")
        request.end_headers()
        if step == "cut":
            request.wfile.write(BODY[start : min(end, start + 100_000)])
            request.close_connection = True
        elif step == "stall":
            request.wfile.write(BODY[start : start + 50_000])
            request.wfile.flush()
            time.sleep(2)
            request.close_connection = True
        elif step == "slow":
            for at in range(start, end, 30_000):
                request.wfile.write(BODY[at : min(end, at + 30_000)])
                request.wfile.flush()
                time.sleep(0.02)
        else:
            with contextlib.suppress(ConnectionError):  # a client that seeks gives up the answer
                request.wfile.write(BODY[start:end])

    def stop(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(read, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(read, "READ_SECONDS", 0.5)
    server = Server()
    yield server
    server.stop()


def whole(server, path="/a/records.tsv?format=tsv"):
    with open_binary(server.url + path) as stream:
        return stream.read()


def test_a_file_is_read_and_hashed(server):
    assert whole(server) == BODY
    assert file_sha256(server.url) == hashlib.sha256(BODY).hexdigest()


def test_a_cut_connection_is_resumed_where_it_broke(server):
    server.plan = ["cut", "cut", "whole"]
    assert whole(server) == BODY
    assert server.asked == [
        ("cut", None, None),
        ("cut", "bytes=100000-", '"one"'),
        ("whole", "bytes=200000-", '"one"'),
    ]


def test_a_server_that_cannot_resume_is_read_again(server):
    server.plan, server.ranges = ["cut", "whole"], False
    assert whole(server) == BODY


def test_a_stalled_connection_is_resumed(server):
    server.plan = ["stall", "whole"]
    assert whole(server) == BODY
    assert server.asked[1][1] == "bytes=50000-"


def test_a_slow_server_is_waited_for(server):
    server.plan = ["slow"]
    assert whole(server) == BODY
    assert len(server.asked) == 1


def test_a_server_without_a_length_is_read_to_its_end(server):
    server.length = False
    assert whole(server) == BODY


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_server_is_asked_again(server, status):
    server.plan = [status, status, "whole"]
    assert whole(server) == BODY


def test_a_redirection_is_followed(server):
    server.plan = ["moved", "whole"]
    assert whole(server) == BODY


def test_a_file_that_changes_meanwhile_is_an_error(server):
    server.plan = ["cut", "whole"]
    stream = open_binary(server.url)
    assert stream.read(10) == BODY[:10]
    server.etag = '"two"'
    with pytest.raises(SourceError, match="changed while it was read"):
        stream.read()


def test_a_file_that_becomes_shorter_is_an_error(server):
    server.plan = ["cut", 416]
    with pytest.raises(SourceError, match="changed while it was read"):
        whole(server)


def test_what_never_comes_is_an_error_of_one_line(server):
    server.plan = ["cut", 404]
    with pytest.raises(SourceError, match="404 Not Found; check the address"):
        whole(server, "/none")
    server.plan, server.asked = [500], []
    with pytest.raises(SourceError, match="500 Internal Server Error"):
        whole(server)
    assert len(server.asked) == read.ATTEMPTS


def test_a_connection_that_always_breaks_at_the_same_byte(server, monkeypatch):
    monkeypatch.setattr(Server, "answer", broken_at_start)
    with pytest.raises(SourceError, match="broke off 6 times"):
        whole(server)


def broken_at_start(self, request):
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.close_connection = True


def test_nobody_there():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read, "PAUSE_SECONDS", 0.0)
        with pytest.raises(SourceError, match="cannot be reached") as error:
            open_binary("http://127.0.0.1:9/x.tsv")
    assert "\n" not in str(error.value)
    assert "HTTPConnection" not in str(error.value)


def test_a_file_on_the_web_is_read_by_place(server):
    with open_seekable(server.url) as stream:
        assert stream.seek(0, os.SEEK_END) == len(BODY)
        stream.seek(-10, os.SEEK_CUR)
        assert stream.read() == BODY[-10:]
        stream.seek(1000)
        assert stream.read(5000) == BODY[1000:6000]
        assert stream.tell() == 6000
        with pytest.raises(OSError, match="before the beginning"):
            stream.seek(-1)


def test_a_block_that_breaks_off_is_resumed_within_it(server):
    server.plan = ["whole", "cut", "whole"]
    with open_seekable(server.url) as stream:
        stream.seek(20_000)
        assert stream.read(150_000) == BODY[20_000:170_000]
    assert [asked[1] for asked in server.asked] == [None, "bytes=20000-282143", "bytes=120000-282143"]


def test_a_file_read_by_place_that_changes_is_an_error(server):
    with open_seekable(server.url) as stream:
        stream.seek(1000)
        server.etag = '"two"'
        with pytest.raises(SourceError, match="changed while it was read"):
            stream.read(10)


def test_a_server_that_sends_no_parts_cannot_be_read_by_place(server):
    server.ranges = False
    with open_seekable(server.url) as stream:
        assert stream.read(10) == BODY[:10]
        stream.seek(280_000)
        with pytest.raises(SourceError, match="by place: the server sends the whole file only; fetch it first"):
            stream.read(10)


def test_a_server_that_says_no_size_cannot_be_read_by_place(server):
    server.length = False
    with pytest.raises(SourceError, match="by place: the server does not say its size; fetch it first"):
        open_seekable(server.url)


def test_a_stream_is_not_sought_in(server):
    with open_binary(server.url) as stream:
        assert not stream.seekable()
        with pytest.raises(OSError, match="seek"):
            stream.raw.seek(1)


def test_without_a_version_the_size_tells_a_change(server):
    server.plan, server.etag = ["cut", "whole"], None
    assert whole(server) == BODY
    assert server.asked[1][2] is None


def test_a_server_may_ask_for_a_pause(server, monkeypatch, caplog):
    pauses = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    monkeypatch.setattr(Server, "answer", too_many_requests)
    with pytest.raises(UnavailableError, match="429 Too Many Requests"):
        whole(server)
    assert pauses == [7.0] * (read.ATTEMPTS - 1)
    assert "429 Too Many Requests; trying again in 7 s" in caplog.text
    monkeypatch.setattr(read, "LONGEST_PAUSE", 3.0)
    with pytest.raises(UnavailableError, match="Too Many Requests, and to come back in 7 s; run again then"):
        whole(server)
    assert len(pauses) == read.ATTEMPTS - 1


@pytest.mark.parametrize(("seconds", "said"), [(86400, "24 h"), (3601, "2 h"), (61, "2 min"), (0.4, "1 s")])
def test_a_time_to_wait_is_said_for_people(seconds, said):
    assert read._duration(seconds) == said


def test_a_slow_server_is_left_at_once(server, monkeypatch):
    def drip(self, request):
        self.asked.append(None)
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                request.wfile.write(b"x")
                time.sleep(0.02)
        request.close_connection = True

    monkeypatch.setattr("bioscan_etl.io.web.RATE_SECONDS", 0.3)
    monkeypatch.setattr(Server, "answer", drip)
    with pytest.raises(UnavailableError, match="is read too slowly"):
        whole(server)
    assert len(server.asked) == 1


def test_no_secret_of_an_address_is_in_a_message(server):
    address = server.url.replace("//", "//me:hunter2@") + "/x.tsv?X-Amz-Signature=abcdef&a=b"
    server.plan = ["whole"]
    with open_binary(address) as stream:
        assert stream.read() == BODY
    server.plan = [404]
    with pytest.raises(SourceError) as caught:
        open_binary(address)
    assert "hunter2" not in str(caught.value)
    assert "abcdef" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "a=b" in str(caught.value)


def too_many_requests(self, request):
    request.send_response(429)
    request.send_header("Retry-After", "7")
    request.send_header("Content-Length", "0")
    request.end_headers()


def test_an_object_is_read_by_place(s3, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as written:
        for number in range(5):
            written.writestr(f"{number}.jpg", os.urandom(300_000))
    s3.upload_file(str(tmp_path / "a.zip"), "deliveries", "a.zip")
    with zipfile.ZipFile(open_seekable("s3://deliveries/a.zip")) as archive:
        with open_seekable(str(tmp_path / "a.zip")) as opened, zipfile.ZipFile(opened) as local:
            assert archive.read("3.jpg") == local.read("3.jpg")
        s3.put_object(Bucket="deliveries", Key="a.zip", Body=b"other")
        with pytest.raises(SourceError, match=r"s3://deliveries/a\.zip changed while it was read"):
            archive.read("0.jpg")
    with pytest.raises(SourceError, match="check the path"):
        open_seekable(str(tmp_path / "none"))


def test_an_empty_object_is_read(s3):
    s3.put_object(Bucket="deliveries", Key="empty", Body=b"")
    with open_binary("s3://deliveries/empty") as stream:
        assert stream.read() == b""
    with open_seekable("s3://deliveries/empty") as stream:
        assert stream.seek(0, os.SEEK_END) == 0
