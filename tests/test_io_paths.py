"""Paths that a user gives, whatever they are."""

import os

import pytest

import bioscan_etl
from bioscan_etl.cli import main
from bioscan_etl.errors import BioscanError, SourceError
from bioscan_etl.io.paths import real_path


@pytest.fixture
def loop(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    return tmp_path / "a"


def test_a_path_is_that_of_the_library_where_that_has_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "link" / ".." / "x", tmp_path / "none", tmp_path / "link" / "link"):
        assert real_path(path) == path.resolve()


def test_links_that_lead_to_each_other_are_a_path_that_is_not_there(loop):
    assert real_path(loop).name in ("a", "b")
    assert not real_path(loop / "x").exists()


def test_a_nul_is_no_path():
    with pytest.raises(SourceError, match=r"a\\x00b holds a NUL"):
        real_path("a\0b")


@pytest.mark.parametrize("place", ["loop", "~no such user/x", "a\0b", "x" * 5_000, os.fsdecode(b"\xff/x")])
@pytest.mark.parametrize("command", ["check", "status", "run", "land", "plan", "why", "open_release"])
def test_no_path_is_a_traceback(loop, monkeypatch, place, command):
    monkeypatch.chdir(loop.parent)
    given = str(loop) if place == "loop" else place
    more = {"land": ["also-absent.tsv"], "why": ["AAAAA-01"]}.get(command, [])
    try:
        found = getattr(bioscan_etl, command)(given, *more)
    except (BioscanError, OSError):
        return
    if command == "plan":  # a corpus may be new
        assert found.release.blocked == "no batch is ingested yet"
    else:
        assert (command, {fault.fault for fault in found}) == ("check", {"there is no such folder"})


@pytest.mark.parametrize("words", [["check", "{}"], ["status", "--output", "{}"], ["land", "x", "--output", "{}"]])
def test_the_command_line_says_so_in_a_line(loop, capsys, words):
    assert main([word.format(loop) for word in words]) in (1, 2)
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in (out + err).splitlines())
