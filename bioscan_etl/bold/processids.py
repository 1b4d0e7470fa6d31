"""Which specimens a user wants images of: process IDs from a list or from a records file.

Belongs here: reading process IDs. Does not belong here: whether they are safe to use (`images`).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.records.read import read
from bioscan_etl.records.sources import DamagedError, Entry, entries
from bioscan_etl.settings import RecordSettings


def from_list(path: Path) -> pl.Series:
    """Process IDs of a text file, one per line, as written but for outer blanks; each once, sorted.

    Blank lines, lines that begin with `#` and a first line `processid` are not process IDs.

    Raises:
        SourceError: the file is absent, unreadable, or names none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check the path") from None
    lines = pl.Series("processid", text.splitlines(), dtype=pl.String).str.strip_chars()
    if len(lines) and lines[0] == "processid":
        lines = lines[1:]
    found = lines.filter((lines != "") & ~lines.str.starts_with("#"))
    if found.is_empty():
        raise SourceError(f"{path} names no process ID; write one per line")
    return found.unique().sort()


def from_records(location: str, settings: RecordSettings) -> pl.Series:
    """Process IDs of a records file, of any marker, each once, sorted; rejected rows have none.

    Raises:
        SourceError: the file cannot be read, is damaged, or holds no record.
    """
    parts: list[pl.Series] = []
    try:
        for entry in entries(location):
            if not isinstance(entry, Entry):
                continue
            for block in read(entry, settings, location):
                if block.damaged:
                    raise DamagedError("the table breaks off")
                parts.append(block.rows["processid"].unique())
    except DamagedError as error:
        raise SourceError(f"{location} is damaged: {error}; fetch the file again") from None
    found = pl.concat(parts).unique().sort() if parts else pl.Series(dtype=pl.String)
    if found.is_empty():
        raise SourceError(f"{location} holds no record with a process ID")
    return found.rename("processid")
