"""The lake: outputs that are whole or absent, at the place that their fingerprint names."""

import json

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.errors import BusyError, LakeError, SchemaError
from bioscan_etl.findings import Finding
from bioscan_etl.lake import Lake, digest

FINDING = Finding("few", passed=False, count=2, statement="There are few.", samples=("A-1",))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def write(lake, fingerprint, text, **more):
    with lake.writing("boxes", fingerprint, "b1", made_from={"inputs": text}, **more) as draft:
        (draft.folder / "part").mkdir(exist_ok=True)
        (draft.folder / "part" / "file.txt").write_text(text)
        draft.counts["rows"] = len(text)
        draft.findings.append(FINDING)
    return lake.find("boxes", fingerprint, "b1")


def test_an_output_is_found_with_its_manifest(lake):
    output = write(lake, "f" * 64, "abc")
    assert output.path("part/file.txt").read_text() == "abc"
    assert (output.counts["rows"], output.made_from, output.findings) == (3, {"inputs": "abc"}, (FINDING,))
    assert output.is_whole


def test_equal_bytes_have_equal_content_whatever_the_fingerprint(lake):
    first = write(lake, "1" * 64, "abc")
    assert write(lake, "2" * 64, "abc").content == first.content
    assert write(lake, "3" * 64, "abd").content != first.content


def killed(lake, fingerprint, name, **more):
    with lake.writing("boxes", fingerprint, "b1", made_from={}, **more) as draft:
        (draft.folder / name).write_text("half")
        raise KeyboardInterrupt


def test_a_killed_writer_leaves_the_earlier_output_and_none_of_its_own(lake):
    write(lake, "1" * 64, "old")
    with pytest.raises(KeyboardInterrupt):
        killed(lake, "2" * 64, "half")
    assert lake.find("boxes", "1" * 64, "b1").path("part/file.txt").read_text() == "old"
    assert lake.find("boxes", "2" * 64, "b1") is None


@pytest.mark.parametrize("resumable", [True, False])
def test_only_a_resumable_writer_finds_what_the_killed_one_left(lake, resumable):
    with pytest.raises(KeyboardInterrupt):
        killed(lake, "2" * 64, "shard")
    with lake.writing("boxes", "2" * 64, "b1", made_from={}, resumable=resumable) as draft:
        assert (draft.folder / "shard").exists() is resumable


def test_a_damaged_output_is_none_and_is_written_anew(lake):
    output = write(lake, "1" * 64, "abc")
    output.path("part/file.txt").unlink()
    assert not lake.find("boxes", "1" * 64, "b1").is_whole
    assert write(lake, "1" * 64, "abc", resumable=True).path("part/file.txt").read_text() == "abc"
    for damage in ("", "{", "[]", '{"format": 9}', '{"format": 2, "fingerprint": "x"}'):
        (output.folder / "manifest.json").write_text(damage)
        assert lake.find("boxes", "1" * 64, "b1") is None
    (output.folder / "manifest.json").unlink()
    (output.folder / "manifest.json").mkdir()
    assert lake.find("boxes", "1" * 64, "b1") is None


def test_what_nothing_refers_to_is_swept(lake):
    for fingerprint in "123":
        write(lake, fingerprint * 64, fingerprint)
    lake.sweep("boxes", "b1", {"2" * 64})
    assert [lake.find("boxes", one * 64, "b1") is not None for one in "123"] == [False, True, False]


def test_a_file_that_is_gone_is_said(lake):
    output = write(lake, "1" * 64, "abc")
    with pytest.raises(LakeError, match="run boxes again"):
        output.path("other.parquet")


def test_two_writers_of_one_output_do_not_meet(lake):
    with lake.lock("boxes", "b1"), pytest.raises(BusyError, match="written by another run"), lake.lock("boxes", "b1"):
        pass
    with lake.lock("boxes", "b1"):
        pass


def test_a_draft_writes_only_what_the_schema_says(lake):
    frame = pl.DataFrame({"processid": ["A-1"], "split": ["train"]})
    with lake.writing("partitions", "1" * 64, made_from={}) as draft:
        draft.write(schema.PARTITIONS, frame)
    output = lake.find("partitions", "1" * 64)
    assert output.counts == {"partitions": 1}
    assert pl.read_parquet(output.path("partitions.parquet")).equals(frame)

    def wrong():
        with lake.writing("partitions", "2" * 64, made_from={}) as draft:
            draft.write(schema.PARTITIONS, frame.drop("split"))

    with pytest.raises(SchemaError, match="split"):
        wrong()
    assert lake.find("partitions", "2" * 64) is None


def test_digests_do_not_depend_on_key_order():
    assert digest({"a": 1, "b": [2]}) == digest(json.loads('{"b": [2], "a": 1}'))


def test_a_new_lake_is_marked_and_read_again(lake):
    lake.require_format()
    assert not lake.home.exists()
    write(lake, "1" * 64, "abc")
    assert json.loads((lake.home / "format.json").read_text()) == {"format": 2}
    lake.require_format()


def test_a_lake_of_an_earlier_version_is_refused_and_left_as_it_is(lake):
    old = lake.home / "raw_records" / "b1"
    (old / "0123456789abcdef").mkdir(parents=True)
    (old / "current.json").write_text('{"folder": "0123456789abcdef", "delivery": "d", "standard": "s"}')
    before = sorted(path for path in lake.root.rglob("*"))
    with pytest.raises(LakeError, match=r"earlier bioscan-etl .* move it away \(mv .*lake .*lake.old\) and run again"):
        lake.require_format()
    assert sorted(path for path in lake.root.rglob("*")) == before


@pytest.mark.parametrize(("text", "words"), [('{"format": 3}', "a later"), ("", "damaged"), ("[]", "damaged")])
def test_another_format_is_refused_in_one_line(lake, text, words):
    lake.home.mkdir()
    (lake.home / "format.json").write_text(text)
    with pytest.raises(LakeError, match=words):
        lake.require_format()
