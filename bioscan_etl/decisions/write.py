"""Saving decisions, and converting the files that curators had before.

Belongs here: writing `OUTPUT/decisions/*.csv`. Does not belong here: the form of a line (`read`).

Each curator has a file. A file that somebody edits in a spreadsheet at the same time is not overwritten blindly: a line
is added to what is there now, and lines that cannot be read are kept as they are.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import polars as pl
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from bioscan_etl.decisions.again import Reader, split_again
from bioscan_etl.decisions.csv_lines import cells_of, records, split_lines
from bioscan_etl.decisions.read import decision_id, line_problem, line_problems, read_decisions
from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.errors import BusyError, SourceError
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.decisions import folder
from bioscan_etl.lake.locks import hold
from bioscan_etl.lake.store import Lake

_OLD_COLUMNS = ("processid", "rank", "name", "field", "value", "reason", "curator", "date")
_WAIT_S = 10


def file_of(lake: Lake, curator: str) -> Path:
    """The file of a curator: the name without accents, in lower case, with - for everything else.

    Raises:
        SourceError: the name has no letter or digit.
    """
    plain = unicodedata.normalize("NFKD", curator).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60]
    if not slug:
        raise SourceError(f"{curator!r} names no file: give a curator's name with Latin letters or digits")
    return folder(lake) / f"{slug}.csv"


def save(
    lake: Lake,
    curator: str,
    lines: Sequence[Mapping[str, str | None]],
    taken_away: Collection[str] = (),
    reader: Reader | None = None,
) -> list[str]:
    """Add lines to the file of a curator, and take lines away from it, all or none.

    A line that is there already is not added again.

    Args:
        lake: the corpus.
        curator: whose file; the lines need not name the curator.
        lines: cells by column of `vocabulary.COLUMNS`; absent ones are blank.
        taken_away: ids of lines to remove; unknown ids are ignored.
        reader: what has read the files; lines that it knows are not parsed again.

    Returns:
        The ids of the lines, in order.

    Raises:
        SourceError: a line has the wrong form; the message names it and says what to write. Nothing is saved.
        BusyError: another process holds the file for too long.
    """
    wanted = [_complete(line, curator) for line in lines]
    for number, problem in enumerate(line_problems(wanted), 1):
        if problem:
            raise SourceError(f"decision {number} of {len(wanted)}: {problem}")
    path = file_of(lake, curator)
    busy = f"another process is writing {path}; try again"
    tries = Retrying(
        stop=stop_after_delay(_WAIT_S), wait=wait_fixed(0.05), retry=retry_if_exception_type(BusyError), reraise=True
    )
    return tries(_save, path, wanted, frozenset(taken_away), reader or Reader(), busy)


def _save(
    path: Path, wanted: Sequence[Mapping[str, str | None]], taken_away: frozenset[str], reader: Reader, busy: str
) -> list[str]:
    with hold(path.parent / ".lock", busy):
        header, kept, there = _read(path, taken_away, reader)
        ids = [decision_id(cells) for cells in wanted]
        added = [cells for number, cells in enumerate(wanted) if ids[number] not in {*there, *ids[:number]}]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, header, extrasaction="ignore", lineterminator="\n")
        writer.writerows({name: value or "" for name, value in cells.items()} for cells in added)
        write_text(path, "".join([",".join(header) + "\n", *kept, text.getvalue()]))
    return ids


def _read(path: Path, taken_away: frozenset[str], reader: Reader) -> tuple[list[str], list[str], set[str]]:
    """The header of a file, the text of the lines that stay, and their ids."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return list(COLUMNS), [], set()
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 (byte {error.start + 1:,}); save it as UTF-8 text first") from None
    first, *rest = split_lines(text)
    header = cells_of(first)
    if set(COLUMNS) - set(header) or len(header) != len(COLUMNS):
        raise SourceError(f"{path}, line 1: the columns must be {', '.join(COLUMNS)}; correct or move the file away")
    known = reader.ids(path.name, header)
    kept, ids = [], set()
    for _, line, record in split_again(rest, len(header), known):
        if record is None:
            its, is_whole = known[line], True
        else:
            if not record.text:
                continue
            its = decision_id(dict(zip(header, (cell or None for cell in record.cells), strict=False)))
            is_whole = not record.broken and len(record.cells) == len(header)
        if is_whole and its in taken_away:
            continue
        kept.append(line)
        ids.add(its)
    return header, kept, ids


def _complete(line: Mapping[str, str | None], curator: str) -> dict[str, str | None]:
    unknown = [name for name in line if name not in COLUMNS]
    if unknown:
        raise SourceError(f"a decision has no column {', '.join(unknown)}; its columns are {', '.join(COLUMNS)}")
    return {name: (line.get(name) or "").strip() or None for name in COLUMNS} | {"curator": curator.strip() or None}


def from_overrides(text: str) -> list[dict[str, str | None]]:
    """The lines of a file of overrides, as they were until version 2, as decisions.

    Args:
        text: the file: columns processid, rank, name, field, value, reason, curator, date.

    Raises:
        SourceError: it is no such file, or a line has the wrong form.
    """
    first, *rest = split_lines(text.removeprefix("\ufeff"))
    header = cells_of(first)
    if sorted(header) != sorted(_OLD_COLUMNS):
        raise SourceError(f"line 1: the columns of a file of overrides are {', '.join(_OLD_COLUMNS)}")
    found = []
    for record in records(rest, len(header)):
        if not record.broken and not any(record.cells):
            continue
        if record.broken or len(record.cells) != len(header):
            raise SourceError(f"line {record.line} cannot be read as {len(header)} cells; check its quotes")
        cells: dict[str, str | None] = dict(zip(header, (cell or None for cell in record.cells), strict=True))
        # The reason was a free text.
        line = dict.fromkeys(COLUMNS) | cells | {"action": "relabel", "reason": "other", "note": cells["reason"]}
        if problem := line_problem(line):
            raise SourceError(f"line {record.line}: {problem}")
        found.append(line)
    return found


def save_file(lake: Lake, path: Path, curator: str | None) -> tuple[list[Path], int]:
    """Add the lines of a file to the files of their curators.

    Args:
        lake: the corpus.
        path: CSV of decisions, or of the overrides of earlier versions.
        curator: who decided; None: the column `curator` says so.

    Returns:
        The curators' files, and the number of lines.

    Raises:
        SourceError: the file cannot be read, or a line is wrong; the message names the first.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 (byte {error.start + 1:,}); save it as UTF-8 text") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check the path") from None
    if sorted(cells_of(split_lines(text)[0])) == sorted(_OLD_COLUMNS):
        try:
            lines = from_overrides(text)
        except SourceError as error:
            raise SourceError(f"{path}, {error}") from None
    else:
        found = read_decisions({path.name: text})
        for _, why in found.refused.iter_rows():
            raise SourceError(f"{path}, {why}")
        wrong = found.lines.filter(pl.col("problem").is_not_null())
        for row in wrong.head(1).to_dicts():
            more = f" (and {wrong.height - 1} more wrong lines)" if wrong.height > 1 else ""
            raise SourceError(f"{path}, line {row['line']}: {row['problem']}{more}")
        lines = found.lines.select(COLUMNS).to_dicts()
    by_curator: dict[str, list[Mapping[str, str | None]]] = {}
    for line in lines:
        by_curator.setdefault(curator or line["curator"] or "", []).append(line)
    for name, own in by_curator.items():
        save(lake, name, own)
    return [file_of(lake, name) for name in by_curator], len(lines)
