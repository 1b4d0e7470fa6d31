"""Manifests: sums, paths that stay inside, and a head that can be read alone."""

import hashlib
import json

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.release import manifest
from bioscan_etl.release.manifest import (
    Counts,
    Ledger,
    is_inside,
    read_head,
    sums,
    walk,
    write_manifest,
    write_manifests,
)
from bioscan_etl.settings import Settings

COUNTS = Counts(splits={}, images={}, boxes=0, changes=0, quarantined={}, set_aside={}, rejected={})
LEDGER = Ledger(rows_read=3, specimens=1, quarantined=1, set_aside=1, rejected=0)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/é ü.txt").write_bytes(b"x" * (3 << 20))
    (tmp_path / "b").write_bytes(b"")
    return tmp_path


def test_sums_are_those_of_hashlib(root):
    names = sorted(walk(root))
    assert names == ["a/é ü.txt", "b"]
    for name, one in zip(names, sums(root, names, "x"), strict=True):
        data = (root / name).read_bytes()
        expected = (name, len(data), hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest())
        assert (one.path, one.size, one.sha256, one.md5) == expected


def test_manifests_name_every_file_once(root):
    named = {"settings": Settings(), "counts": COUNTS, "ledger": LEDGER, "inputs": [{"name": "x"}]}
    write_manifests(root, version="v1", inputs_digest="d", **named)
    document = manifest.Manifest.model_validate_json((root / "manifest.json").read_bytes())
    assert [entry.path for entry in document.files] == ["a/é ü.txt", "b", "md5sums.txt"]
    whole = json.loads((root / "manifest.json").read_text())
    del whole["files"]
    assert read_head(root) == whole
    assert (root / "md5sums.txt").read_text().splitlines()[1] == "d41d8cd98f00b204e9800998ecf8427e  b"


@settings(deadline=None, max_examples=examples(40))
@given(
    st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=9), st.integers(), st.lists(st.text())), max_size=4)
)
def test_a_head_is_read_as_it_was_written(tmp_path_factory, extra):
    root = tmp_path_factory.mktemp("r")
    head = {**extra, "format": "bioscan-release"}
    for files in ([], [{"path": "a", "size": 1}, {"path": "é", "size": 2}]):
        write_manifest(root, head, files)
        assert read_head(root) == head
        assert json.loads((root / "manifest.json").read_text())["files"] == files


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '{\n "format": "other",\n "files": [\n ]\n}'])
def test_what_is_no_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"list of files|not of a release|line 1"):
        read_head(tmp_path)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("a", True), ("a/b.c", True), ("a b/é", True), ("..a/b", True),
        ("", False), (".", False), ("..", False), ("../a", False), ("a/../b", False), ("/a", False), ("a//b", False),
        ("./a", False), ("a/", False), ("a\\b", False), ("a\0", False), ("//a", False),
    ],
)  # fmt: skip
def test_paths_of_a_manifest_stay_inside(name, inside):
    assert is_inside(name) is inside


def test_a_ledger_balances_or_not():
    assert LEDGER.balances
    assert not LEDGER.model_copy(update={"rejected": 1}).balances
