"""What a stage costs: time, processor time, bytes read and written, and the peak of memory.

Belongs here: reading the counters of this process. Does not belong here: what runs (`stages.run`), and where the
numbers are shown (`bioscan_etl.assets`, the log).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # what proc(5) takes in clear_refs to let the peak of memory begin anew


@dataclass(slots=True)
class Cost:
    """What happened in this process between two moments, whoever caused it.

    If stages run at the same time, each one's numbers contain those of the others.

    Attributes:
        seconds: wall time.
        processor_seconds: user and system time of all threads.
        bytes_read: what was asked of files, from the disk or from memory; None where the system does not count it.
        bytes_written: what was given to files; None where the system does not count it.
        peak_bytes: most memory of the process at one time; None where the system does not say.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    bytes_read: int | None = None
    bytes_written: int | None = None
    peak_bytes: int | None = None

    def __str__(self) -> str:
        sizes = {"read": self.bytes_read, "written": self.bytes_written, "peak": self.peak_bytes}
        shown = [f"{size / 1e6:,.0f} MB {name}" for name, size in sizes.items() if size is not None]
        return ", ".join((f"{self.seconds:.2f} s", f"{self.processor_seconds:.2f} processor s", *shown))


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure what happens within the block; the result is filled in when the block ends."""
    cost = Cost()
    with suppress(OSError):
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    before = _counters()
    wall, processor = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.seconds, cost.processor_seconds = time.perf_counter() - wall, time.process_time() - processor
        after = _counters()
        if "rchar" in before and "rchar" in after:
            cost.bytes_read = after["rchar"] - before["rchar"]
            cost.bytes_written = after["wchar"] - before["wchar"]
        if "VmHWM" in after:
            cost.peak_bytes = after["VmHWM"] * 1024


def _counters() -> dict[str, int]:
    """Numbers of /proc/self/io (bytes) and /proc/self/status (kB); none on systems without these files."""
    found = {}
    for name in ("io", "status"):
        with suppress(OSError):
            for line in (_PROCESS / name).read_text(encoding="utf-8").splitlines():
                field, _, value = line.partition(":")
                number = value.split()[:1]
                if number and number[0].isdigit():
                    found[field] = int(number[0])
    return found
