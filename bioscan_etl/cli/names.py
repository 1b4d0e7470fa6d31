"""The command `names`: what the pipeline makes of a list of names.

Belongs here: its options and output. Does not belong here: the rules of names (`bioscan_etl.taxonomy`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, File, Said, reflowed
from bioscan_etl.vocabulary import Rank

_SHOWN = 40
_Column = Annotated[str | None, Parameter(metavar="COLUMN")]


@reflowed
def names(
    file: Path,
    /,
    *,
    column: _Column = None,
    expected: _Column = None,
    rank: Annotated[
        Rank,
        Parameter(metavar="RANK", show_default=True),
    ] = "species",
    output: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Show what the pipeline makes of a list of names.

    Show type, normalised name, rules and reason of each name. With --expected, also count the false decisions per
    1,000 names. A list may hold millions of names. Without --output, only the first names are shown.

    Args:
        file: one name a line; or .csv or .tsv with a header, also with .gz
        column: column of the names; without it scientificName, species, name, taxon, or the first column
        expected: column of the names that must come out
        rank: rank of the names
        output: CSV: name, type, normalised, rules, reason
    """
    with terminal.progress() as progress:
        found = api.names(file, column=column, expected=expected, rank=rank, output=output, progress=progress)
    per_thousand = found.false_per_thousand
    terminal.fact(
        names=found.names,
        changed=found.changed,
        types=found.types,
        false=found.false,
        false_per_thousand=per_thousand,
        wrong=found.wrong,
        listed=[] if output else found.listed,
        output=output,
    )
    if output is None:
        terminal.frame(str(file), found.listed.head(_SHOWN))
        if found.names > _SHOWN:
            terminal.hint(f"the first {_SHOWN} of {found.names:,} names; --output FILE writes all of them")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.types.items())
    terminal.say(f"{found.names:,} names, {found.changed:,} of them changed ({kinds or 'none'})")
    if found.false is not None:
        rate = "" if per_thousand is None else f", {per_thousand:.2f} per 1,000 names"
        terminal.say(f"{found.false:,} false decisions{rate}")
        if found.false:
            terminal.frame("false decisions", found.wrong.select("name", "expected", "normalised", "type", "rules"))
    if output:
        terminal.say(f"names: {output}")
    return 0
