"""Labels that curators set.

Belongs here: reading, validating and applying the curators' CSV. Does not belong here: whether the
result is still a hierarchy (`invariants`).

A damaged line is skipped and reported; the others apply. A quoted cell may contain line breaks, but an unclosed
quote must not swallow the lines after it: no record extends over a line that is a record itself.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.errors import SettingsError
from bioscan_etl.taxonomy.changes import NOTES, differences
from bioscan_etl.vocabulary import RANKS

_HEADER = ("processid", "rank", "name", "field", "value", "reason", "curator", "date")
OVERRIDES = pl.Schema({"line": pl.Int64, **dict.fromkeys(_HEADER, pl.String)})
LEFT_OUT = pl.Schema({"line": pl.Int64, "text": pl.String, "problem": pl.String})


@dataclass(frozen=True, slots=True)
class Overrides:
    """The content of a curators' CSV.

    Both tables are in the order of the file; `line` is the line where a record begins, the header being line 1.

    Attributes:
        lines: `OVERRIDES`, the records that can be applied.
        left_out: `LEFT_OUT`, those that cannot: the text in the file, and a sentence that states why.
    """

    lines: pl.DataFrame
    left_out: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Applied:
    """Labels after the overrides.

    Attributes:
        labels: `row` and the ranks.
        log: `changes.LOG`.
        lines: `row`, `field` and `line` of the override that set the cell.
        effect: `OVERRIDES` with `records`, the number of labels that the line set.
    """

    labels: pl.DataFrame
    log: pl.DataFrame
    lines: pl.DataFrame
    effect: pl.DataFrame


def read_overrides(path: Path, specimens: pl.DataFrame) -> Overrides:
    """Read and validate the curators' CSV.

    Columns, in any order: `processid` or (`rank`, `name`) select the specimens; `field` is the rank to set;
    `value` is the label, or empty to clear it; `reason`, `curator` and `date` (YYYY-MM-DD) are required.

    A record is skipped if it has a broken quote or the wrong number of fields, names an unknown ID, rank, name or
    field, lacks a required value, or sets the same label as an earlier valid record. The file is read again in each
    run, so a record of a quarantined specimen applies as soon as the specimen is accepted.

    Args:
        path: the file, UTF-8.
        specimens: accepted specimens: `processid`, the ranks and `<rank>_verbatim`, which give the known IDs and names.

    Raises:
        SettingsError: the file cannot be read, or its header is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"overrides file {path} does not exist; check the setting taxonomy.overrides") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"overrides file {path} cannot be read as UTF-8: {error}") from None
    first, *rest = [f"{line}\n" for line in text.split("\n")]
    header = _alone(first)
    if sorted(header) != sorted(_HEADER):
        raise SettingsError(f"overrides file {path}, line 1: the columns must be {', '.join(_HEADER)}")
    rows: list[dict[str, Any]] = []
    problems: dict[int, str] = {}
    texts: dict[int, str] = {}
    for record in _records(rest, len(header)):
        texts[record.line] = record.text
        if record.broken:
            problems[record.line] = f"cannot be read as CSV ({record.broken}); check its quotes"
        elif any(record.cells) and len(record.cells) != len(header):
            problems[record.line] = f"{len(record.cells)} fields instead of {len(header)}"
        elif any(record.cells):
            cells = (cell or None for cell in record.cells)
            rows.append({"line": record.line, **dict(zip(header, cells, strict=True))})
    read = pl.DataFrame(rows, schema=OVERRIDES)
    invalid = _invalid(read, specimens)
    left_out = [(line, texts[line], problem) for line, problem in sorted((problems | invalid).items())]
    return Overrides(
        read.filter(~pl.col("line").is_in(list(invalid))), pl.DataFrame(left_out, schema=LEFT_OUT, orient="row")
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """A record of the file: number of its first line, text, stripped cells, and why it cannot be read."""

    line: int
    text: str
    cells: list[str]
    broken: str = ""


def _records(lines: Sequence[str], width: int) -> Iterator[_Record]:
    """Split the lines after the header into records; each line is part of exactly one.

    Args:
        lines: lines including their line feed.
        width: number of fields of a record.
    """
    start = 0
    while start < len(lines):
        following = (lines[number] for number in range(start + 1, len(lines)))
        # The lines that the reader may consume while a quote is open.
        within = takewhile(lambda line: len(_alone(line)) != width, following)
        reader = csv.reader(chain([lines[start]], within), strict=True)
        cells, broken, end = [], "", start + 1
        try:
            cells = _stripped(next(reader))
            end = start + reader.line_num
        except csv.Error as error:
            broken = str(error)
        yield _Record(start + 2, "".join(lines[start:end]).rstrip("\n"), cells, broken)
        start = end


def _alone(line: str) -> list[str]:
    """Stripped cells of a single line; none if its quotes do not match."""
    try:
        return _stripped(next(csv.reader([line], strict=True)))
    except csv.Error:
        return []


def _stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _invalid(overrides: pl.DataFrame, specimens: pl.DataFrame) -> dict[int, str]:
    """What is wrong, by the number of the line."""
    ids = set(overrides.join(specimens, on="processid", how="semi")["processid"].to_list())
    known = {rank: _known_names(specimens, rank) for rank in RANKS}
    usable: dict[tuple[str | None, ...], dict[str, Any]] = {}
    problems = {}
    for row in overrides.iter_rows(named=True):
        target = (row["processid"], row["rank"], row["name"], row["field"])
        problem = _problem(row, known, ids)
        if problem is None:
            earlier = usable.setdefault(target, row)
            problem = None if earlier is row else _repeated(row, earlier)
        if problem is not None:
            problems[row["line"]] = problem
    return problems


def _repeated(row: dict[str, Any], earlier: dict[str, Any]) -> str:
    if row["value"] == earlier["value"]:
        return f"repeats line {earlier['line']}, which sets the same label to the same value; delete one of them"
    applies = "clears it" if earlier["value"] is None else f"sets it to {earlier['value']!r}"
    return f"contradicts line {earlier['line']}, which {applies} and applies; keep one of them"


def _known_names(specimens: pl.DataFrame, rank: str) -> set[str]:
    names = set(specimens[rank].drop_nulls().unique()) | set(specimens[f"{rank}_verbatim"].drop_nulls().unique())
    if rank == "genus":
        names |= {name.split(" ")[0] for name in specimens["species"].drop_nulls().unique()}
    return names


def _problem(row: dict[str, str | None], known: dict[str, set[str]], ids: set[str]) -> str | None:
    processid, rank, name, field = row["processid"], row["rank"], row["name"], row["field"]
    missing = [column for column in ("reason", "curator", "date") if not row[column]]
    problem = None
    if processid is not None and (rank or name):
        problem = "give processid, or rank and name, not both"
    elif processid is None and not (rank and name):
        problem = "give processid, or rank and name"
    elif processid is not None and processid not in ids:
        problem = f"there is no accepted specimen {processid}: the ID is unknown, or a gate holds it at present"
    elif rank is not None and rank not in RANKS:
        problem = f"unknown rank {rank!r}; ranks are {', '.join(RANKS)}"
    elif rank is not None and name is not None and name not in known[rank] and not _filler_of(name, known):
        problem = f"no record carries the {rank} {name!r}"
    elif field not in RANKS:
        problem = f"unknown field {field!r}; fields are {', '.join(RANKS)}"
    elif missing:
        problem = f"{', '.join(missing)} is missing"
    elif not _is_date(str(row["date"])):
        problem = f"date {row['date']!r} is not YYYY-MM-DD"
    return problem


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _filler_of(name: str, known: dict[str, set[str]]) -> bool:
    base = name.removeprefix("unassigned").strip()
    return name.startswith("unassigned") and (not base or any(base in names for names in known.values()))


def apply_overrides(labels: pl.DataFrame, processids: pl.Series, overrides: pl.DataFrame) -> Applied:
    """Apply the curators' overrides.

    Lines with `rank` and `name` apply to all records that have that label before any override. If several apply to
    one label of a record, the one that names the deeper rank wins; a line with `processid` takes precedence
    over all of them.

    Args:
        labels: `row` and the ranks, in process ID order.
        processids: process ID by row number.
        overrides: the valid lines of `read_overrides`.
    """
    targets = labels.select("row", *RANKS).with_columns(processid=processids)
    depth = {rank: number for number, rank in enumerate(RANKS)}
    hits = [
        targets.join(part.select("line", "field", "value", **{name: "name"}), on=name, how="inner").select(
            "row", "line", "field", "value", depth=pl.lit(depth[name])
        )
        for name in RANKS
        if (part := overrides.filter(pl.col("processid").is_null() & (pl.col("rank") == name))).height
    ]
    by_id = overrides.filter(pl.col("processid").is_not_null())
    hits.append(
        targets.join(by_id.select("processid", "line", "field", "value"), on="processid", how="inner").select(
            "row", "line", "field", "value", depth=pl.lit(len(RANKS))
        )
    )
    cells = (
        pl.concat(hits).sort("row", "field", "depth", "line").unique(["row", "field"], keep="last", maintain_order=True)
    )
    after, notes = labels, []
    reasons = overrides.select("line", evidence=pl.format("line {}: {} ({}, {})", "line", "reason", "curator", "date"))
    for rank in RANKS:
        chosen = cells.filter(pl.col("field") == rank).join(reasons, on="line", how="left")
        after = (
            after.join(chosen.select("row", "value", hit=pl.lit(True)), on="row", how="left", maintain_order="left")
            .with_columns(pl.when("hit").then("value").otherwise(rank).alias(rank))
            .drop("value", "hit")
        )
        notes.append(chosen.select(key="row", field="field", rule=pl.lit("CURATOR_OVERRIDE"), evidence="evidence"))
    log = differences(labels, after, pl.concat(notes).cast(NOTES), "row")
    counts = cells.group_by("line").agg(records=pl.len())
    effect = overrides.join(counts, on="line", how="left", maintain_order="left").with_columns(
        pl.col("records").fill_null(0).cast(pl.Int64)
    )
    return Applied(after, log, cells.select("row", "field", "line").sort("row", "field"), effect)
