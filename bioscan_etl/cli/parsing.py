"""What the arguments of all commands are made with.

Belongs here: the parser that raises, and the types of values. Does not belong here: any command (`arguments`,
`arguments_alone`).
"""

from __future__ import annotations

import argparse
from typing import NoReturn, TypeAlias


class UsageError(Exception):
    """The words are no command.

    Attributes:
        program: the command that they were for.
        usage: what it takes.
    """

    def __init__(self, message: str, program: str, usage: str) -> None:
        super().__init__(message)
        self.program = program
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """A parser that leaves it to `main` how an error is said."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of ending the process.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, self.prog, self.format_usage())


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def positive(text: str) -> int:
    """A number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def port(text: str) -> int:
    """A number that a port can have."""
    number = positive(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return number
