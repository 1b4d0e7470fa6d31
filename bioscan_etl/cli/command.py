"""From arguments to a command, and from its end to an exit code.

Belongs here: parsing, the words about wrong arguments, and the errors that a command is expected to end with. Does not
belong here: errors that nobody expects, which `bioscan_etl.cli.main` reports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from bioscan_etl.cli.app import app
from bioscan_etl.cli.options import Loudness
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError, sentence
from bioscan_etl.extras import extras_named

UNUSABLE = 2


def run(words: Sequence[str]) -> int:
    """Run a command; returns the exit code.

    Args:
        words: the arguments after `bioscan-etl`.

    Raises:
        BaseException: what the command did not expect; Ctrl-C and a closed pipe too.
    """
    terminal = Terminal(as_json="--json" in words)
    try:
        command, bound, injected = app.parse_args(list(words), print_error=False, exit_on_error=False)
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
        raise
    except (BioscanError, OSError) as error:
        terminal.error(sentence(error))
        return UNUSABLE


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
