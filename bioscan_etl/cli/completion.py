"""The command `--install-completion`: completion of commands, options and choices for the user's shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from cyclopts import App, Parameter

from bioscan_etl.cli.options import LINES, Answer, Said, UsageError, reflowed


def completion_of(app: App) -> Callable[..., int]:
    """The command that installs the completion of an application."""

    @reflowed
    def install_completion(
        *,
        shell: Annotated[Literal["bash", "zsh", "fish"] | None, Parameter(metavar="SHELL")] = None,
        answer: Answer = LINES,
        terminal: Said,
    ) -> int:
        """Complete commands and options in your shell (bash, zsh, fish).

        Write the completion for the shell into its folder of the home directory, and load it from the shell's start
        file.

        Args:
            shell: bash, zsh or fish; without it, the shell that you use
        """
        from cyclopts.completion.detect import ShellDetectionError

        try:
            path = app.install_completion(shell=shell)
        except (ShellDetectionError, ValueError):
            raise UsageError("your shell is not known; give --shell bash, zsh or fish") from None
        terminal.fact(completion=path)
        terminal.say(f"completion: {path}")
        terminal.hint("open a new shell to use it")
        return 0

    return install_completion
