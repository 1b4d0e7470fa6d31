"""How the headline scores changed over the releases of a corpus, as a figure.

Belongs here: that drawing. Does not belong here: the scores of one release (`figures`), and whether one has fallen
(`checks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from bioscan_etl.evaluation.figures import Drawn, panels, reach
from bioscan_etl.evaluation.headline import headline
from bioscan_etl.statistics.canvas import BAR, INK, QUIET, SECOND, THIRD, canvas, short, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OVER_RELEASES = "over_releases"
"""Name of the figure."""
TITLE = "Headline scores over the releases"
_MODEL = ("benchmark", "task", "model", "queries", "keys", "rank", "metric")
_MOST_RELEASES, _MOST_MODELS, _MOST_PANELS = 8, 5, 8
_PANEL_HEIGHT, _LINE_HEIGHT = 1.9, 0.2  # inches
_LOOKS = (("o", BAR), ("s", SECOND), ("^", THIRD), ("D", INK), ("x", QUIET))


def draw_over_releases(scores: Mapping[str, pl.DataFrame], folder: Path, dataset: str) -> Drawn | None:
    """Draw headline scores by release as `over_releases.svg` and `over_releases.png`.

    Args:
        scores: `schema.EVALUATION` by version, oldest first; what the last one does not have is not drawn.
        folder: made if missing.
        dataset: name of the data set.

    Returns:
        The figure; None unless two releases share a score.
    """
    chosen = dict(list(scores.items())[-_MOST_RELEASES:])
    shown = [headline(frame).with_columns(version=pl.lit(version)) for version, frame in chosen.items()]
    if len(shown) < 2:
        return None
    every = pl.concat(shown)
    shared = every.filter(pl.len().over(*_MODEL) > 1)
    last = shown[-1].join(shared.select(_MODEL).unique(), on=_MODEL, how="semi", maintain_order="left")
    asked = panels(last)[:_MOST_PANELS]
    if not asked:
        return None
    path = folder / f"{OVER_RELEASES}.svg"
    about = f"Data: {dataset}, {', '.join(chosen)}."
    with canvas(path, about, TITLE) as page:
        page.caption = (
            "Points: share of right answers, or adjusted mutual information, over all queries of a release. Lines: 95 "
            f"% interval. The best {_MOST_MODELS} models of the last release are shown."
        )
        heights = [_PANEL_HEIGHT + _LINE_HEIGHT * min(len(panel.rows), _MOST_MODELS) for panel in asked]
        axes = page.axes(sum(heights), rows=len(asked))
        for axis, panel in zip(axes, asked, strict=True):
            best = sorted(panel.rows, key=lambda row: -row["value"])[:_MOST_MODELS]
            held = pl.DataFrame(best, schema=last.schema).select(_MODEL)
            _draw_panel(axis, every.join(held, on=_MODEL, how="semi"), [row["model"] for row in best], list(chosen))
            axis.set_title(f"{short(panel.title, 46)}\n{short(panel.asked.rpartition(';')[0], 60)}", fontsize=10)
    return Drawn(path, words(page, about))


def _draw_panel(axis: Axes, rows: pl.DataFrame, models: list[str], versions: list[str]) -> None:
    places = {version: place for place, version in enumerate(versions)}
    for number, (model, (marker, colour)) in enumerate(zip(models, _LOOKS, strict=False)):
        mine = rows.filter(pl.col("model") == model).to_dicts()
        # Beside each other, so that intervals of equal scores do not hide each other.
        across = [places[row["version"]] + 0.08 * (number - (len(models) - 1) / 2) for row in mine]
        axis.errorbar(
            across,
            [100 * row["value"] for row in mine],
            yerr=reach(mine),
            fmt=f"{marker}-",
            color=colour,
            elinewidth=1,
            markersize=5,
            label=short(model, 48),
        )
    axis.set_xticks(list(places.values()), [short(version, 12) for version in versions])
    axis.set_xlim(-0.5, len(versions) - 0.5)
    axis.set_ylim(min(0.0, *(100 * low for low in rows["low"])) - 2, 104)
    axis.grid(axis="y")
    axis.legend(loc="upper left", bbox_to_anchor=(0, -0.14), fontsize=8, ncols=1)
