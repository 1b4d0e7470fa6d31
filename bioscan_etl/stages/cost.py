"""What a stage costs: time, processor time, bytes read and written, and the peak of memory.

Belongs here: reading the counters of this process. Does not belong here: what runs (`stages.run`), and where the
numbers are shown (`bioscan_etl.assets`, the log).
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROCESS = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Cost:
    """What happened in this process between two moments, whoever caused it.

    If stages run at the same time, each one's numbers contain those of the others.

    Attributes:
        seconds: wall time.
        processor_seconds: user and system time of all threads.
        bytes_read: what was asked of files, from the disk or from memory; None where the system does not count it.
        bytes_written: what was given to files; None where the system does not count it.
        peak_bytes: most memory that the process has taken since it began; None where the system does not say. It is not
            begun anew: what watches the process from outside, such as `time -v`, would miss the real peak.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    bytes_read: int | None = None
    bytes_written: int | None = None
    peak_bytes: int | None = None

    def __str__(self) -> str:
        sizes = {"read": self.bytes_read, "written": self.bytes_written, "peak so far": self.peak_bytes}
        shown = [f"{size / 1e6:,.0f} MB {name}" for name, size in sizes.items() if size is not None]
        return ", ".join(
            (
                f"{self.seconds:.2f} s",
                f"{self.processor_seconds:.2f} processor s",
                f"{self.busy:.2f} cores busy",
                *shown,
            )
        )

    @property
    def busy(self) -> float:
        """Cores that were busy on average."""
        return self.processor_seconds / self.seconds if self.seconds else 0.0


class Meter:
    """Measures from its beginning on."""

    def __init__(self) -> None:
        self._counters = _counters()
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def cost(self) -> Cost:
        """What happened in this process since the beginning."""
        seconds, processor_seconds = time.perf_counter() - self._wall, time.process_time() - self._processor
        before, after = self._counters, _counters()
        counted = "rchar" in before and "rchar" in after
        return Cost(
            seconds,
            processor_seconds,
            after["rchar"] - before["rchar"] if counted else None,
            after["wchar"] - before["wchar"] if counted else None,
            after["VmHWM"] * 1024 if "VmHWM" in after else None,
        )


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
