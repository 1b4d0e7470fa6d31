"""The lake: outputs that are whole or absent."""

import json

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.errors import LakeError, SchemaError
from bioscan_etl.lake import Lake, code_digest, digest


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def write(lake, fingerprint, text, **more):
    with lake.writing("boxes", "b1", fingerprint, inputs={"source": text}, **more) as draft:
        (draft.folder / "part").mkdir(exist_ok=True)
        (draft.folder / "part" / "file.txt").write_text(text)
        draft.counts["rows"] = len(text)
    return lake.get("boxes", "b1")


def test_an_output_is_found_with_its_manifest(lake):
    output = write(lake, "f" * 64, "abc", delivery="d", standard="s")
    assert output.path("part/file.txt").read_text() == "abc"
    assert (output.delivery, output.standard, output.counts["rows"]) == ("d", "s", 3)
    assert output.inputs == {"source": "abc"}
    assert lake.batches("boxes") == ["b1"]


def test_equal_bytes_have_equal_content_whatever_the_fingerprint(lake):
    first = write(lake, "1" * 64, "abc")
    assert write(lake, "2" * 64, "abc").content == first.content
    assert write(lake, "3" * 64, "abd").content != first.content


def test_a_killed_writer_leaves_the_earlier_output(lake):
    write(lake, "1" * 64, "old")

    def killed():
        with lake.writing("boxes", "b1", "2" * 64, inputs={}) as draft:
            (draft.folder / "half").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert lake.get("boxes", "b1").path("part/file.txt").read_text() == "old"


@pytest.mark.parametrize("resumable", [True, False])
def test_only_a_resumable_writer_finds_what_the_killed_one_left(lake, resumable):
    def killed():
        with lake.writing("boxes", "b1", "2" * 64, inputs={}) as draft:
            (draft.folder / "shard").write_text("done")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    with lake.writing("boxes", "b1", "2" * 64, inputs={}, resumable=resumable) as draft:
        assert (draft.folder / "shard").exists() is resumable


def test_a_new_output_replaces_the_old_one_on_disk(lake):
    old = write(lake, "1" * 64, "old").folder
    new = write(lake, "2" * 64, "new").folder
    assert not old.exists()
    assert sorted(p.name for p in new.parent.iterdir() if p.is_dir()) == [new.name]


def test_reuse_needs_the_fingerprint_and_every_file(lake):
    output = write(lake, "1" * 64, "abc", delivery="one")
    assert lake.reuse("boxes", "b1", "2" * 64) is None
    assert lake.reuse("boxes", "b1", "1" * 64, "two").delivery == "two"
    output.path("part/file.txt").unlink()
    assert lake.reuse("boxes", "b1", "1" * 64, "two") is None
    assert write(lake, "1" * 64, "abc").path("part/file.txt").read_text() == "abc"


def test_what_is_missing_or_damaged_is_said(lake):
    with pytest.raises(LakeError, match="materialise boxes first"):
        lake.get("boxes", "b1")
    output = write(lake, "1" * 64, "abc")
    with pytest.raises(LakeError, match="materialise boxes again"):
        output.path("other.parquet")
    (output.folder / "manifest.json").write_text("{")
    with pytest.raises(LakeError, match="damaged manifest"):
        lake.find("boxes", "b1")


def test_two_writers_of_one_output_do_not_meet(lake):
    with lake.lock("boxes", "b1"), pytest.raises(LakeError, match="written by another run"), lake.lock("boxes", "b1"):
        pass
    with lake.lock("boxes", "b1"):
        pass


def test_a_draft_writes_only_what_the_schema_says(lake):
    frame = pl.DataFrame({"processid": ["A-1"], "split": ["train"]})
    with lake.writing("partitions", "corpus", "1" * 64, inputs={}) as draft:
        draft.write(schema.PARTITIONS, frame)
    output = lake.get("partitions")
    assert output.counts == {"partitions": 1}
    assert pl.read_parquet(output.path("partitions.parquet")).equals(frame)

    def wrong():
        with lake.writing("partitions", "corpus", "2" * 64, inputs={}) as draft:
            draft.write(schema.PARTITIONS, frame.drop("split"))

    with pytest.raises(SchemaError, match="split"):
        wrong()
    assert lake.get("partitions").fingerprint == "1" * 64


def test_digests_do_not_depend_on_key_order():
    assert digest({"a": 1, "b": [2]}) == digest(json.loads('{"b": [2], "a": 1}'))
    assert len(code_digest()) == 64
