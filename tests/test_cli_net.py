"""The last net of the command line: no error of any kind ends in a traceback."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from bioscan_etl import api, crash
from bioscan_etl.cli import main
from bioscan_etl.cli.terminal import Terminal


def panic():
    """A panic of polars: no `Exception`."""
    return pl.exceptions.PanicException("index out of bounds")


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "lake").mkdir()
    return tmp_path


def ends_with(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(api, "status", fail)


@pytest.mark.parametrize(
    "error",
    [
        TypeError("odd\nvalue\x1b[31m"),
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
        UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
        panic(),
        AssertionError(),
        GeneratorExit(),
        SystemExit("a library gave up"),
        ExceptionGroup("several", [ValueError("a")]),
    ],
)
def test_an_error_that_nobody_expects_is_one_line_a_log_and_exit_70(corpus, monkeypatch, capsys, error):
    ends_with(monkeypatch, error)
    assert main(["status", "--output", str(corpus)]) == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bioscan-etl: ")
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()
    (log,) = (corpus / ".dagster" / "logs").iterdir()
    assert str(log) in err
    assert "Traceback" in log.read_text()


def test_with_json_the_document_names_the_log(corpus, monkeypatch, capsys):
    ends_with(monkeypatch, TypeError("odd"))
    assert main(["status", "--output", str(corpus), "--json"]) == 70
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert "TypeError: odd" in found["error"]
    assert Path(found["log"]).is_file()


def test_without_a_place_for_the_log_the_line_is_said_all_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crash.tempfile, "tempdir", str(tmp_path / "gone"))
    ends_with(monkeypatch, TypeError("odd"))
    assert main(["status", "--output", str(tmp_path)]) == 70
    assert "no log could be written" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(SystemExit(), 0), (SystemExit(3), 3), (KeyboardInterrupt(), 130)])
def test_an_end_that_is_asked_for_is_no_crash(tmp_path, monkeypatch, capsys, error, code):
    ends_with(monkeypatch, error)
    assert main(["status", "--output", str(tmp_path)]) == code
    assert "log" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["stat\x1b[31mus"],
        ["status", "--outp\u202eut", "x"],
        ["check", "not-utf8-\udcff"],
        ["status", "--output", "\udcff"],
        ["run", "--output", "x", "--snapshot-date", "\x1b[2J"],
        ["demo", "--output", "x", "--specimens", "1\n2"],
        ["why", "\u200b", "--output", "a\nb"],
    ],
)
def test_arguments_are_quoted_with_every_character_visible(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main(words) in (1, 2)
    out, err = capsys.readouterr()
    for line in (out + err).splitlines():
        assert line.isprintable()
    (out + err).encode()


def test_an_error_in_a_thread_is_a_line(capsys):
    with Terminal().logging():
        thread = threading.Thread(target=lambda: int("x"))
        thread.start()
        thread.join()
    assert (
        capsys.readouterr().err == "bioscan-etl: error in a background thread: "
        "ValueError: invalid literal for int() with base 10: 'x'\n"
    )


def process(code, *, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], stdout=stdout, stderr=stderr, check=False, env=os.environ | environment
    )


START = "import sys; from bioscan_etl.cli import main; "


def test_a_module_that_does_not_load_is_one_line(tmp_path):
    done = process(
        "import sys; sys.modules['cyclopts'] = None; " + START + "sys.exit(main(['--help']))", TMPDIR=str(tmp_path)
    )
    assert done.returncode == 70
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_ctrl_c_while_the_program_loads_is_one_line():
    hook = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'cyclopts': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
    )
    done = process(hook + START + "sys.exit(main(['--help']))")
    assert done.returncode == 130
    assert done.stderr.decode() == "bioscan-etl: interrupted; run the same command again to go on\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_pipe_that_nobody_reads_ends_the_command_in_silence(stream):
    reading, writing = os.pipe()
    os.close(reading)
    words = ["--help"] if stream == "stdout" else ["no-such-command"]
    done = process(START + f"sys.exit(main({words}))", **{stream: writing})
    os.close(writing)
    assert done.returncode in (1, 141)  # 1: rich ends the help itself
    assert not done.stdout
    assert not done.stderr


def test_a_full_disk_under_the_output_is_no_traceback():
    with Path("/dev/full").open("wb") as full:
        done = process(START + "sys.exit(main(['--help']))", stdout=full)
    assert done.returncode == 2
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_closed_streams_are_no_error():
    done = process("import sys; sys.stdout = sys.stderr = None; " + START + "sys.exit(main(['--version']))")
    assert done.returncode == 0
    assert process("import sys; sys.stdout = None; " + START + "sys.exit(main(['nonsense']))").returncode == 2


def test_a_terminal_of_another_encoding_is_no_error(tmp_path):
    done = process(START + f"sys.exit(main(['check', {str(tmp_path / 'Öç–蜂')!r}]))", PYTHONIOENCODING="ascii")
    assert done.returncode in (1, 2)
    assert b"Traceback" not in done.stderr
    (done.stdout + done.stderr).decode("ascii")


def test_a_killed_command_removes_its_temporary_files(tmp_path):
    code = f"""
import signal, sys, tempfile, time
import bioscan_etl.cli.command as command
from bioscan_etl.cli import main

signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the tests may run where it is ignored

def run(words):
    with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):
        print("go", flush=True)
        time.sleep(60)

command.run = run
sys.exit(main([]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"go\n"
        killed.terminate()
    assert killed.returncode == 143
    assert list(tmp_path.iterdir()) == []
