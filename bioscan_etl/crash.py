"""Errors that no part of the program expects: a log file with the details, and one sentence for the user.

Belongs here: what the log holds, where it lies, and what is removed from it. Does not belong here: exit codes
(`bioscan_etl.cli`) and the errors that a user can act on (`bioscan_etl.errors`).
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from bioscan_etl.errors import sentence
from bioscan_etl.io.paths import real_path
from bioscan_etl.printable import printable

_LIBRARIES = ("polars", "pyarrow", "duckdb", "numpy", "pydantic", "cyclopts", "opencv-python-headless", "dagster")
_MOST_FRAMES = 60
# Parts of addresses that may be secret: user and password, and all parameters (signatures, tokens).
_USER = re.compile(r"(?<=://)[^/?#@\s'\"]+@")
_PARAMETERS = re.compile(r"(?<=\?)[^\s'\"<>]*=[^\s'\"<>]*")
_NAMED = re.compile(
    r"(?i)((?:password|passwd|secret|token|credential|api[-_]?key|access[-_]?key)\w*\"?'?\s*[=:]\s*)\S+"
)
_SECRET_NAME = re.compile(r"(?i)secret|token|password|passwd|credential|_key\b|_key_|signature")
_SHORTEST_SECRET = 8


def unexpected(error: BaseException, log: Path | None) -> str:
    """The sentence about an error that nobody expected: what happened, where the log lies, what to do.

    Args:
        error: the error.
        log: the file that `write_log` wrote; None if it could not.
    """
    where = (
        f"the details are in {log}; report it with this file"
        if log is not None
        else "no log could be written: set TMPDIR to a folder that can be written, and run it again"
    )
    if isinstance(error, MemoryError):
        return f"the memory is used up; free some, or set a lower images.workers; {where}"
    return printable(f"an error that bioscan-etl does not know: {redacted(sentence(error))}; {where}")


def write_log(error: BaseException, command: Sequence[str], folders: Sequence[Path] = ()) -> Path | None:
    """Write traceback, versions and command into a new file that only its owner can read.

    Args:
        error: the error.
        command: the program and its arguments; secrets are removed.
        folders: where to write, the first that works; at last the system's folder of temporary files.

    Returns:
        The path of the log; None if it could not be written anywhere. Never raises.
    """
    try:
        lines = "\n".join(_content(error, command)) + "\n"
    except Exception as failure:
        lines = f"the details could not be collected ({type(failure).__name__})\n{type(error).__name__}\n"
    for folder in (*folders, None):
        try:
            return _write(lines, folder)
        except (OSError, ValueError):
            continue
    return None


def corpus_folders(words: Sequence[str]) -> list[Path]:
    """The folders for logs of the corpora that a command names, which are those of the UI's logs, too."""
    named = [Path(word.partition("=")[2] if word.startswith("--") else word) for word in words]
    return [logs_of(folder) for folder in named if _is_corpus(folder)]


def logs_of(corpus: Path) -> Path:
    """The folder for logs of a corpus."""
    return real_path(corpus) / ".dagster" / "logs"


def _is_corpus(folder: Path) -> bool:
    try:
        return (folder / "lake").is_dir()
    except (OSError, ValueError):
        return False


def _write(lines: str, folder: Path | None) -> Path:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    handle, name = tempfile.mkstemp(prefix=f"bioscan-etl-{stamp}-", suffix=".log", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(lines)
    return Path(name)


def _content(error: BaseException, command: Sequence[str]) -> Iterator[str]:
    yield f"time       {time.strftime('%Y-%m-%d %H:%M:%S %z')}"
    yield f"command    {printable(redacted(' '.join(map(_quoted, command))))}"
    yield f"folder     {printable(_folder())}"
    yield f"versions   bioscan-etl {_version('bioscan-etl')}, Python {platform.python_version()}, {platform.platform()}"
    yield f"libraries  {', '.join(f'{name} {_version(name)}' for name in _LIBRARIES)}"
    yield ""
    trace = traceback.TracebackException.from_exception(error, limit=-_MOST_FRAMES, compact=True)
    for part in trace.format():
        yield from (printable(redacted(line)) for line in part.splitlines())


def _quoted(word: str) -> str:
    return repr(word) if not word or any(one.isspace() for one in word) else word


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "(removed)"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(absent)"


def redacted(text: str) -> str:
    """Replace what may be secret in a text by `***`.

    These are user and password and all parameters of web addresses, values with a name like `password=`, and the values
    of the environment variables whose name says that they are secret.

    Example:
        >>> redacted("https://me:pass@host/a.tsv?X-Amz-Signature=12ab")
        'https://***@host/a.tsv?***'
    """
    text = _NAMED.sub(r"\1***", _PARAMETERS.sub("***", _USER.sub("***@", text)))
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name):
            text = text.replace(value, "***")
    return text
