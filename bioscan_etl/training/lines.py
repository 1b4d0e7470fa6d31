"""Small CSV files that people write for the training scripts, line by line.

Belongs here: reading them, with the number of each line for the messages. Does not belong here: what a line means
(`labels`, `ordinary`), and the sheet of reviewed boxes (`images.reviews`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from bioscan_etl.errors import SettingsError

Line = tuple[int, dict[str, str]]
"""The number of a line, the header being 1, and its cells by column."""


def read_lines(path: Path, what: str, columns: Sequence[str], others: Sequence[str] = ()) -> list[Line]:
    """The lines that are not blank; cells without the spaces around them.

    Args:
        path: of the file, UTF-8.
        what: the file is, for messages: `triage`.
        columns: that it must have, in any order.
        others: that it may have.

    Raises:
        SettingsError: it cannot be read, is no CSV, or has other columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{what} {path} does not exist; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{what} {path} cannot be read as UTF-8: {error}; save it as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Line] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not set(columns) <= set(header) <= {*columns, *others} or len(set(header)) < len(header):
            wanted = ", ".join(columns) + (f" and may be {', '.join(others)}" if others else "")
            raise SettingsError(f"{what} {path}, line 1: the columns must be {wanted}, each once; found are {header}")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                said = f"{len(cells)} fields instead of {len(header)}; quote names with commas"
                raise SettingsError(f"{what} {path}, line {reader.line_num}: {said}")
            found.append((reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    except csv.Error as error:
        raise SettingsError(f"{what} {path}, line {reader.line_num}: {error}; save it as CSV with commas") from None
    return found


def wrong(path: Path, what: str, line: int, column: str, said: str) -> SettingsError:
    """The error of a cell: where it is, and what is wrong with it."""
    return SettingsError(f"{what} {path}, line {line}, column {column}: {said}")
