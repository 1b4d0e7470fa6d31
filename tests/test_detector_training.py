"""The scripts of detector/ as the assets run and import them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bioscan_etl.assets import training
from bioscan_etl.errors import BioscanError, LakeError, SettingsError, SourceError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """A folder of scripts; gives a function that writes one."""
    folder = tmp_path / "detector"
    folder.mkdir()
    monkeypatch.setattr(training, "SCRIPTS", folder)

    def write(text: str, name: str = "train.py") -> str:
        (folder / name).write_text(text)
        return name

    return write


def test_lines_and_arguments_pass(scripts, tmp_path):
    text = """
import sys, bioscan_etl
print(*sys.argv[1:])
print('\\x1b[34mblue\\x1b[0m\\r\\n')
print('error', file=sys.stderr)
"""
    name = scripts(text)
    lines = []
    assert training.run_script(sys.executable, name, ["a b", "c"], tmp_path, lines.append) == ["a b c", "blue", "error"]
    assert lines == ["train.py starts", "train.py ended with 0:\na b c\nblue\nerror"]


def test_progress_is_told_while_it_runs(scripts, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "_SECONDS", -1.0)
    lines = []
    training.run_script(sys.executable, scripts("print('1/2\\r2/2', end='')"), [], tmp_path, lines.append)
    assert lines[1:3] == ["train.py: 1/2", "train.py: 2/2"]


def test_a_script_that_fails_is_told_by_its_last_line(scripts, tmp_path):
    lines = []
    with pytest.raises(
        BioscanError, match=r"train\.py failed with 1: ValueError: no such thing; the log has"
    ) as raised:
        training.run_script(sys.executable, scripts("raise ValueError('no such thing')"), [], tmp_path, lines.append)
    assert "\n" not in str(raised.value)
    assert "Traceback" in lines[-1]


def test_a_script_ends_with_the_run_that_is_cancelled(scripts, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "_SECONDS", -1.0)
    left = tmp_path / "left"
    text = f"""
import atexit, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(left)!r}).touch(), sys.exit()))
print("ready")
time.sleep(100)
"""

    def cancel(line: str) -> None:
        if "ready" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run_script(sys.executable, scripts(text), [], tmp_path, cancel)
    assert left.exists()


def test_a_script_that_outlived_its_run_is_not_joined_by_another(scripts, tmp_path):
    """A SIGKILL of Dagster leaves the script at work, and two at the same files would spoil them."""
    work, started, end = (tmp_path / name for name in ("work", "started", "end"))
    text = f"""
import pathlib, time
pathlib.Path({str(started)!r}).touch()
for _ in range(1000):
    if pathlib.Path({str(end)!r}).exists():
        break
    time.sleep(0.02)
"""
    name = scripts(text)
    run = (
        "import sys, pathlib; from assets import training; training.SCRIPTS = pathlib.Path(sys.argv[1]); "
        "training.run_script(sys.executable, sys.argv[2], [], pathlib.Path(sys.argv[3]), print)"
    )
    killed = subprocess.Popen([sys.executable, "-c", run, training.SCRIPTS, name, work], cwd=ROOT)
    while not started.exists():
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.wait(10)
    with pytest.raises(LakeError, match="a script of an earlier run still works in"):
        training.run_script(sys.executable, name, [], work, print)
    end.touch()
    for _ in range(200):
        try:
            assert training.run_script(sys.executable, name, [], work, print) == []
            break
        except LakeError:
            time.sleep(0.05)
    else:
        pytest.fail("the lock outlived the script")


def test_scripts_are_part_of_what_a_detector_is_made_from(scripts):
    with pytest.raises(SourceError, match="run from a checkout"):
        training.scripts_digest()
    scripts("print(1)")
    one = training.scripts_digest()
    scripts("print(2)")
    assert training.scripts_digest() != one
    two = training.scripts_digest()
    scripts("narrow: true", "coarse.yaml")
    assert training.scripts_digest() != two


def test_the_real_scripts_are_beside_the_package():
    for name in ("train", "refine", "export", "calibrate", "evaluate", "dataset"):
        assert (training.SCRIPTS / f"{name}.py").is_file()
    before = list(sys.path)
    assert training.measuring("dataset").part_of("AACTA1760-20.1024px.jpg") == "training"
    assert sys.path == before


def test_a_missing_package_is_told_in_one_line(scripts):
    scripts("")
    scripts("import no_such_package", "lacking.py")
    with pytest.raises(SettingsError, match=r"the evaluation needs no_such_package in .*: pip install no_such_package"):
        training.measuring("lacking")


def test_annotations_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(SettingsError, match=r"annotations .*absent\.json do not exist"):
        training.annotated(str(tmp_path / "absent.json"))
    for text in ("no json", "[]", '{"images": [{}], "annotations": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(SettingsError, match=r"bad\.json are no COCO file") as raised:
            training.annotated(str(tmp_path / "bad.json"))
        assert "\n" not in str(raised.value)
    for name in ("A.jpg", "..", "\0"):
        with pytest.raises(SettingsError, match="has no image"):
            training.read_image(Path(tmp_path), name)
