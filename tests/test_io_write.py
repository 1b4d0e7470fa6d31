"""Local files appear whole or not at all."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from bioscan_etl.io import write
from bioscan_etl.io.write import atomic_file, write_text


def test_an_atomic_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file"

    def broken():
        with atomic_file(path) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(path.parent.iterdir()) == []
    write_text(path, "whole\n")
    assert path.read_bytes() == b"whole\n"
    assert oct(path.stat().st_mode)[-3:] == "644"


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="the system has no files without a name")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_process_leaves_no_part_of_a_file(number, tmp_path):
    code = f"""
import signal
import time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the tests may run where it is ignored
from bioscan_etl.io.write import atomic_file
with atomic_file(Path({str(tmp_path)!r}) / "table.csv") as stream:
    stream.write(b"half")
    stream.flush()
    print("go", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        process.send_signal(number)
    assert list(tmp_path.iterdir()) == []


def test_where_files_need_a_name_they_appear_whole_too(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_without_name", lambda folder: None)
    test_an_atomic_file_appears_whole_or_not_at_all(tmp_path)


def test_a_file_whose_name_the_file_system_refuses_is_copied_to_a_named_one(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", refuse)
    test_an_atomic_file_appears_whole_or_not_at_all(tmp_path)
    write_text(tmp_path / "large", "x" * 3_000_000)
    assert (tmp_path / "large").read_text() == "x" * 3_000_000
    assert sorted(one.name for one in tmp_path.iterdir()) == ["deep", "large"]


def test_a_file_takes_the_place_of_another_and_its_name_may_be_long(tmp_path):
    path = tmp_path / ("n" * 255)
    for text in ("one", "two"):
        write_text(path, text)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127, "*?[1] #%s {} 'q' \n~", b"K\xe4fer"])
def test_a_file_of_any_name_is_written(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    write_text(path, "whole\n")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
