"""A fuzz run: damaged files through all readers, and what must never happen counted.

Belongs here: the sandbox, the judgement of one file, and the table. Does not belong here: the damage (`fuzz_mutators`)
and the readers (`fuzz_readers`). `benchmarks/fuzz.py` runs 10,000 files, `test_fuzz.py` a few.

A file passes if its reader refuses it with an error for the user, or says where each of its rows went; within the time,
without a character that a terminal would obey, and without a file outside the folder for its output.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fuzz_mutators import mutated
from fuzz_readers import Reader, Seed

from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError, sentence

LIMIT_S = 30
_RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class _TookTooLongError(BaseException):
    """The reader did not come to an end; no `Exception`, so that nothing takes it for one of the file."""


@dataclass
class Tally:
    """What came of the files of one reader.

    Attributes:
        faults: kind, name of the saved file, and what happened.
    """

    reader: str
    files: int = 0
    refused: int = 0
    rows: int = 0
    lost: int = 0
    tracebacks: int = 0
    raw: int = 0
    outside: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    faults: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing happened that never must."""
        return not (self.lost or self.tracebacks or self.raw or self.outside)


class Sandbox:
    """Folders for one file at a time, and whether anything was written beside the output."""

    def __init__(self, home: Path) -> None:
        # Names such as ../../../evil end within `home`.
        self._home = home
        self._box = home / "1" / "2" / "3" / "4"
        self.inputs, self.output = self._box / "inputs", self._box / "output"
        self._temporary, self._here = self._box / "temporary", self._box / "here"

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The temporary files and the working directory are in the sandbox."""
        before, cwd = tempfile.tempdir, Path.cwd()
        self.clear()
        tempfile.tempdir = str(self._temporary)
        os.chdir(self._here)
        try:
            yield
        finally:
            os.chdir(cwd)
            tempfile.tempdir = before

    def clear(self) -> None:
        """Empty all folders."""
        for folder in (self.inputs, self.output, self._temporary, self._here):
            if folder != self._here:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)

    def outside(self, name: str, data: bytes) -> list[str]:
        """What is there that should not be, or is no longer what it was."""
        known = {self.inputs, self.output, self._temporary, self._here, self.inputs / name, self._box}
        known |= {folder for folder in self._box.parents if folder.is_relative_to(self._home)}
        places = (*self._box.parents[:4], self._box, self.inputs, self._temporary, self._here)
        found = [str(one) for place in places for one in place.iterdir() if one not in known]
        if (self.inputs / name).read_bytes() != data:
            found.append(f"{self.inputs / name} (changed)")
        for one in found:
            path = Path(one)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != self.inputs / name:
                path.unlink(missing_ok=True)
        return found


class _Spoken:
    """What the process writes on stdout and stderr past Python, by file descriptor."""

    def __enter__(self) -> _Spoken:
        sys.stdout.flush()
        sys.stderr.flush()
        self._file = tempfile.TemporaryFile()
        self._saved = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(self._file.fileno(), number)
        return self

    def said(self) -> str:
        """What was written since the last call."""
        self._file.seek(0)
        text = self._file.read().decode("utf-8", "surrogateescape")
        self._file.seek(0)
        self._file.truncate()
        return text

    def __exit__(self, *_: object) -> None:
        for number, saved in zip((1, 2), self._saved, strict=True):
            os.dup2(saved, number)
            os.close(saved)
        self._file.close()


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def end(*_: object) -> None:
        raise _TookTooLongError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(chosen: Sequence[Reader], files: int, seed: int = 0, *, home: Path, keep: Path | None = None) -> list[Tally]:
    """Damage files and read them.

    Args:
        chosen: the readers, see `fuzz_readers.readers`.
        files: their number, over all readers.
        seed: of the damage; the same seed makes the same files.
        home: an empty folder.
        keep: folder for the files that did not pass.
    """
    whole = sum(reader.share for reader in chosen)
    sandbox = Sandbox(home)
    tallies = []
    with sandbox.entered(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for reader in chosen:
            tally = Tally(reader.name)
            with _Spoken() as spoken:
                for number in range(math.ceil(files * reader.share / whole)):
                    rng = random.Random(f"{seed} {reader.name} {number}")
                    one = reader.seeds[number % len(reader.seeds)]
                    place = None if keep is None else keep / reader.name / str(number)
                    _try(reader, one, rng, sandbox, spoken, tally, place)
            tallies.append(tally)
    return tallies


def _try(
    reader: Reader, seed: Seed, rng: random.Random, sandbox: Sandbox, spoken: _Spoken, tally: Tally, keep: Path | None
) -> None:
    """Read one damaged file, and judge what came of it."""
    data = mutated(seed.data, seed.mutators, rng) if seed.mutators else seed.data
    name = seed.name or "release"
    sandbox.clear()
    (sandbox.inputs / name).write_bytes(data)
    faults: list[tuple[str, str]] = []
    messages: tuple[str, ...] = ()
    printed = io.StringIO()
    began = time.perf_counter()
    try:
        with _limited(LIMIT_S):
            read = reader.read(sandbox.inputs / name, sandbox.output, rng)
        messages = read.messages
        tally.rows += read.rows
        if read.rows > read.accounted:
            tally.lost += read.rows - read.accounted
            faults.append(("lost", f"{read.rows} rows, {read.accounted} accounted for"))
    except (BioscanError, OSError) as error:
        tally.refused += 1
        messages = (sentence(error),)
        if isinstance(error, OSError) and not (error.filename or error.strerror):
            faults.append(("traceback", _trace(error)))
    except reader.raises as error:
        tally.refused += 1
        messages = (str(error),)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        faults.append(("traceback", _trace(error)))
    took = time.perf_counter() - began
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        for message in messages:
            Terminal().say(message)
    said = printed.getvalue() + spoken.said()
    if found := _RAW.search(said):
        faults.append(("raw", f"{found[0]!r} in {said[max(0, found.start() - 80) : found.end() + 40]!r}"))
    if "panicked at" in said or "Traceback (most" in said:
        faults.append(("traceback", said[:500]))
    for path in sandbox.outside(name, data):
        faults.append(("outside", path))
    tally.files += 1
    tally.seconds += took
    tally.slowest = max(tally.slowest, took)
    tally.tracebacks += any(kind == "traceback" for kind, _ in faults)
    tally.raw += sum(kind == "raw" for kind, _ in faults)
    tally.outside += sum(kind == "outside" for kind, _ in faults)
    for kind, what in faults:
        tally.faults.append((kind, f"{keep or ''}/{name}", what))
    if faults and keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / name).write_bytes(data)
        (keep / "what.txt").write_text(
            "\n\n".join(f"{kind}: {what}" for kind, what in faults), errors="backslashreplace"
        )


def _trace(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/bioscan_etl/" in frame.filename]
    place = f"{ours[-1].filename.rpartition('/bioscan_etl/')[2]}:{ours[-1].lineno}" if ours else "?"
    return f"{place}: {type(error).__name__}: {str(error)[:300]!r}"


_COLUMNS = ("files", "refused", "rows in", "rows lost", "tracebacks", "raw controls", "outside", "files/s", "slowest")


def table(tallies: Sequence[Tally]) -> str:
    """The tallies as a table, a line per reader."""
    lines = [f"{'reader':<12}" + "".join(f"{name:>14}" for name in _COLUMNS)]
    for one in tallies:
        pace = one.files / one.seconds if one.seconds else 0.0
        counts = (one.files, one.refused, one.rows, one.lost, one.tracebacks, one.raw, one.outside)
        lines.append(
            f"{one.reader:<12}" + "".join(f"{count:>14,}" for count in counts) + f"{pace:>14.0f}{one.slowest:>12.2f} s"
        )
    files, seconds = sum(one.files for one in tallies), sum(one.seconds for one in tallies)
    lines.append(f"{files:,} files in {seconds:.0f} s: {files / max(seconds, 1e-9):.0f} a second")
    return "\n".join(lines)
