"""The command line: what `bioscan-etl COMMAND` does, and its exit codes.

Belongs here: turning arguments into a command, and an error into a message and an exit code. Does not belong here:
the list of commands (`app`), their options and texts (one module per group of commands), how output is printed
(`terminal`), and the work: that is in `bioscan_etl.api`, for notebooks too.

Exit codes: 0 done; 1 `check` found faults, images could not be fetched, `why` found nothing, or a batch or the release
failed; 2 the command, a setting or an input cannot be used; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from bioscan_etl.cli.app import app
from bioscan_etl.cli.options import Loudness
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.extras import extras_named

UNUSABLE, INTERRUPTED, UNREAD = 2, 130, 141  # 141 is what a shell calls a broken pipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Args:
        arguments: the arguments after `bioscan-etl`; None uses those of the process.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    terminal = Terminal(as_json="--json" in words)
    try:
        command, bound, injected = app.parse_args(words, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        terminal.error(_wording(error))
        terminal.finish()
        return UNUSABLE
    answer = bound.arguments.get("answer", Loudness())
    terminal = Terminal(as_json=getattr(answer, "json", False), quiet=answer.quiet, verbose=answer.verbose)
    with terminal.logging():
        code = _outcome(lambda: command(*bound.args, **bound.kwargs, **dict.fromkeys(injected, terminal)), terminal)
    terminal.finish()
    asked = {*app.help_flags, *app.version_flags} & set(words)
    return UNUSABLE if command == app.help_print and not asked else code


def _outcome(act: Callable[[], Any], terminal: Terminal) -> int:
    """Run a command and return its exit code, which is 0 if the command returns nothing."""
    try:
        if terminal.quiet and terminal.verbose:
            raise BioscanError("--quiet and --verbose exclude each other; give one of them")
        with extras_named():
            return act() or 0
    except BrokenPipeError:
        # The reader has closed the pipe, as `| head` does; without this, Python would print another error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except (BioscanError, OSError) as error:
        terminal.error(sentence(error))
        return UNUSABLE
    except KeyboardInterrupt:
        terminal.error("interrupted; run the same command again to go on")
        return INTERRUPTED


def _wording(error: CycloptsError) -> str:
    """Describe what is wrong with the arguments, in one line."""
    command = " ".join(("bioscan-etl", *(error.command_chain or ())))
    said = " ".join(str(error).split()).partition(" Available commands:")[0].rstrip(".")
    if isinstance(error, UnusedCliTokensError):
        said = f"unexpected argument {' '.join(error.unused_tokens or ())}"
    elif isinstance(error, MissingArgumentError) and error.argument is not None:
        _, meant, suggestion = said.partition(" Did you mean ")
        given = error.keyword is not None or bool(error.argument.tokens)
        said = f"{error.argument.name} needs a value" if given else f"{error.argument.name} is missing"
        said += f".{meant}{suggestion}" if meant else ""
    return f"{said}; see {command} --help" if not said.endswith("?") else f"{said} See {command} --help"
