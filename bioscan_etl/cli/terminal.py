"""The output of a command: lines for people, facts for programs, and progress.

Belongs here: the one way from a command to stdout and stderr, and what `--json`, `--quiet` and `--verbose` do to it.
Does not belong here: the texts of a command.

A command gives lines and facts; `Terminal` prints the lines or, with `--json`, the facts as one document at the
end. Every line is made printable first: values of records can hold the control codes of a terminal.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from bioscan_etl.cli.log_lines import LogFormatter
from bioscan_etl.errors import sentence
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress, estimate, silent

if TYPE_CHECKING:
    import polars as pl

_PIPE_WIDTH = 10_000  # columns: a pipe has no width, and cells must not be wrapped


def plain(value: Any) -> Any:
    """Convert a value to JSON types: frames become lists of objects, dates and paths text, NaN and infinity null."""
    if hasattr(value, "to_dicts"):
        value = value.to_dicts()
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


class Terminal:
    """The output of one command.

    Args:
        as_json: print the facts as one JSON document instead of the lines.
        quiet: no progress and no hints.
        verbose: also the log lines of the library, on stderr.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.facts: dict[str, Any] = {}

    def say(self, line: str = "") -> None:
        """Print a line of the result, unless the answer is JSON."""
        if not self.as_json:
            print(printable(line), flush=True)

    def hint(self, line: str) -> None:
        """Print a line that only a person needs, such as what to do next."""
        if not self.quiet:
            self.say(line)

    def note(self, line: str) -> None:
        """Print a line about the work on stderr, beside its progress; nothing with `--quiet`."""
        if not self.quiet:
            print(printable(line), file=sys.stderr, flush=True)

    def fact(self, **facts: Any) -> None:
        """Record facts for the JSON document, by stable names."""
        self.facts |= facts

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a small table with a title; a missing value is a dash, numbers are aligned to the right."""
        if self.as_json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table

        rows = [list(row) for row in rows]
        table = Table(title=printable(title), title_justify="left", box=box.SIMPLE_HEAD)
        for number, name in enumerate(columns):
            values = [row[number] for row in rows if row[number] is not None]
            right = bool(values) and all(isinstance(value, (int, float)) for value in values)
            table.add_column(printable(name), justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_cell(name, value) for name, value in zip(columns, row, strict=True)))
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        Console(markup=False, emoji=False, highlight=False, width=width).print(table)

    def frame(self, title: str, frame: pl.DataFrame) -> None:
        """Print a small frame as a table."""
        self.table(title, [name.replace("_", " ") for name in frame.columns], frame.iter_rows())

    def error(self, message: str) -> None:
        """Report why the command ended: on stderr, or as `error` of the JSON document."""
        self.fact(error=message)
        if not self.as_json:
            print(f"bioscan-etl: {printable(message)}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Print the JSON document, if one was asked for."""
        if self.as_json:
            # ASCII: names of files need not be UTF-8, and control codes must not reach a terminal.
            print(json.dumps(plain(self.facts), indent=1, allow_nan=False), flush=True)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Bars on a terminal; a line at each quarter of a stage elsewhere; nothing with `--quiet`."""
        if self.quiet:
            yield silent
            return
        # Log lines and bars do not go together.
        if self.verbose or not sys.stderr.isatty():
            yield _Lines()
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True, emoji=False)
        # Lines printed to a terminal meanwhile appear above the bars; piped output goes to the pipe.
        with Bars(*columns, console=console, redirect_stdout=sys.stdout.isatty()) as bars:
            yield _Bars(bars)

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Send the library's log lines to stderr if they were asked for, else only its warnings.

        Python's own warnings are for developers, for example about Dagster's preview features: only `--verbose` shows
        them. An error in a thread is a line as well.
        """
        handler = logging.StreamHandler(sys.stderr)
        form = "%(asctime)s %(levelname)s %(message)s" if self.verbose else "bioscan-etl: %(message)s"
        handler.setFormatter(LogFormatter(form, tracebacks=self.verbose))
        level = logging.INFO if self.verbose else logging.ERROR if self.quiet else logging.WARNING
        logs = [logging.getLogger(name) for name in ("bioscan_etl", "py.warnings")]
        before = [log.level for log in logs]
        hook, unraisable = threading.excepthook, sys.unraisablehook
        threading.excepthook = lambda found: _log_error(logging.WARNING, found.exc_value)
        sys.unraisablehook = lambda found: _log_error(logging.INFO, found.exc_value)
        with warnings.catch_warnings():
            if self.verbose:
                logging.captureWarnings(True)
            else:
                warnings.simplefilter("ignore")
            for log in logs:
                log.addHandler(handler)
                log.setLevel(level)
            try:
                yield
            finally:
                for log, earlier in zip(logs, before, strict=True):
                    log.removeHandler(handler)
                    log.setLevel(earlier)
                threading.excepthook, sys.unraisablehook = hook, unraisable
                logging.captureWarnings(False)


def _log_error(level: int, error: BaseException | None) -> None:
    """Log an error that no code can catch: of a thread, or while an object was removed."""
    if error is not None:
        logging.getLogger("bioscan_etl").log(level, "error in a background thread: %s", sentence(error), exc_info=error)


class _Lines:
    """Progress as lines on stderr: one at each quarter of a stage, with the time that it may still take."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._said: dict[str, float] = {}
        self._began: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if done < self._last.get(stage, 0) or stage not in self._last:
            # A new stage, or the same stage of the next batch.
            self._said[stage], self._began[stage] = 0.0, now
        self._last[stage] = done
        share = done / total if total else float(done == total)
        if done and share >= min(self._said[stage] + 0.25, 1.0) and self._said[stage] < 1:
            self._said[stage] = share
            of = f" of {total:,}" if total is not None else ""
            line = f"{stage}: {done:,}{of}{estimate(done, total, now - self._began[stage])}"
            print(printable(line), file=sys.stderr, flush=True)


class _Bars:
    """Progress as bars of rich, one a stage."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._done: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(printable(stage), total=total)
        elif done < self._done[stage]:
            self._bars.reset(self._tasks[stage])
        self._done[stage] = done
        self._bars.update(self._tasks[stage], completed=done, total=total)


def _cell(name: str, value: object) -> str:
    """A value of a table; shares as percent."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        if name.endswith("share"):
            return f"{100 * value:.2f} %"
        # A distance between barcodes is a few hundredths.
        return f"{value:,.0f}" if value.is_integer() or abs(value) >= 100 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else printable(value)
