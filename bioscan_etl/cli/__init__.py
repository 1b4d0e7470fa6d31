"""The command line: what `bioscan-etl COMMAND` does, and its exit codes.

Belongs here: the way from words to a command, and from an error to a sentence and an exit code. Does not belong here:
the words (`arguments`), what a command does (a module for each group of commands), how it says it (`terminal`), and
anything a notebook would want too: that is in the library.

Exit codes: 0 done; 1 `check` found faults, images could not be fetched, or a batch or the release failed; 2 the
command, a setting or an input cannot be used; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from bioscan_etl.cli import bold, explain, operate, release, run, tables
from bioscan_etl.cli.arguments import parser
from bioscan_etl.cli.parsing import UsageError
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError, sentence

UNUSABLE, INTERRUPTED, UNREAD = 2, 130, 141  # 141 is what a shell calls a broken pipe

_ACTS: Mapping[str, Callable[[argparse.Namespace, Terminal], int]] = {
    "check": release.check,
    "compare": tables.compare,
    "demo": operate.demo,
    "detect": tables.detect,
    "diff": release.diff,
    "fetch_images": bold.fetch_images,
    "fetch_records": bold.fetch_records,
    "land": operate.land,
    "publish": release.publish,
    "run": run.run,
    "split": tables.split,
    "status": operate.status,
    "ui": operate.ui,
    "why": explain.why,
    "withdraw": operate.withdraw,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Raises:
        SystemExit: the words are no command (2), or asked for help (0).
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        parsed = parser().parse_args(words)
    except UsageError as error:
        if "--json" in words:
            terminal = Terminal(as_json=True)
            terminal.error(str(error))
            terminal.finish()
        print(f"{error.usage}{error.program}: error: {error}", file=sys.stderr)
        raise SystemExit(UNUSABLE) from None
    terminal = Terminal(as_json=getattr(parsed, "json", False), quiet=parsed.quiet, verbose=parsed.verbose)
    with terminal.logging():
        code = _outcome(parsed, terminal)
    terminal.finish()
    return code


def _outcome(parsed: argparse.Namespace, terminal: Terminal) -> int:
    try:
        return _ACTS[parsed.act](parsed, terminal)
    except BrokenPipeError:
        # Whoever reads the answer has had enough, as `| head` has; Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except (BioscanError, OSError) as error:
        terminal.error(sentence(error))
        return UNUSABLE
    except KeyboardInterrupt:
        terminal.error("interrupted; run the same command again to go on")
        return INTERRUPTED
