"""Scripts of the training, run in a Python that has the extra `train`.

Belongs here: which Python that is, what it must have, how it finds this package, and how a script's lines reach the
log. Does not belong here: what the scripts do, and with which arguments a detector is tuned (`tuning`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import bioscan_etl
from bioscan_etl.errors import BioscanError, SettingsError
from bioscan_etl.io.paths import real_path
from bioscan_etl.lake.locks import hold

NEEDED = ("torch", "ultralytics", "onnx", "onnxruntime", "pycocotools")
PYTHON = "BIOSCAN_TRAINING_PYTHON"
"""The environment variable that names the Python of the scripts."""
PACKAGE = Path(bioscan_etl.__file__).resolve().parent
_LOOK = (
    "import importlib.util, json, sys; print(json.dumps([n for n in sys.argv[1:] if not importlib.util.find_spec(n)]))"
)
_ANOTHER = f"a Python from 3.11 on that has the extra train: in {PYTHON}, or for the UI with --training-python PATH"
# The working directory must not count: a package there may be called torch, evaluate or dataset.
_SAFE_PATH = "-P"
_SECONDS = 5.0  # between two lines of the log
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TAIL = 20  # lines of a failed script that are logged


def training_python() -> str:
    """The Python that runs the scripts: the one that BIOSCAN_TRAINING_PYTHON names, else this one.

    The variable belongs to the process of the code location, and no run can set it: a user of the UI who may start
    runs must not be able to name an executable. `bioscan-etl ui OUTPUT --training-python PATH` starts the whole code
    location in another Python, which then is this one.
    """
    return os.environ.get(PYTHON) or sys.executable


def require_training() -> str:
    """The Python that runs the scripts, after a check that it has what training needs.

    Raises:
        SettingsError: it does not run, or it lacks a package of the extra `train`.
    """
    python = training_python()
    look = [python, _SAFE_PATH, "-c", _LOOK, *NEEDED]
    try:
        done = subprocess.run(look, capture_output=True, text=True, check=False, timeout=120)
        missing = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"python {python} does not run ({type(error).__name__}); name {_ANOTHER}") from None
    if missing:
        raise SettingsError(
            f"{python} lacks {', '.join(missing)}: pip install 'bioscan-etl[train]' there, or name {_ANOTHER}"
        )
    return python


def run_script(
    python: str,
    module: str,
    arguments: Sequence[str],
    folder: Path,
    log: Callable[[str], None],
    *,
    package: Path = PACKAGE,
) -> list[str]:
    """Run a script to its end; its lines go to the log as they come, at most one in five seconds.

    The script ends when this call is cancelled. It can be run again: what it has written stays.

    Args:
        python: that runs the script.
        module: the script, as `bioscan_etl.training.train`.
        arguments: of the script.
        folder: where it works. One script works there at a time, also after a run that was killed and whose script was
            not.
        log: takes lines.
        package: folder of the package that the script is taken from.

    Returns:
        The script's last lines.

    Raises:
        BioscanError: the script failed, and its last lines are in the log; or another script works in the folder.
    """
    busy = f"a script of an earlier run still works in {folder}; wait for it or end it, and run again"
    with hold(folder / ".lock", busy) as handle:
        # The script inherits the lock, and holds it as long as it lives.
        return _run(python, module, arguments, _search_path(folder, package), handle.fileno(), log)


def _search_path(folder: Path, package: Path) -> str:
    """A folder for `PYTHONPATH` that holds this package and nothing else, within the script's folder.

    The script must run this code, not what its Python has installed. The folder around the package would not do: it
    may be the site-packages of this Python, whose numpy or torch another Python cannot use.
    """
    place = folder / ".python"
    place.mkdir(exist_ok=True)
    link = place / package.name
    if link.is_symlink() and link.readlink() != package:
        link.unlink()
    if not link.is_symlink():
        link.symlink_to(package, target_is_directory=True)
    return str(real_path(place))


def _run(
    python: str, module: str, arguments: Sequence[str], path: str, lock: int, log: Callable[[str], None]
) -> list[str]:
    name = module.rpartition(".")[2]
    paths = os.pathsep.join([path, *filter(None, [os.environ.get("PYTHONPATH")])])
    log(f"{name} starts")
    process = subprocess.Popen(
        [python, _SAFE_PATH, "-m", module, *arguments],
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
    logged = time.monotonic()
    try:
        with process.stdout:
            for line in process.stdout:  # a progress bar's returns end lines, too
                text = _COLOURS.sub("", line).strip()
                if not text:
                    continue
                tail.append(text)
                if time.monotonic() - logged > _SECONDS:
                    logged = time.monotonic()
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
        last = tail[-1] if tail else "it printed nothing"
        raise BioscanError(f"{name} failed with {code}: {last}; the log has its last lines, run again to go on with it")
    return list(tail)
