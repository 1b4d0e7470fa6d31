"""Uploads to an S3-compatible server process, through a proxy that breaks requests."""

import base64
import hashlib
import os

import boto3
import pytest
from botocore.config import Config
from fault_proxy import FaultProxy

from bioscan_etl.errors import SourceError
from bioscan_etl.io import s3 as s3_module
from bioscan_etl.io.upload import SHA256, Uploader

MIB = 1 << 20
PART = 5 * MIB


@pytest.fixture
def proxy(s3, monkeypatch):
    """The server behind a proxy, and a client that gives up after two attempts."""
    running = FaultProxy(int(s3.meta.endpoint_url.rsplit(":", 1)[1]))
    client = boto3.client(
        "s3", endpoint_url=running.url, config=Config(retries={"mode": "standard", "total_max_attempts": 2})
    )
    monkeypatch.setattr(s3_module, "client", lambda: client)
    yield running
    running.close()


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(12 * MIB))
    return path


def send(path, key, part=PART):
    body = path.read_bytes()
    with Uploader(4, part) as uploader:
        uploader.send(path, f"s3://deliveries/{key}", len(body), hashlib.sha256(body).hexdigest())
        uploader.finish()


def there(s3, key):
    return s3.get_object(Bucket="deliveries", Key=key)["Body"].read()


def parts(proxy):
    return sorted(path.split("partNumber=")[1].split("&")[0] for path in proxy.put() if "partNumber" in path)


def test_files_arrive_with_their_sum_and_type(s3, proxy, big, tmp_path):
    small = tmp_path / "page.html"
    small.write_text("<p>é</p>")
    for path in (small, big):
        send(path, f"upload/{path.name}")
        assert there(s3, f"upload/{path.name}") == path.read_bytes()
        head = s3.head_object(Bucket="deliveries", Key=f"upload/{path.name}")
        assert head["Metadata"][SHA256] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert s3.head_object(Bucket="deliveries", Key="upload/page.html")["ContentType"] == "text/html"
    assert head["ContentType"] == "application/octet-stream"
    assert parts(proxy) == ["1", "2", "3"]


def test_the_server_is_told_the_sums_of_what_it_gets(proxy, big, tmp_path):
    small = tmp_path / "small.txt"
    small.write_text("text")
    sums = []
    for operation in ("PutObject", "UploadPart"):
        s3_module.client().meta.events.register(
            f"before-send.s3.{operation}",
            lambda request, **_: sums.append(request.headers.get("x-amz-checksum-sha256")),
        )
    send(small, "sums/small.txt")
    assert sums == [base64.b64encode(hashlib.sha256(b"text").digest())]
    send(big, "sums/big.bin")
    assert len(set(sums)) == 4
    assert all(len(each) == 44 for each in sums)


def test_parts_that_arrived_are_not_sent_again(s3, proxy, big):
    proxy.faults = {("PUT", "partNumber=3"): ["500"] * 4}
    with pytest.raises(SourceError, match=r"s3://deliveries/again/big\.bin cannot be written"):
        send(big, "again/big.bin")
    proxy.faults = {}
    proxy.log.clear()
    send(big, "again/big.bin")
    assert parts(proxy) == ["3"]
    assert there(s3, "again/big.bin") == big.read_bytes()
    assert s3.list_multipart_uploads(Bucket="deliveries").get("Uploads", []) == []


def test_parts_of_other_bytes_or_another_size_are_sent_again(s3, proxy, big):
    proxy.faults = {("PUT", "partNumber=3"): ["500"] * 4}
    with pytest.raises(SourceError):
        send(big, "other/big.bin")
    proxy.faults = {}
    proxy.log.clear()
    body = bytearray(big.read_bytes())
    body[0] ^= 1
    big.write_bytes(body)
    send(big, "other/big.bin")
    assert parts(proxy) == ["1", "3"]
    assert there(s3, "other/big.bin") == bytes(body)


def test_an_upload_without_sums_is_not_continued_but_removed(s3, proxy, big):
    where = {"Bucket": "deliveries", "Key": "old/big.bin"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=big.read_bytes()[:PART])
    send(big, "old/big.bin")
    assert parts(proxy) == ["1", "2", "3"]
    assert s3.list_multipart_uploads(Bucket="deliveries").get("Uploads", []) == []


def test_an_error_stops_what_is_on_its_way(s3, proxy, tmp_path):
    names = [f"{number:03d}.txt" for number in range(80)]
    for name in names:
        (tmp_path / name).write_text(name)
    proxy.faults = {("PUT", "many/000.txt"): ["500"] * 2}

    def send_all():
        with Uploader(2, PART) as uploader:
            for name in names:
                body = name.encode()
                place = f"s3://deliveries/many/{name}"
                uploader.send(tmp_path / name, place, len(body), hashlib.sha256(body).hexdigest())
            uploader.finish()

    with pytest.raises(SourceError, match=r"many/000\.txt cannot be written"):
        send_all()
    assert s3.list_objects_v2(Bucket="deliveries", Prefix="many/")["KeyCount"] < len(names)
    send_all()
    assert s3.list_objects_v2(Bucket="deliveries", Prefix="many/")["KeyCount"] == len(names)
