"""The scripts of the training, run in a Python of their own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bioscan_etl.errors import BioscanError, LakeError, SettingsError
from bioscan_etl.training import processes

ROOT = Path(__file__).parents[1]
NAME = "bioscan_etl.training.script_of_a_test"


@pytest.fixture
def run(tmp_path):
    """Run a text as a script of the package, in the folder `work`."""
    package = copy_of_package(tmp_path / "code")

    def call(text: str, arguments: list[str], log, folder: Path = tmp_path / "work") -> list[str]:
        (package / "training" / "script_of_a_test.py").write_text(text)
        return processes.run_script(sys.executable, NAME, arguments, folder, log, package=package)

    return call


def copy_of_package(folder: Path) -> Path:
    """A package `bioscan_etl` whose modules are those of the checkout, and to whose training a test may add one."""
    package = folder / "bioscan_etl"
    (package / "training").mkdir(parents=True)
    for path in sorted(processes.PACKAGE.iterdir()):
        if path.name not in ("training", "__pycache__"):
            (package / path.name).symlink_to(path)
    for path in sorted((processes.PACKAGE / "training").iterdir()):
        if path.name != "__pycache__":
            (package / "training" / path.name).symlink_to(path)
    return package


def test_lines_and_arguments_pass(run):
    text = """
import sys, bioscan_etl
print(*sys.argv[1:])
print('\\x1b[34mblue\\x1b[0m\\r\\n')
print('error', file=sys.stderr)
"""
    lines = []
    assert run(text, ["a b", "c"], lines.append) == ["a b c", "blue", "error"]
    assert lines == ["script_of_a_test starts", "script_of_a_test ended with 0:\na b c\nblue\nerror"]


def test_progress_is_logged_while_it_runs(run, monkeypatch):
    monkeypatch.setattr(processes, "_SECONDS", -1.0)
    lines = []
    run("print('1/2\\r2/2', end='')", [], lines.append)
    assert lines[1:3] == ["script_of_a_test: 1/2", "script_of_a_test: 2/2"]


def test_a_script_that_fails_is_reported_by_its_last_line(run):
    lines = []
    with pytest.raises(
        BioscanError, match=r"script_of_a_test failed with 1: ValueError: no such thing; the log has"
    ) as raised:
        run("raise ValueError('no such thing')", [], lines.append)
    assert "\n" not in str(raised.value)
    assert "Traceback" in lines[-1]


def test_a_script_ends_with_the_run_that_is_cancelled(run, monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_SECONDS", -1.0)
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
        run(text, [], cancel)
    assert left.exists()


def test_a_script_that_outlived_its_run_is_not_joined_by_another(run, tmp_path):
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
    package = copy_of_package(tmp_path / "other")
    (package / "training" / "script_of_a_test.py").write_text(text)
    code = (
        "import sys, pathlib; from bioscan_etl.training import processes; place = pathlib.Path(sys.argv[2]); "
        "processes.run_script(sys.executable, sys.argv[1], [], place, print, package=pathlib.Path(sys.argv[3]))"
    )
    killed = subprocess.Popen([sys.executable, "-c", code, NAME, work, package], cwd=ROOT)
    while not started.exists():
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.wait(10)
    with pytest.raises(LakeError, match="a script of an earlier run still works in"):
        run(text, [], print)
    end.touch()
    for _ in range(200):
        try:
            assert run(text, [], print) == []
            break
        except LakeError:
            time.sleep(0.05)
    else:
        pytest.fail("the lock outlived the script")


WHERE = """
import json, sys, bioscan_etl, bioscan_etl.training.dataset as dataset
print(json.dumps([bioscan_etl.__file__, dataset.__file__, sys.path]))
"""


def test_packages_in_the_working_directory_shadow_nothing(run, tmp_path, monkeypatch):
    for name in ("evaluate", "dataset", "assets", "numpy", "bioscan_etl"):
        (tmp_path / "here" / name).mkdir(parents=True)
        (tmp_path / "here" / name / "__init__.py").write_text(f"raise RuntimeError('{name} of the working directory')")
    monkeypatch.chdir(tmp_path / "here")
    [line] = run(WHERE, [], print)
    package, module, path = json.loads(line)
    assert Path(package).resolve() == (processes.PACKAGE / "__init__.py").resolve()
    assert Path(module).resolve() == (processes.PACKAGE / "training" / "dataset.py").resolve()
    assert str(tmp_path / "here") not in path
    assert "" not in path


def test_a_python_without_the_package_runs_it_and_sees_nothing_else_of_this_one(tmp_path):
    """A Python that has the libraries but neither this package nor the rest of the folder around it."""
    other = tmp_path / "libraries"
    other.mkdir()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # no site-packages at all
    python.chmod(0o755)
    lines = []
    with pytest.raises(BioscanError, match="No module named"):
        processes.run_script(str(python), "bioscan_etl.training.dataset", ["--help"], tmp_path / "w", lines.append)
    for path in map(Path, sys.path):
        if path.name == "site-packages":
            for each in path.iterdir():
                # Not the package, installed or editable.
                if not each.name.startswith(("bioscan", "_bioscan", "__editable__")):
                    (other / each.name).symlink_to(each)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{other}" exec {sys.executable} -S "$@"\n')
    found = processes.run_script(str(python), "bioscan_etl.training.dataset", ["--help"], tmp_path / "w", print)
    assert "usage: dataset.py" in " ".join(found)
    place = tmp_path / "w" / ".python"
    assert [path.name for path in place.iterdir()] == ["bioscan_etl"]


def test_a_moved_package_is_found_again(run, tmp_path):
    assert processes.run_script(sys.executable, "bioscan_etl.training.dataset", ["-h"], tmp_path / "work", print)
    run("print('here')", [], print)
    assert (tmp_path / "work" / ".python" / "bioscan_etl").readlink() == tmp_path / "code" / "bioscan_etl"


def test_the_python_is_the_one_that_the_environment_names(monkeypatch):
    monkeypatch.setenv(processes.PYTHON, "/elsewhere/python")
    assert processes.training_python() == "/elsewhere/python"
    monkeypatch.setenv(processes.PYTHON, "")
    assert processes.training_python() == sys.executable
    monkeypatch.delenv(processes.PYTHON)
    assert processes.training_python() == sys.executable


def test_a_python_that_cannot_train_is_reported_in_one_line(tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')  # without any installed package
    bare.chmod(0o755)
    for python, beginning in ((bare, f"{bare} lacks torch, ultralytics"), ("/no/python", "python /no/python does not")):
        monkeypatch.setenv(processes.PYTHON, str(python))
        with pytest.raises(SettingsError) as raised:
            processes.require_training()
        assert str(raised.value).startswith(beginning)
        assert "--training-python" in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_python_that_has_all_can_train(tmp_path, monkeypatch):
    folder = tmp_path / "packages"
    for name in processes.NEEDED:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv(processes.PYTHON, sys.executable)
    assert processes.require_training() == sys.executable
