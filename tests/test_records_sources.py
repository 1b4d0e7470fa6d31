import gzip
import io
import tarfile
import zipfile

import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.records.sources import DamagedError, Descriptor, Entry, RecordsFile, entries, expand

TEXT = b"".join(b"%d\t%d\tACGTACGT\n" % (number, number * 7919 % 1000) for number in range(60_000))


def tar(members, compress=False):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(stream.getvalue()) if compress else stream.getvalue()


def zipped(members, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def opened(path):
    """What entries() yields, read; and the damage."""
    found, damage = {}, None
    try:
        for entry in entries(str(path)):
            if isinstance(entry, Descriptor):
                found[entry.name] = entry.text
                continue
            found[entry.name] = b""
            for piece in entry.pieces:
                found[entry.name] += piece
    except DamagedError as error:
        damage = str(error)
    return found, damage


@pytest.fixture
def write(tmp_path):
    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_plain_and_gzip(write):
    assert opened(write("a.tsv", TEXT)) == ({"a.tsv": TEXT}, None)
    assert opened(write("a.tsv.gz", gzip.compress(TEXT))) == ({"a.tsv.gz": TEXT}, None)


def test_the_first_bytes_count_not_the_name(write):
    assert opened(write("a.tsv", gzip.compress(TEXT))) == ({"a.tsv": TEXT}, None)
    assert opened(write("a.gz", TEXT)) == ({"a.gz": TEXT}, None)


def test_gzip_members_after_each_other_and_padding(write):
    data = gzip.compress(TEXT) + gzip.compress(b"more") + bytes(512)
    assert opened(write("a.gz", data)) == ({"a.gz": TEXT + b"more"}, None)


def test_what_follows_gzip_data_and_is_none(write):
    found, damage = opened(write("a.gz", gzip.compress(TEXT) + b"garbage"))
    assert found == {"a.gz": TEXT}
    assert "corrupt" in damage


@pytest.mark.parametrize("share", [0.3, 0.9, 0.9999])
def test_all_before_the_end_of_a_cut_gzip_is_delivered(write, share):
    data = gzip.compress(TEXT)
    found, damage = opened(write("a.gz", data[: int(len(data) * share)]))
    kept = found["a.gz"]
    assert TEXT.startswith(kept)
    assert len(kept) > len(TEXT) * share * 0.8
    assert "ends early" in damage


def test_all_before_a_corruption_is_delivered(write):
    data = bytearray(gzip.compress(TEXT))
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    found, damage = opened(write("a.gz", bytes(data)))
    assert "corrupt" in damage
    common = next(
        (at for at, (a, b) in enumerate(zip(found["a.gz"], TEXT, strict=False)) if a != b), len(found["a.gz"])
    )
    assert common > len(TEXT) * 0.4


def test_every_table_of_an_archive_and_its_descriptor(write):
    members = [
        ("sub/a.tsv", TEXT),
        ("datapackage.json", b'{"name": "x"}'),
        ("readme.txt", b"no"),
        ("__MACOSX/._a.tsv", b"no"),
        ("/abs/b.TSV", b"b"),
    ]
    expected = {"sub/a.tsv": TEXT, "datapackage.json": '{"name": "x"}', "abs/b.TSV": b"b"}
    assert opened(write("a.tar", tar(members))) == (expected, None)
    assert opened(write("a.tar.gz", tar(members, compress=True))) == (expected, None)
    assert opened(write("a.zip", zipped(members))) == (expected, None)
    assert opened(write("a2.zip", zipped(members, zipfile.ZIP_STORED))) == (expected, None)


@pytest.mark.parametrize("pack", [zipped, tar, lambda members: tar(members, compress=True)])
def test_cut_archives_deliver_what_comes_before(write, pack):
    data = pack([("a.tsv", TEXT), ("b.tsv", TEXT)])
    found, damage = opened(write("cut", data[: int(len(data) * 0.75)]))
    assert found["a.tsv"] == TEXT
    assert TEXT.startswith(found["b.tsv"])
    assert len(found["b.tsv"]) > len(TEXT) * 0.4
    assert damage


def test_a_member_may_be_left_unread(write):
    path = write("a.zip", zipped([("a.tsv", TEXT), ("b.tsv", b"b")]))
    assert [entry.name for entry in entries(str(path)) if isinstance(entry, Entry)] == ["a.tsv", "b.tsv"]


@pytest.mark.parametrize(
    "data",
    [b"", gzip.compress(b"", mtime=0), b"\x1f\x8b", b"\x1f\x8bxxxxxxxxxx"],
    ids=["empty", "gzip of nothing", "magic", "noise"],
)
def test_nothing_to_read_is_an_error(write, data):
    with pytest.raises(SourceError, match="expected a header line"):
        list(entries(str(write("a.tsv", data))))


def test_archive_without_tables(write):
    with pytest.raises(SourceError, match=r"without a \.tsv"):
        list(entries(str(write("a.zip", zipped([("a.csv", b"x")])))))


def test_absent_file():
    with pytest.raises(SourceError, match="cannot be read"):
        list(entries("/nowhere/a.tsv"))


def test_name_of_a_file():
    assert RecordsFile("s3://bucket/folder/a.tsv").name == "a.tsv"


def test_a_folder_stands_for_the_records_files_in_it(tmp_path):
    for name in ("b.tsv", "a/x.tsv.gz", "a/y.JSONL", "c.parquet", "d.tar.gz", "e.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for name in ("x.datapackage.json", "readme.txt", ".hidden.tsv", "sums.sha256"):
        (tmp_path / name).write_bytes(b"x")
    names = ["a/x.tsv.gz", "a/y.JSONL", "b.tsv", "c.parquet", "d.tar.gz", "e.zip"]
    assert expand(str(tmp_path)) == [str(tmp_path / name) for name in names]
    assert expand(str(tmp_path / "readme.txt")) == [str(tmp_path / "readme.txt")]
    assert expand("https://host/folder/") == ["https://host/folder/"]


def test_a_folder_without_records_files(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x")
    with pytest.raises(SourceError, match="holds no records file among 1 files"):
        expand(str(tmp_path))


def test_plain_files_name_their_path_and_packed_ones_do_not(write):
    for name, data, known in (("a.tsv", TEXT, True), ("a.gz", gzip.compress(TEXT), False)):
        path = write(name, data)
        (entry,) = entries(str(path))
        assert (entry.path == path) == known


def test_s3(s3):
    s3.put_object(Bucket="deliveries", Key="bold/2025/a.tsv.gz", Body=gzip.compress(TEXT))
    s3.put_object(Bucket="deliveries", Key="bold/2025/b.zip", Body=zipped([("b.tsv", b"b")]))
    s3.put_object(Bucket="deliveries", Key="bold/2025/c.tar.gz", Body=tar([("c.tsv", TEXT)], compress=True))
    s3.put_object(Bucket="deliveries", Key="bold/2025/readme.txt", Body=b"no")
    found = expand("s3://deliveries/bold/2025/")
    assert [RecordsFile(location).name for location in found] == ["a.tsv.gz", "b.zip", "c.tar.gz"]
    assert [opened(location) for location in found] == [
        ({"a.tsv.gz": TEXT}, None),
        ({"b.tsv": b"b"}, None),
        ({"c.tsv": TEXT}, None),
    ]
    with pytest.raises(SourceError, match="check the bucket, the key"):
        opened("s3://deliveries/bold/none.tsv")
