"""How the scripts of the training start and end."""

import subprocess
import sys

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.extras import MissingExtraError
from bioscan_etl.training.script import execute, extras_of


def test_a_missing_extra_ends_a_script_and_is_an_error_of_a_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    line = "this needs pycocotools, which is not installed: pip install 'bioscan-etl[train]'"
    with pytest.raises(SystemExit) as ended, extras_of("__main__"):
        import pycocotools
    assert ended.value.code == line
    with pytest.raises(MissingExtraError) as raised, extras_of("bioscan_etl.training.evaluate"):
        import pycocotools  # noqa: F401
    assert str(raised.value) == line


def test_an_error_that_a_user_can_mend_is_one_line():
    def main() -> None:
        raise SettingsError("name another\nfolder")

    with pytest.raises(SystemExit) as ended:
        execute(main)
    assert ended.value.code == r"name another\nfolder"


def test_another_error_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        execute(lambda: 1 / 0)


@pytest.mark.parametrize("name", ["calibrate", "dataset", "evaluate", "fit_baseline"])
def test_the_scripts_without_networks_run(name):
    done = subprocess.run(
        [sys.executable, "-P", "-m", f"bioscan_etl.training.{name}", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {name}.py")


def test_a_script_names_the_file_that_is_missing(tmp_path):
    absent = tmp_path / "absent.json"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bioscan_etl.training.evaluate", str(tmp_path), str(absent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"annotations {absent} do not exist; check the path"]
