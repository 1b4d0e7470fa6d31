"""When each expectation passed or failed: in the batches of the lake, and in the releases that are still there.

Belongs here: what a release states about its expectations, reading it back, and putting it together. Does not belong
here: evaluating expectations (`validate`), and showing the history (`report`).

A release states its results in `report/expectations.csv`; a batch has them in its output of `batch_expectations`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from bioscan_etl.errors import LakeError
from bioscan_etl.lake.record import Record, committed, find_record
from bioscan_etl.lake.store import Lake
from bioscan_etl.quality.results import RESULTS, SAMPLE, ExpectationResult, read_results
from bioscan_etl.quality.spreadsheet import read_spreadsheet

_log = logging.getLogger("bioscan_etl")

LIST = "expectations.csv"
"""The file of a report that states the results of a release."""

STATED = pl.Schema(
    {
        "table": pl.String(),
        "expectation": pl.String(),
        "severity": pl.String(),
        "batch": pl.String(),
        "failing": pl.Int64(),
        "rows": pl.Int64(),
    }
)
"""Columns of `LIST`: `batch` is null for a table of the whole corpus, rows are columns for their order."""

HISTORY = pl.Schema(
    {
        "table": pl.String(),
        "expectation": pl.String(),
        "where": pl.String(),
        "passed": pl.Boolean(),
        "failing": pl.Int64(),
        "rows": pl.Int64(),
    }
)
"""`where` is `batch <name>` or `release <version>`."""


def history(lake: Lake, releases: Iterable[Path], records: Mapping[str, Record] | None = None) -> pl.DataFrame:
    """The results of every expectation in every batch and release.

    Args:
        lake: the lake, for the results of the batches.
        releases: folders of published versions; one that states no results, or whose list is damaged, is left out.
        records: of the batches; None: the current ones.

    Returns:
        `HISTORY`, sorted by table and expectation, then batches by name, then releases by number.
    """
    parts = [HISTORY.to_frame()]
    for batch, results in batch_results(lake, _current(lake) if records is None else records).items():
        parts.append(_history(stated({}, {batch: results}), f"batch {batch}"))
    for release in releases:
        found = read_stated(release)
        if found is not None:
            parts.append(_history(found, f"release {release.name}"))
    return in_order(pl.concat(parts))


def of_release(found: pl.DataFrame, version: str) -> pl.DataFrame:
    """What a release states (`STATED`) as history: its batches are added up."""
    return _history(found, f"release {version}")


def in_order(found: pl.DataFrame) -> pl.DataFrame:
    """`HISTORY` in its order."""
    number = pl.col("where").str.extract(r"^release v([0-9]+)$").cast(pl.Int64, strict=False)
    return found.sort("table", "expectation", number, "where", nulls_last=False, maintain_order=True)


def stated(
    corpus: Mapping[str, Sequence[ExpectationResult]], batches: Mapping[str, Sequence[ExpectationResult]]
) -> pl.DataFrame:
    """The results of a release as it states them.

    Args:
        corpus: results of the tables of the whole corpus, by stage.
        batches: results of the tables of each batch.

    Returns:
        `STATED`: the corpus in the order of its results, then the batches by name.
    """
    every = [(None, results) for results in corpus.values()] + sorted(batches.items())
    rows = [
        (one.table, one.id, one.severity, batch, one.unexpected_count, one.element_count)
        for batch, results in every
        for one in results
    ]
    return pl.DataFrame(rows, schema=STATED, orient="row")


def read_stated(release: Path) -> pl.DataFrame | None:
    """The results that a release states (`STATED`); None if it has no list, or a damaged one, which is logged."""
    path = release / "report" / LIST
    if path.is_symlink() or not path.is_file():
        return None
    try:
        names = read_spreadsheet(path, n_rows=0, infer_schema=False).columns
        if names != STATED.names():
            raise ValueError(f"its columns are {', '.join(names)}")
        found = read_spreadsheet(path, schema=STATED)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        _log.warning("%s is damaged and left out of the history: %s", path, str(error).split("\n", 1)[0])
        return None
    wrong = pl.any_horizontal(pl.exclude("batch").is_null(), pl.col("failing", "rows") < 0)
    if found.select(wrong.any()).item():
        _log.warning("%s is damaged and left out of the history: a value is missing or negative", path)
        return None
    return found


def batch_results(lake: Lake, records: Mapping[str, Record]) -> dict[str, list[ExpectationResult]]:
    """The results of the batches by name; one that has none is left out and logged."""
    found = {}
    for name, record in sorted(records.items()):
        try:
            found[name] = read_results(record.output(lake, "batch_expectations").path(RESULTS))
        except (LakeError, OSError, ValueError, TypeError) as error:
            _log.warning("the expectations of batch %s are left out of the history: %s", name, error)
    return found


def added_up(batches: Mapping[str, Sequence[ExpectationResult]]) -> list[ExpectationResult]:
    """The results of several batches as one result per table and expectation, in the order of the first batch."""
    groups: dict[tuple[str, str], list[ExpectationResult]] = {}
    for results in batches.values():
        for one in results:
            groups.setdefault((one.table, one.id), []).append(one)
    summed = []
    for found in groups.values():
        rows, failing = sum(one.element_count for one in found), sum(one.unexpected_count for one in found)
        first = found[0]
        summed.append(
            ExpectationResult(
                first.table,
                first.id,
                first.statement,
                first.column,
                first.severity,
                failing == 0,
                rows,
                failing,
                round(100 * failing / rows, 6) if rows else 0.0,
                tuple(line for one in found for line in one.sample)[:SAMPLE],
            )
        )
    return summed


def _history(found: pl.DataFrame, where: str) -> pl.DataFrame:
    return (
        found.group_by("table", "expectation", maintain_order=True)
        .agg(pl.col("failing").sum(), pl.col("rows").sum())
        .with_columns(where=pl.lit(where), passed=pl.col("failing") == 0)
        .select(HISTORY.names())
    )


def _current(lake: Lake) -> dict[str, Record]:
    """The current records; a damaged one is left out, and `status` names it."""
    found = {}
    for name in committed(lake):
        try:
            record = find_record(lake, name)
        except LakeError:
            continue
        if record is not None:
            found[name] = record
    return found
