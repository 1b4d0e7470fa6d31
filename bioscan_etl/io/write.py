"""Writing local files: each appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

_OPEN_FILES = Path("/proc/self/fd")
_PREFIX = ".part-"
_BLOCK = 1 << 20


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Write a local file that appears whole or not at all; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _without_name(path.parent)
    if handle is None:
        with _named_file(path) as stream:
            yield stream
        return
    with os.fdopen(handle, "wb") as stream:
        yield cast("BinaryIO", stream)
        stream.flush()
        os.fsync(handle)
        temporary = _link(handle, path.parent)
        if temporary is not None:
            _move(temporary, path)
            return
        with _named_file(path) as copy, os.fdopen(os.dup(handle), "rb") as written:
            written.seek(0)
            shutil.copyfileobj(written, copy, _BLOCK)


@contextmanager
def _named_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file under another name in the same folder, then rename it; a killed process leaves it behind."""
    handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield cast("BinaryIO", stream)
            stream.flush()
            os.fsync(handle)
        temporary.chmod(0o644)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _move(temporary, path)


def _without_name(folder: Path) -> int | None:
    """Open a new file that has no name yet, so that nothing of it stays behind however the process ends.

    Returns:
        A file descriptor; None if the system or the file system has no such files.
    """
    kind = getattr(os, "O_TMPFILE", None)
    if kind is None or not _OPEN_FILES.is_dir():
        return None
    try:
        return os.open(folder, kind | os.O_RDWR, 0o644)
    except OSError:
        return None


def _link(handle: int, folder: Path) -> Path | None:
    """Give a file without a name a temporary one; None if the file system refuses that."""
    os.fchmod(handle, 0o644)
    temporary = folder / f"{_PREFIX}{secrets.token_hex(8)}"
    place = os.open(folder, os.O_RDONLY)
    try:
        # With the folder's descriptor, Python follows the link to the open file.
        os.link(_OPEN_FILES / str(handle), temporary.name, dst_dir_fd=place)
    except OSError:
        return None
    finally:
        os.close(place)
    return temporary


def _move(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with LF line ends."""
    with atomic_file(path) as stream:
        stream.write(text.encode())
