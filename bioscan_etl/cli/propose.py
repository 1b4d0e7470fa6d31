"""The commands `propose` and `proposals`: putting reports from users into a corpus, and what became of them.

Belongs here: their options and output. Does not belong here: what a line may say (`bioscan_etl.proposals`).
"""

from __future__ import annotations

from pathlib import Path

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, Folder, Said, reflowed

_SHOWN = 50


@reflowed
def propose(file: Path, /, *, output: Folder, answer: Answer = LINES, terminal: Said) -> int:
    """Put reports from users of the published data into a corpus.

    Check a CSV of reports, and copy it to reports/ of the corpus. If one line is wrong, nothing is copied. The next run
    lists each report as a doubt. Nothing is applied unless a curator decides so.

    Args:
        file: CSV of reports; docs/guide/decisions.md says what a line may hold
        output: folder of the corpus
    """
    done = api.propose(output, file)
    terminal.fact(added=done.added, file=done.file)
    terminal.say(f"{done.added:,} reports: {done.file}")
    terminal.hint(f"next: bioscan-etl run --output {output}, then bioscan-etl desk {output}")
    return 0


@reflowed
def proposals(*, output: Folder, answer: Answer = LINES, terminal: Said) -> int:
    """Show the reports from users and what became of them.

    List the lines in reports/ of a corpus: a doubt that curators decide on, of an unknown process ID, left out, or new.
    Exit with 1 if a file or line cannot be read, or a process ID is unknown.

    Args:
        output: folder of the corpus
    """
    found = api.list_proposals(output)
    wrong = found.lines.filter(found.lines["status"].is_in(["left_out", "unknown"])).height + found.refused.height
    terminal.fact(lines=found.lines, refused=found.refused)
    for name, why in found.refused.iter_rows():
        terminal.say(f"{name}: {why}")
    shown = found.lines.select("file", "line", "processid", "reason", "field", "value", "reporter", "status", "detail")
    terminal.frame("reports", shown.head(_SHOWN))
    if found.lines.height > _SHOWN:
        terminal.hint(f"the first {_SHOWN} of {found.lines.height:,} lines; --json prints all of them")
    counts = found.lines["status"].value_counts().sort("status")
    terminal.say(", ".join(f"{count:,} {status}" for status, count in counts.iter_rows()) or "no reports")
    return 1 if wrong else 0
