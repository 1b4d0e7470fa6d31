"""Labels that curators set.

Belongs here: reading the curators' CSV, its validation, its application. Does not belong here: whether the
result still is a hierarchy (`invariants`).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from bioscan_etl.errors import SettingsError
from bioscan_etl.schema import RANKS
from bioscan_etl.taxonomy.changes import NOTES, differences

_HEADER = ("processid", "rank", "name", "field", "value", "reason", "curator", "date")
OVERRIDES = pl.Schema({"line": pl.Int64, **dict.fromkeys(_HEADER, pl.String)})


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


def read_overrides(path: Path, specimens: pl.DataFrame) -> pl.DataFrame:
    """Read and validate the curators' CSV.

    Columns, in any order: `processid` or (`rank`, `name`) say which specimens; `field` is the rank to set;
    `value` the label, empty to clear it; `reason`, `curator` and `date` (YYYY-MM-DD) are required.

    Args:
        path: the file, UTF-8.
        specimens: `processid`, the ranks and `<rank>_verbatim`, to know which IDs and names exist.

    Returns:
        `OVERRIDES`, in the order of the file; `line` is the file's, the header being 1.

    Raises:
        SettingsError: the file cannot be read, or a line names an unknown ID, rank, name or field, lacks a
            value, or contradicts another; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"overrides file {path} does not exist; check the setting taxonomy.overrides") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"overrides file {path} cannot be read as UTF-8: {error}") from None
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if sorted(header) != sorted(_HEADER):
            raise SettingsError(f"overrides file {path}, line 1: the columns must be {', '.join(_HEADER)}")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise SettingsError(f"overrides file {path}, line {reader.line_num}: {error}") from None
    for line, cells in lines:
        if len(cells) != len(header):
            raise SettingsError(f"overrides file {path}, line {line}: {len(cells)} fields instead of {len(header)}")
    rows = [{"line": line, **dict(zip(header, (cell or None for cell in cells), strict=True))} for line, cells in lines]
    overrides = pl.DataFrame(rows, schema=OVERRIDES)
    _validate(overrides, specimens, path)
    return overrides


def _validate(overrides: pl.DataFrame, specimens: pl.DataFrame, path: Path) -> None:
    ids = overrides.join(specimens, on="processid", how="semi")["processid"].to_list()
    known = {rank: _known_names(specimens, rank) for rank in RANKS}
    seen: dict[tuple[str | None, ...], int] = {}
    for row in overrides.iter_rows(named=True):
        target = (row["processid"], row["rank"], row["name"], row["field"])
        problem = _problem(row, known, set(ids))
        if problem is None and target in seen:
            problem = f"sets the same label as line {seen[target]}; keep one of them"
        if problem is not None:
            raise SettingsError(f"overrides file {path}, line {row['line']}: {problem}")
        seen[target] = row["line"]


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
        problem = f"there is no accepted specimen {processid}"
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
    """Set the labels that curators ask for.

    Lines with `rank` and `name` apply to all records that carry that label before any override; of several
    that hit one label of a record, the one that names the deeper rank wins, and a line with `processid` wins
    over them all.

    Args:
        labels: `row` and the ranks, in process ID order.
        processids: process ID by row number.
        overrides: as from `read_overrides`.
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
