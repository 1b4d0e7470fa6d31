"""The list of commands, and their order in the help.

Belongs here: what `bioscan-etl --help` lists. Does not belong here: a command's options and words. The modules of the
commands are cheap to import: `bioscan_etl.api` imports what a command needs when it is called.

cyclopts makes a command line from typed functions: it takes several values after one option, suggests the nearest name
for a wrong one, and writes completions for bash, zsh and fish. typer was considered too; it is based on click, where an
option takes one value or a fixed number of values.
"""

from __future__ import annotations

from cyclopts import App, Group

from bioscan_etl import __version__
from bioscan_etl.cli import (
    alerts,
    bold,
    corpus,
    decide,
    desk,
    evaluate,
    names,
    propose,
    release,
    run,
    statistics,
    tables,
    why,
)
from bioscan_etl.cli.completion import completion_of
from bioscan_etl.cli.options import DEFAULTS

EXIT_CODES = (
    "Exit codes: 0 done; 1 check found faults, images could not be fetched, why found nothing, or a batch or the "
    "release failed; 2 the command, a setting or an input cannot be used; 70 an error that the program does not know, "
    "its details are in a log file; 130 interrupted."
)

app = App(
    name="bioscan-etl",
    help="Turn BOLD records and specimen images into a checked release.",
    help_epilogue=EXIT_CODES,
    help_format="plaintext",
    version=f"bioscan-etl {__version__}",
    version_format="plaintext",
    default_parameter=DEFAULTS,
)

_ABOUT = Group("This program", sort_key=9)
_COMMANDS = {
    "Corpus": (
        run.run,
        corpus.land,
        corpus.status,
        why.why,
        decide.decide,
        decide.decisions,
        propose.propose,
        propose.proposals,
        desk.desk,
        corpus.withdraw,
        alerts.alerts,
        corpus.ui,
        corpus.demo,
    ),
    "Releases": (
        release.check,
        release.diff,
        statistics.statistics,
        statistics.figures,
        evaluate.evaluate,
        release.publish,
    ),
    "Tables and images, without a corpus": (tables.split, tables.detect, tables.compare, names.names),
}

for _place, (_title, _commands) in enumerate(_COMMANDS.items(), start=1):
    _group = Group(_title, sort_key=_place)
    for _number, _command in enumerate(_commands):
        # Set the name: otherwise the printed reference would show the name of the running program.
        app.command(App(name=_command.__name__, default_command=_command, group=_group, sort_key=_number))
bold.fetch.group = (Group("BOLD", sort_key=len(_COMMANDS) + 1),)
app.command(bold.fetch)
app.command(App(name="--install-completion", default_command=completion_of(app), group=_ABOUT))
for _flag in ("--help", "--version"):
    app[_flag].group = (_ABOUT,)
