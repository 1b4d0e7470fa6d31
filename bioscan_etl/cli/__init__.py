"""The command line: what `bioscan-etl COMMAND` does, and its exit codes.

Belongs here: the handling of every error that no other code has caught. The package is imported inside the `try`, so
that Ctrl-C and a broken installation are reported in one line too. Does not belong here: turning arguments into a
command (`command`), the list of commands (`app`), their options and texts (one module per group of commands), how
output is printed (`terminal`), and the work: that is in `bioscan_etl.api`, for notebooks too.

Exit codes: 0 done; 1 `check` found faults, images could not be fetched, `why` found nothing, or a batch or the release
failed; 2 the command, a setting or an input cannot be used; 70 an error that the program does not know, with its
details in a log file; 130 interrupted; 143 ended by `kill`; 141 the reader of the output has closed the pipe.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

CRASHED, INTERRUPTED, UNREAD = 70, 130, 141  # 70 is EX_SOFTWARE of sysexits.h; 141 is what a shell calls a broken pipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Args:
        arguments: the arguments after `bioscan-etl`; None uses those of the process.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    tidily = _end_tidily()
    try:
        _open_streams()
        from bioscan_etl.cli.command import run

        return run(words)
    except KeyboardInterrupt:
        _last_words("interrupted; run the same command again to go on", words)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe, as `| head` does.
        abandon_streams()
        return UNREAD
    except SystemExit as end:  # of a library
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        return _crashed(end, words)
    except BaseException as error:
        return _crashed(error, words)
    finally:
        if tidily:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_tidily() -> bool:
    """Make `kill` end the command like an error, so that it removes its temporary files; a second one ends it at once.

    Returns:
        Whether the signal is caught: not in a thread, nor where a caller catches it.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return False

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    return True


def _open_streams() -> None:
    """Make stdout and stderr take any text: closed ones are replaced, and what cannot be encoded is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Not closed here: it takes the place of a stream of the process.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def abandon_streams() -> None:
    """Send what is left for a stream that cannot be written to nowhere: Python would print an error at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            except (OSError, ValueError):
                continue


def _crashed(error: BaseException, words: Sequence[str]) -> int:
    """Report an error that nothing before has caught; must work even if the package does not load."""
    try:
        from bioscan_etl.crash import corpus_folders, unexpected, write_log

        log = write_log(error, ["bioscan-etl", *words], corpus_folders(words))
        line = unexpected(error, log)
    except BaseException:
        line, log = f"an error that bioscan-etl does not know: {type(error).__name__}; install it again", None
    _last_words(line, words, log=None if log is None else str(log))
    return CRASHED


def _last_words(line: str, words: Sequence[str], **facts: str | None) -> None:
    """Print one line where errors go: on stderr, or as `error` of a JSON document."""
    import json

    try:
        if "--json" in words:
            print(json.dumps({"error": line, **facts}, indent=1), flush=True)
        else:
            print(f"bioscan-etl: {line}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        abandon_streams()
