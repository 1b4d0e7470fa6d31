"""Doubts over the releases: how many of each kind were open, to be looked at again, and decided.

Belongs here: counting them in the releases that are still there, and the table of their trend. Does not belong here:
the doubts of this release (`doubts_listed`), and the page (`report`).

A release states its doubts in `report/doubts.csv`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from bioscan_etl.doubts.kinds import KINDS
from bioscan_etl.doubts.state import CHANGED, DECIDED, OPEN, STATES
from bioscan_etl.quality.history_tables import RELEASES, trend
from bioscan_etl.quality.spreadsheet import read_spreadsheet

_log = logging.getLogger("bioscan_etl")

LIST = "doubts.csv"
"""The file of a report that lists the doubts of a release."""

DOUBT_HISTORY = pl.Schema(
    {"version": pl.String(), "kind": pl.String(), **dict.fromkeys(STATES, pl.Int64())},
)
"""Doubts of a kind in a release by state; a kind that a release has none of has no row."""


def doubt_history(releases: Iterable[Path]) -> pl.DataFrame:
    """The doubts of releases, counted.

    Args:
        releases: folders of published versions, oldest first; one that lists no doubts, or whose list is damaged, is
            left out.

    Returns:
        `DOUBT_HISTORY`, by release in the order given, then by kind. A release that lists none has one row without
        kind.
    """
    parts = [DOUBT_HISTORY.to_frame()]
    for release in releases:
        found = _read(release)
        if found is not None:
            parts.append(counted(found, release.name))
    return pl.concat(parts)


def counted(doubts: pl.DataFrame, version: str) -> pl.DataFrame:
    """`DOUBT_HISTORY` of a release.

    Args:
        doubts: `kind` and `state` of each.
        version: of the release.
    """
    if doubts.is_empty():
        return pl.DataFrame([(version, None, 0, 0, 0)], schema=DOUBT_HISTORY, orient="row")
    counts = [(pl.col("state") == state).sum().cast(pl.Int64).alias(state) for state in STATES]
    return doubts.group_by("kind").agg(counts).sort("kind").select(pl.lit(version).alias("version"), "kind", *STATES)


def doubt_rows(found: pl.DataFrame) -> pl.DataFrame:
    """One row per kind that any release had, in the order of the kinds.

    Args:
        found: `DOUBT_HISTORY`, oldest first.

    Returns:
        kind (its title), trend, and the numbers by release, as text. A bar of the trend is the number of doubts that
        wait in a release, open or to be looked at again, beside the highest number of the same kind.
    """
    versions = found["version"].unique(maintain_order=True).to_list()[-RELEASES:]
    shown = found.filter(pl.col("version").is_in(versions)).drop_nulls("kind")
    at = {(row["version"], row["kind"]): row for row in shown.iter_rows(named=True)}
    kinds = [*KINDS, *sorted(set(shown["kind"]) - set(KINDS))]
    none = dict.fromkeys(STATES, 0)
    rows = []
    for kind in kinds:
        numbers = [at.get((version, kind), none) for version in versions]
        if any(row is not none for row in numbers):
            title = KINDS[kind].title if kind in KINDS else kind
            waits = trend([row[OPEN] + row[CHANGED] for row in numbers])
            rows.append((title, waits, "; ".join(map(_said, versions, numbers))))
    return pl.DataFrame(rows, schema=dict.fromkeys(("kind", "trend", "releases"), pl.String), orient="row")


def _said(version: str, row: dict[str, int]) -> str:
    words = [(OPEN, "open"), (CHANGED, "to look at again"), (DECIDED, "decided")]
    return f"{version}: " + (", ".join(f"{row[state]:,} {word}" for state, word in words if row[state]) or "none")


def _read(release: Path) -> pl.DataFrame | None:
    """`kind` and `state` of the doubts that a release lists; None if it has no list, or a damaged one."""
    path = release / "report" / LIST
    if path.is_symlink() or not path.is_file():
        return None
    try:
        found = read_spreadsheet(path, columns=["kind", "state"], infer_schema=False)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        _log.warning("%s is damaged and left out of the history: %s", path, str(error).split("\n", 1)[0])
        return None
    wrong = ~pl.col("state").is_in(STATES) | pl.any_horizontal(pl.all().is_null())
    if found.select(wrong.fill_null(value=True).any()).item():
        _log.warning("%s is damaged and left out of the history: a doubt has no kind, or an unknown state", path)
        return None
    return found.select("kind", "state")
