"""What the commands share: types of options, and the options that all of them have.

Belongs here: names for kinds of values, as the help shows them. Does not belong here: an option of one command.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

from cyclopts import Group, Parameter, validators

from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.errors import BioscanError

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")

DEFAULTS = Parameter(negative=(), show_default=False)
"""Applies to every option: there is no --no-x, and a default is shown only if the option asks for it."""

_OUTPUT = Group("Output", sort_key=9)

Folder = Annotated[Path, Parameter(metavar="DIR")]
File = Annotated[Path, Parameter(metavar="FILE")]
Positive = Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=1), show_default=True)]
Said = Annotated[Terminal, Parameter(parse=False)]
"""Where a command prints its results; passed in by `main`."""


class UsageError(BioscanError):
    """Options that cannot be combined."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Loudness:
    """How much a command says.

    Attributes:
        quiet: show no progress, only results and errors.
        verbose: show the library's log too: Dagster's run ids, and what each stage costs.
    """

    quiet: Annotated[
        bool,
        Parameter(name=["--quiet", "-q"], group=_OUTPUT, help="show no progress, only results and errors"),
    ] = False
    verbose: Annotated[
        bool,
        Parameter(
            name=["--verbose", "-v"],
            group=_OUTPUT,
            help="show the library's log too: Dagster's run ids, and what each stage costs",
        ),
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Answer(Loudness):
    """How much a command says, and in which form.

    Attributes:
        json: print the result as one JSON document.
    """

    json: Annotated[bool, Parameter(group=_OUTPUT, help="print the result as one JSON document")] = False


LINES = Answer()
"""Lines for a person, with progress."""


def reflowed(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Join the lines of each paragraph and argument of a docstring, so that the help breaks them where it must."""
    lines: list[str] = []
    for line in inspect.cleandoc(function.__doc__ or "").splitlines():
        continues = lines and lines[-1] not in ("", "Args:") and line and not line.startswith("Args:")
        is_argument = line.startswith("    ") and not line.startswith("        ")
        if continues and not is_argument:
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    function.__doc__ = "\n".join(lines)
    return function
