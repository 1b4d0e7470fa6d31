"""Processes of this machine: whether one is alive, children with a log and a back-off, and leftovers of a crash.

Belongs here: pids, groups, signals. Does not belong here: which processes make up the UI, and when it is ready.

A pid can be reused; together with the start time (`/proc`) it identifies a process. Without `/proc`, leftovers
of a crash are not found.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
_FIRST_DELAY_S, _LONGEST_DELAY_S, _STEADY_S = 0.5, 30.0, 60.0


@dataclass(frozen=True, slots=True)
class Process:
    """A living process: its parent's pid, the start in clock ticks since boot, and the command line."""

    pid: int
    parent: int
    started: int
    command: str


def has_proc() -> bool:
    """Whether this system lists its processes."""
    return (_PROC / "self" / "stat").exists()


def look(pid: int) -> Process | None:
    """The process of this pid; None if there is none, or if it has ended and waits for its parent."""
    try:
        # The second field is the command in parentheses and may hold spaces and parentheses itself.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    return Process(pid, int(fields[1]), int(fields[19]), command)


def started_at(process: Process) -> float:
    """When a process started, in seconds since the epoch by today's clock."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + process.started / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Child:
    """A process to keep alive, in a session of its own, so that the terminal's signals do not reach it.

    Args:
        name: name for the user.
        command: the program and its arguments.
        log: where its output goes.
        before: called before each start.
        log_bytes: the log is rotated when it is larger, into `NAME.log.1` and so on.
        log_files: how many rotated logs to keep.
    """

    name: str
    command: Sequence[str]
    log: Path
    before: Callable[[], None] = lambda: None
    log_bytes: int = 10_000_000
    log_files: int = 3
    process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _due: float = 0.0
    _delay: float = _FIRST_DELAY_S

    def start(self, environment: Mapping[str, str]) -> int:
        """Start it now; returns its pid."""
        self.before()
        self.rotate()
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                list(self.command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = time.monotonic()
        return self.process.pid

    def rotate(self) -> None:
        """Empty the log once it is large, and keep what it held: the process, and runs that it started, write on.

        They append to the open file, so it is copied and truncated, not renamed. A line that they write between the
        two is lost.
        """
        if not self.log.exists() or self.log.stat().st_size <= self.log_bytes:
            return
        rotated = [self.log.with_name(f"{self.log.name}.{number}") for number in range(1, self.log_files + 1)]
        for older, newer in zip(reversed(rotated[1:]), reversed(rotated[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)
        if rotated:
            shutil.copyfile(self.log, rotated[0])
        os.truncate(self.log, 0)

    def ended(self) -> tuple[str, float] | None:
        """How the process ended and in how many seconds it starts again; None if it is alive. Reported once."""
        if self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.process = None
        now = time.monotonic()
        if now - self._started >= _STEADY_S:
            self._delay = _FIRST_DELAY_S
        delay, self._delay = self._delay, min(2 * self._delay, _LONGEST_DELAY_S)
        self._due = now + delay
        return (f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"), delay

    def is_due(self) -> bool:
        """Whether it has ended and its pause is over."""
        return self.process is None and time.monotonic() >= self._due


@dataclass(slots=True)
class Ledger:
    """The processes started for an output, stored on disk: the next supervisor takes over those of a killed one.

    The group of a dead code server may contain runs that continue; they stay listed and are ended with the rest.
    """

    path: Path
    entries: list[tuple[str, int, int]] = field(default_factory=list)
    """Name, pid (which is also the process group) and start."""

    def load(self) -> None:
        """Read what the last supervisor wrote; a damaged or missing file is an empty one."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.entries = [(str(entry["name"]), int(entry["pid"]), int(entry["started"])) for entry in found]
        except (OSError, ValueError, KeyError, TypeError):
            self.entries = []

    def add(self, name: str, pid: int) -> None:
        """Add a process that was just started, and remove those that have ended."""
        process = look(pid)
        kept = [entry for entry in self.entries if _lives(entry) or _group_is_ours(entry)]
        self.entries = [*kept, (name, pid, process.started if process else 0)]
        text = json.dumps([{"name": name, "pid": pid, "started": started} for name, pid, started in self.entries])
        draft = self.path.with_name(f".{self.path.name}.new")
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self.path)

    def end_leaders(self) -> list[str]:
        """End the processes at once, but not the runs that they started. Returns their names."""
        ended = [entry for entry in self.entries if _lives(entry)]
        for _, pid, _ in ended:
            _send(os.kill, pid, signal.SIGKILL)
        _wait_for(lambda: not any(_lives(entry) for entry in ended), seconds=5)
        return [name for name, _, _ in ended]

    def end_groups(self, seconds: float, hurry: Callable[[], bool]) -> None:
        """End all processes and their children: TERM, then KILL after `seconds` or when `hurry` returns true."""
        groups = [entry for entry in self.entries if _lives(entry) or _group_is_ours(entry)]
        for number, patience, cut in ((signal.SIGTERM, seconds, hurry), (signal.SIGKILL, 5.0, lambda: False)):
            for entry in groups:
                _send(os.killpg, entry[1], number)
            if _wait_for(lambda: not any(_group_lives(entry[1]) for entry in groups), patience, cut):
                break
        self.path.unlink(missing_ok=True)


def _lives(entry: tuple[str, int, int]) -> bool:
    process = look(entry[1])
    return process is not None and process.started == entry[2]


def _group_is_ours(entry: tuple[str, int, int]) -> bool:
    # A group's number is not given to a new process while the group has members: with no process of that number,
    # whoever is in the group is in ours.
    return look(entry[1]) is None and _group_lives(entry[1])


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    # Members that have ended, and whose parent has not looked yet, count for the kernel, not here.
    return not has_proc() or any(
        _group_of(int(entry.name)) == group for entry in _PROC.iterdir() if entry.name.isdigit()
    )


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid) if look(pid) else None
    except ProcessLookupError:
        return None


def _send(function: Callable[[int, int], None], target: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        function(target, number)


def _wait_for(done: Callable[[], bool], seconds: float, hurry: Callable[[], bool] = lambda: False) -> bool:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until or hurry():
            return False
        time.sleep(0.1)
    return True
