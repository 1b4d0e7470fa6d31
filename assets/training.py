"""The scripts of `detector/` as the assets use them: run in a Python that can train, imported to measure.

Belongs here: where they are, what they need, how their lines reach the log. Does not belong here: what they do.
"""

import importlib
import json
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import bioscan_etl
from bioscan_etl import lake
from bioscan_etl.errors import BioscanError, SettingsError, SourceError
from bioscan_etl.io.read import file_sha256
from bioscan_etl.lake.locks import hold

SCRIPTS = Path(bioscan_etl.__file__).resolve().parents[1] / "detector"
NEEDED = ("torch", "ultralytics", "onnx", "onnxruntime", "pycocotools")
PYTHON = "BIOSCAN_TRAINING_PYTHON"
"""The environment variable that names the Python of the scripts."""
_LOOK = (
    "import importlib.util, json, sys; print(json.dumps([n for n in sys.argv[1:] if not importlib.util.find_spec(n)]))"
)
_ANOTHER = f"a Python that has the extra train: in {PYTHON}, or for the UI with --training-python PATH"
_SECONDS = 5.0  # between two lines of the log
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TAIL = 20  # lines that are logged of a script that failed


def scripts_digest() -> str:
    """Hex sha256 over the scripts and the networks' plans.

    Raises:
        SourceError: they are not there.
    """
    if not (SCRIPTS / "train.py").is_file():
        raise SourceError(
            f"no training scripts in {SCRIPTS}: the installed package has none; run from a checkout of the repository"
        )
    files = sorted(path for path in SCRIPTS.iterdir() if path.suffix in (".py", ".yaml"))
    return lake.digest({path.name: file_sha256(str(path)) for path in files})


def measuring(name: str) -> ModuleType:
    """A script as a module: `dataset`, or `evaluate`, which needs pycocotools.

    Raises:
        SettingsError: pycocotools is not installed beside Dagster.
    """
    scripts_digest()
    sys.path.insert(0, str(SCRIPTS))  # the scripts import each other by their bare names
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the evaluation needs {error.name} in {sys.executable}: pip install {error.name}, and run again"
        ) from None
    finally:
        sys.path.remove(str(SCRIPTS))


def annotated(annotations: str, part: str | None = None) -> list[Any]:
    """The images of a COCO file (`Annotated`), as `detector/dataset.py` reads them; of one part, or all.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        read: list[Any] = measuring("dataset").read_annotations(Path(annotations), part)
    except FileNotFoundError:
        raise SettingsError(f"annotations {annotations} do not exist; check the path") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"annotations {annotations} are no COCO file that can be read: {error}") from None
    return read


def read_image(folder: Path, name: str) -> bytes:
    """The bytes of an annotated image.

    Raises:
        SettingsError: the folder does not hold it.
    """
    try:
        return (folder / name).read_bytes()
    except (OSError, ValueError):  # also a name that is no file's
        raise SettingsError(f"{folder} has no image {name!r} that can be read; its annotations name it") from None


def training_python() -> str:
    """The Python that runs the scripts: the one that BIOSCAN_TRAINING_PYTHON names, else the code location's own.

    The code location's process has the variable, and no run can set it: whoever may start runs in the UI names no
    executable. `bioscan-etl ui OUTPUT --training-python PATH` starts the whole location in another Python, which then
    is its own.
    """
    return os.environ.get(PYTHON) or sys.executable


def require_training() -> str:
    """The Python that runs the scripts, once it is sure that it can train.

    Raises:
        SettingsError: it does not run, or lacks a package of the extra `train`.
    """
    scripts_digest()
    python = training_python()
    try:
        done = subprocess.run([python, "-c", _LOOK, *NEEDED], capture_output=True, text=True, check=False, timeout=120)
        missing = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"python {python} does not run ({type(error).__name__}); name {_ANOTHER}") from None
    if missing:
        raise SettingsError(
            f"{python} lacks {', '.join(missing)}: pip install 'bioscan-etl[train]' there, or name {_ANOTHER}"
        )
    return python


def run_script(python: str, name: str, arguments: Sequence[str], folder: Path, log: Callable[[str], None]) -> list[str]:
    """Run a script to its end, its lines to the log as they come (one in five seconds).

    It ends when this run is cancelled, and can be run again: what it has written stays.

    Args:
        python: that runs it.
        name: of the script.
        arguments: of it.
        folder: where it works; one script at a time, also where an earlier run was killed and its script was not.
        log: takes lines.

    Returns:
        Its last lines.

    Raises:
        BioscanError: it failed; its last lines are in the log. Or another script works in the folder.
    """
    busy = f"a script of an earlier run still works in {folder}; wait for it or end it, and run again"
    with hold(folder / ".lock", busy) as handle:
        # The script inherits the lock, and holds it as long as it lives.
        return _run(python, name, arguments, handle.fileno(), log)


def _run(python: str, name: str, arguments: Sequence[str], lock: int, log: Callable[[str], None]) -> list[str]:
    root = str(SCRIPTS.parent)  # the scripts must see this code, whatever their Python has installed
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    log(f"{name} starts")
    process = subprocess.Popen(
        [python, str(SCRIPTS / name), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[lock],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    tail: deque[str] = deque(maxlen=_TAIL)
    told = time.monotonic()
    try:
        with process.stdout:
            for line in process.stdout:  # a progress bar's returns end lines, too
                text = _COLOURS.sub("", line).strip()
                if not text:
                    continue
                tail.append(text)
                if time.monotonic() - told > _SECONDS:
                    told = time.monotonic()
                    log(f"{name}: {tail[-1]}")
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    log("\n".join([f"{name} ended with {code}:", *tail]))
    if code != 0:
        last = tail[-1] if tail else "it said nothing"
        raise BioscanError(f"{name} failed with {code}: {last}; the log has its last lines, run again to go on with it")
    return list(tail)
