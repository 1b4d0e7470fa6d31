"""Which process IDs can be used: as keys, as names of files, and as cells of a spreadsheet.

Belongs here: the one rule. Does not belong here: what is done with other process IDs (`records.blocks`,
`images.index`, `bold.images`). Process IDs become names of files on all systems, and arguments of their commands.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from bioscan_etl.schema import PROCESSID_PATTERN

LONGEST = 64
"""Characters. BOLD's have about 14; names of files, with suffixes, may have 255 bytes."""

NULL_WORDS = ("na", "nan", "-nan", "null", "none", "nil")
"""Process IDs, in lower case, that programs read as missing (pandas, R, SQL dumps, Python)."""

DEVICES = (
    *("con", "prn", "aux", "nul", "conin$", "conout$"),
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
)
"""Names, in lower case, that Windows opens as devices, whatever their suffix (Microsoft: naming files)."""


_TOO_LONG = f"has more than {LONGEST} characters"


def unfit(processid: pl.Expr) -> pl.Expr:
    """Why a process ID cannot be used, as the end of a sentence about it; null if it can, or is missing."""
    lower = processid.str.to_lowercase()
    return (
        pl.when(processid.str.len_chars() > LONGEST)
        .then(pl.lit(_TOO_LONG))
        .when(lower.is_in(NULL_WORDS))
        .then(pl.lit("is a word that programs read as missing"))
        .when(lower.is_in(DEVICES))
        .then(pl.lit("is the name of a device on Windows"))
        .when(~processid.str.contains(PROCESSID_PATTERN))
        .then(pl.lit("has other characters than letters, digits and -"))
        .when(processid.str.starts_with("-"))
        .then(pl.lit("begins with -, like an option of a command"))
    )


def reasons_unfit(processids: Iterable[str]) -> dict[str, str]:
    """The same for many process IDs at once: the reason of each that cannot be used."""
    found = pl.DataFrame({"processid": list(set(processids))}, schema={"processid": pl.String})
    return dict(found.with_columns(why=unfit(pl.col("processid"))).drop_nulls("why").iter_rows())


def reason_unfit(processid: str) -> str:
    """The same for one process ID; '' if it can be used."""
    return reasons_unfit([processid]).get(processid, "")
