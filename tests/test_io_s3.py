"""Single requests to an S3-compatible server process."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError
from fault_proxy import FaultProxy

from bioscan_etl.errors import SourceError, UnavailableError
from bioscan_etl.io import s3 as s3_module

PLACE = "s3://deliveries/small"


def test_objects_are_listed_in_the_order_of_keys(s3):
    for key in ("listed/b.txt", "listed/a/c.txt", "listed-too/x.txt"):
        s3.put_object(Bucket="deliveries", Key=key, Body=key.encode())
    found = list(s3_module.objects("s3://deliveries/listed"))
    assert [(file.name, file.location, file.size) for file in found] == [
        ("a/c.txt", "s3://deliveries/listed/a/c.txt", 14),
        ("b.txt", "s3://deliveries/listed/b.txt", 12),
    ]
    assert all(len(file.etag) == 32 and file.modified > 0 for file in found)


def test_a_small_object_is_written_read_and_removed(s3):
    assert s3_module.read_text(f"{PLACE}/latest") is None
    assert s3_module.head(f"{PLACE}/latest") is None
    s3_module.put_text(f"{PLACE}/latest", "v1\n")
    assert s3_module.read_text(f"{PLACE}/latest") == "v1"
    head = s3_module.head(f"{PLACE}/latest")
    assert (head["size"], head["metadata"]) == (3, {})
    assert s3.head_object(Bucket="deliveries", Key="small/latest")["CacheControl"] == "no-cache"
    s3_module.delete(f"{PLACE}/latest")
    s3_module.delete(f"{PLACE}/latest")
    assert s3_module.read_text(f"{PLACE}/latest") is None


def test_the_first_to_write_an_object_keeps_it(s3):
    assert s3_module.put_text_once(f"{PLACE}/claim", "mine") == "mine"
    assert s3_module.put_text_once(f"{PLACE}/claim", "yours") == "mine"


def test_a_server_without_conditional_writes_is_written_to(s3, monkeypatch):
    client = s3_module.client()
    real = client.put_object

    def put(**arguments):
        if "IfNoneMatch" in arguments:
            status = {"ResponseMetadata": {"HTTPStatusCode": 501}, "Error": {"Code": "NotImplemented"}}
            raise ClientError(status, "PutObject")
        return real(**arguments)

    monkeypatch.setattr(client, "put_object", put)
    assert s3_module.put_text_once(f"{PLACE}/unconditional", "mine") == "mine"


def test_what_is_wrong_is_one_line(s3, monkeypatch):
    for act in (s3_module.read_text, lambda place: list(s3_module.objects(place))):
        with pytest.raises(SourceError, match=r"s3://no-such-bucket/x cannot be read.*check the bucket"):
            act("s3://no-such-bucket/x")
    with pytest.raises(SourceError, match="cannot be written"):
        s3_module.put_text("s3://no-such-bucket/x", "text")
    for status, kind, says in (
        (503, UnavailableError, "now"),
        (429, UnavailableError, "now"),
        (412, SourceError, "changed"),
    ):
        answer = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": "Planned"}}
        with pytest.raises(kind, match=says), s3_module.errors("s3://deliveries/x"):
            raise ClientError(answer, "GetObject")


def test_a_request_that_fails_is_made_again(s3, monkeypatch):
    proxy = FaultProxy(int(s3.meta.endpoint_url.rsplit(":", 1)[1]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    s3_module.client.cache_clear()
    proxy.faults = {("PUT", "again"): ["503", "reset"], ("GET", "again"): ["500"]}
    s3_module.put_text(f"{PLACE}/again", "text")
    assert s3_module.read_text(f"{PLACE}/again") == "text"
    assert [faults for faults in proxy.faults.values() if faults] == []
    proxy.close()
    s3_module.client.cache_clear()


class _Endless(BaseHTTPRequestHandler):
    """Lists one object a page, with names that lead out of their folder, and always promises another page."""

    asked = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        type(self).asked += 1
        entry = (
            f"<Contents><Key>x/../../{self.asked}&#9;&amp;.txt</Key><LastModified>2026-01-01T00:00:00Z</LastModified>"
            "<ETag>a</ETag><Size>1</Size></Contents>"
        )
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{self.asked}</NextContinuationToken>"
        body = f"<ListBucketResult>{entry}{more}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_listing_that_never_ends_is_refused(s3, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Endless)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(s3_module, "MOST_PAGES", 5)
    s3_module.client.cache_clear()
    try:
        found = s3_module.objects("s3://deliveries/x")
        assert next(found).name == "../../1\t&.txt"
        with pytest.raises(SourceError, match=r"s3://deliveries/x has more than 5 pages of objects; give a prefix"):
            list(found)
        assert _Endless.asked == 6
    finally:
        server.shutdown()
        server.server_close()
        s3_module.client.cache_clear()
