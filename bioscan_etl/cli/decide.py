"""The commands `decide` and `decisions`: putting curators' lines into a corpus, and what became of them.

Belongs here: their options and output. Does not belong here: what a line may say (`bioscan_etl.decisions`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, Folder, Said, reflowed

_SHOWN = 50


@reflowed
def decide(
    file: Path,
    /,
    *,
    curator: Annotated[str | None, Parameter(metavar="NAME")] = None,
    output: Folder,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Put a file of decisions into a corpus.

    Check a CSV of curators' decisions, or one of the overrides of earlier versions, and add its lines to the files in
    decisions/ of the corpus. If one line is wrong, none is added. The next run applies them.

    Args:
        file: CSV of decisions; docs/guide/decisions.md says what a line may hold
        curator: who decided; without it, the column curator says so
        output: folder of the corpus
    """
    done = api.decide(output, file, curator=curator)
    terminal.fact(added=done.added, files=done.files)
    where = ", ".join(str(path) for path in done.files)
    terminal.say(f"{done.added:,} decisions: {where}")
    terminal.hint(f"next: bioscan-etl run --output {output}")
    return 0


@reflowed
def decisions(
    *,
    output: Folder,
    for_bold: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Show the curators' decisions and what became of them.

    List the lines in decisions/ of a corpus: applied or not by the last run, and why not; or new. Exit with 1 if a file
    or line cannot be read, or contradicts another.

    Args:
        output: folder of the corpus
        for_bold: write the values that curators corrected, for an update of the records at BOLD: a list (.csv), or the
            worksheets of BOLD's template (.zip)
    """
    if for_bold is not None:
        corrected = api.write_corrections(output, for_bold)
        terminal.fact(corrections=corrected, file=for_bold)
        terminal.say(f"{corrected:,} corrections: {for_bold}")
        return 0
    found = api.list_decisions(output)
    wrong = found.lines.filter(found.lines["status"].is_in(["left_out", "unknown"])).height + found.refused.height
    terminal.fact(lines=found.lines, refused=found.refused, taken_away=found.taken_away)
    for name, why in found.refused.iter_rows():
        terminal.say(f"{name}: {why}")
    shown = found.lines.select(
        "file", "line", "processid", "group", "name", "action", "field", "value", "status", "detail"
    )
    terminal.frame("decisions", shown.head(_SHOWN))
    if found.lines.height > _SHOWN:
        terminal.hint(f"the first {_SHOWN} of {found.lines.height:,} lines; --json prints all of them")
    counts = found.lines["status"].value_counts().sort("status")
    terminal.say(", ".join(f"{count:,} {status}" for status, count in counts.iter_rows()) or "no decisions")
    if found.taken_away:
        terminal.say(f"{found.taken_away:,} lines were taken away since the last run, which the next one undoes")
    return 1 if wrong else 0
