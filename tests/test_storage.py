"""Storage: local files and a real S3-compatible server process."""

import hashlib
import os

import pytest

from bioscan_etl import storage
from bioscan_etl.errors import SourceError


def test_local_files_are_listed_sorted_and_links_out_are_not_followed(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "b").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (inside / "b" / "2.jpg").write_bytes(b"22")
    (inside / "a.jpg").write_bytes(b"1")
    (inside / "link.jpg").symlink_to(outside / "secret.jpg")
    assert [(f.name, f.size) for f in storage.list_files(str(inside))] == [("a.jpg", 1), ("b/2.jpg", 2)]


def test_absent_local_files_are_one_line(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        storage.open_binary(str(tmp_path / "none"))
    with pytest.raises(SourceError, match="is no folder"):
        storage.list_files(str(tmp_path / "none"))


def test_an_atomic_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file"

    def broken():
        with storage.atomic_file(path) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(path.parent.iterdir()) == []
    storage.write_text(path, "whole\n")
    assert path.read_bytes() == b"whole\n"
    assert oct(path.stat().st_mode)[-3:] == "644"


def test_s3_is_listed_read_and_hashed_like_a_folder(s3):
    body = os.urandom(20_000_000)
    s3.put_object(Bucket="deliveries", Key="plate-1/images/A-1.jpg", Body=body)
    s3.put_object(Bucket="deliveries", Key="plate-1/images/deep/A-2.jpg", Body=b"two")
    s3.put_object(Bucket="deliveries", Key="plate-10/other.jpg", Body=b"another prefix")
    listed = storage.list_files("s3://deliveries/plate-1")
    assert [(f.name, f.size) for f in listed] == [("images/A-1.jpg", 20_000_000), ("images/deep/A-2.jpg", 3)]
    with storage.open_binary(listed[0].location) as stream:
        assert stream.read(10) == body[:10]
        assert stream.read() == body[10:]
    assert storage.sha256(listed[0].location) == hashlib.sha256(body).hexdigest()


def test_s3_faults_are_one_line(s3):
    with pytest.raises(SourceError, match="check the bucket, the key"):
        storage.open_binary("s3://deliveries/none")
    with pytest.raises(SourceError, match="check the bucket"):
        storage.list_files("s3://no-such-bucket/x")


def test_a_cut_s3_connection_is_resumed_where_it_broke(s3, monkeypatch):
    body = os.urandom(3_000_000)
    s3.put_object(Bucket="deliveries", Key="cut.bin", Body=body)
    client = storage.s3_client()
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

            answer["Body"] = Cut()
        return answer

    monkeypatch.setattr(client, "get_object", cut)
    with storage.open_binary("s3://deliveries/cut.bin") as stream:
        assert stream.read() == body
    assert calls[:2] == [None, "bytes=1000000-"]
