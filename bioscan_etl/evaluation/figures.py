"""Figures of scores: each model with its interval, beside what chance reaches.

Belongs here: drawing scores. Does not belong here: which are headlines (`headline`), and the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from bioscan_etl.evaluation.headline import BENCHMARK_TITLES, RANKS, headline, title
from bioscan_etl.statistics.canvas import BAR, INK, QUIET, SECOND, canvas, short, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MODEL_HEIGHT, _PANEL_HEIGHT = 0.27, 1.15  # inches
_MOST = 14  # models of a panel


class Drawn(NamedTuple):
    """A figure: the path of its SVG, and its caption."""

    path: Path
    caption: str


def draw_scores(scores: pl.DataFrame, benchmark: str, folder: Path, release: str) -> Drawn | None:
    """Draw the headline scores of a benchmark as `<benchmark>.svg` and `<benchmark>.png`.

    Args:
        scores: `schema.EVALUATION`.
        benchmark: whose scores.
        folder: made if missing.
        release: name and version.

    Returns:
        The figure; None if there is no score to draw.
    """
    shown = panels(headline(scores).filter(pl.col("benchmark") == benchmark))
    if not shown:
        return None
    path = folder / f"{benchmark}.svg"
    about = f"Data: {release}."
    with canvas(path, about, BENCHMARK_TITLES[benchmark]) as page:
        page.caption = (
            "Points: share of right answers, or adjusted mutual information, over all queries. Lines: 95 % interval, "
            "by bootstrap over queries. Squares: the commonest label of the keys as answer. Crosses: labels of the "
            "keys shuffled."
        )
        heights = [_PANEL_HEIGHT + _MODEL_HEIGHT * len(panel.rows) for panel in shown]
        axes = page.axes(sum(heights) + 0.4, rows=len(shown))
        for axis, panel in zip(axes, shown, strict=True):
            _draw_panel(axis, panel)
        grid = axes[0].get_gridspec()
        assert grid is not None
        grid.set_height_ratios(heights)
        handles, labels = axes[0].get_legend_handles_labels()
        page.figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return Drawn(path, words(page, about))


class Panel(NamedTuple):
    """A part of a figure: its title, what is asked, and its rows of `schema.EVALUATION`."""

    title: str
    asked: str
    rows: list[dict[str, Any]]


def panels(scores: pl.DataFrame) -> list[Panel]:
    """Rows by task, queries and keys, at one rank.

    Args:
        scores: headline rows of `schema.EVALUATION`.
    """
    found = []
    for (task, queries, keys), rows in scores.group_by("task", "queries", "keys", maintain_order=True):
        held = rows["rank"].to_list()
        rank = next((each for each in RANKS[rows["benchmark"][0]] if each in held), held[0])
        shown = rows.filter(pl.col("rank") == rank).head(_MOST).to_dicts()
        among = f"{queries} in {keys}" if keys else str(queries)
        found.append(Panel(title(str(task)), f"{rank}; {among}; n = {shown[0]['n']:,}", shown))
    return found


def reach(rows: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """How far the intervals of scores reach below and above them, of 100.

    AMI of halves may lie beside that of all records; the line then begins at the score.

    Args:
        rows: of `schema.EVALUATION`.
    """
    low = [100 * max(row["value"] - row["low"], 0.0) for row in rows]
    return [low, [100 * max(row["high"] - row["value"], 0.0) for row in rows]]


def _draw_panel(axis: Axes, panel: Panel) -> None:
    rows = panel.rows
    places = list(range(len(rows)))
    values = [100 * row["value"] for row in rows]
    axis.errorbar(values, places, xerr=reach(rows), fmt="o", color=BAR, ecolor=INK, elinewidth=1, label="score")
    for field, marker, colour, label in (
        ("majority", "s", SECOND, "majority"),
        ("shuffled", "x", QUIET, "labels shuffled"),
    ):
        known = [(place, 100 * row[field]) for place, row in zip(places, rows, strict=True) if row[field] is not None]
        axis.plot(
            [value for _, value in known],
            [place for place, _ in known],
            marker,
            color=colour,
            markersize=5,
            label=label,
        )
    axis.set_title(short(panel.title, 46), fontsize=10)
    axis.set_xlabel(fill(short(panel.asked, 80), 40), fontsize=9)
    axis.set_yticks(places, [short(row["model"], 48) for row in rows], fontsize=9)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlim(min(0.0, *(100 * row["low"] for row in rows)) - 2, 112)
    axis.set_xticks([0, 25, 50, 75, 100])
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    for place, value, row in zip(places, values, rows, strict=True):
        axis.annotate(
            f"{value:.1f}",
            (100 * row["high"], place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
