"""Figures of places: where specimens were collected, and how partitions differ in that.

Belongs here: maps, and shares of countries. Does not belong here: the world that maps show (`world`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.statistics.canvas import INK, MISSING, PAPER, QUIET, SECOND, Page, legend_below, say_empty, short
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.looks import COLOURS, HATCHES
from bioscan_etl.statistics.world import draw_world, project, small_countries

_MAP_WIDTH, _MAP_HEIGHT = 8, 4.6  # inches
_FRAME: Any = {"frameon": True, "facecolor": PAPER, "edgecolor": "none", "framealpha": 0.8}
_RASTERIZED = 400  # sites, above which they are drawn as pixels
POWERS = ("#c7e9a8", "#8fd1a5", "#4fb3a5", "#3690a6", "#2d6f9b", "#2b4f86", "#232f63")
"""Colours of 1 to 9 specimens, 10 to 99, and so on: darker for more, also without colour."""


def sites_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Collection sites: lat, lon (degrees) and size, their specimens; the largest first."""
    return (
        rows.select(lat="coord-lat", lon="coord-lon")
        .drop_nulls()
        .drop_nans()
        .group_by("lat", "lon")
        .agg(size=pl.len().cast(pl.Int64))
        .sort("size", "lat", "lon", descending=[True, False, False])
    )


def site_map(drawn: Drawn, page: Page) -> None:
    """Collection sites on an equal-area map; larger points for more specimens, with a legend."""
    sites = sites_of(drawn.rows)
    with_place = int(sites["size"].sum())
    page.caption = (
        f"Counted: {with_place:,} of {drawn.rows.height:,} specimens, which have coordinates; a site is a pair of "
        "latitude and longitude."
    )
    (axis,) = page.axes(_MAP_HEIGHT, _MAP_WIDTH)
    axis.set_title(f"Collection sites: {sites.height:,}")
    draw_world(axis)
    if sites.is_empty():
        axis.text(0, 0, "no specimen has coordinates", ha="center", va="center", color=QUIET)
        return
    # Area grows with the logarithm; the largest are drawn first so that small ones stay visible.
    at = project(sites["lon"].to_numpy(), sites["lat"].to_numpy())
    axis.scatter(
        at[:, 0], at[:, 1], s=_area(sites["size"].to_numpy()), color=SECOND, alpha=0.7, linewidths=0.4,
        edgecolors=PAPER, rasterized=sites.height > _RASTERIZED,
    )  # fmt: skip
    largest = int(sites["size"][0])
    for size in [10**power for power in range(7) if 10**power <= largest]:
        axis.scatter([], [], s=_area(np.array([size]))[0], color=SECOND, alpha=0.7, label=f"{size:,}")
    axis.legend(title="specimens", loc="lower left", fontsize=9, title_fontsize=9, **_FRAME)


def _area(sizes: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    area: npt.NDArray[np.float64] = 8 + 22 * np.log10(sizes)
    return area


def country_map(drawn: Drawn, page: Page) -> None:
    """Specimens of each country, in powers of ten; small countries also as points."""
    counts = (
        drawn.rows.select("country_iso")
        .drop_nulls()
        .group_by("country_iso")
        .agg(size=pl.len().cast(pl.Int64))
        .sort("size", "country_iso", descending=[True, False])
    )
    counted = int(counts["size"].sum())
    page.caption = (
        f"Counted: {counted:,} of {drawn.rows.height:,} specimens, which have a country; {counts.height:,} countries. "
        "Small countries are points. Borders: Natural Earth, which shows who holds an area, not who owns it."
    )
    (axis,) = page.axes(_MAP_HEIGHT, _MAP_WIDTH)
    axis.set_title(f"Countries: {counts.height:,}")
    colours = {code: POWERS[min(len(str(size)), len(POWERS)) - 1] for code, size in counts.iter_rows()}
    draw_world(axis, colours)
    if counts.is_empty():
        axis.text(0, 0, "no specimen has a country", ha="center", va="center", color=QUIET)
        return
    small = {code: place for code, place in small_countries().items() if code in colours}
    for code, (x, y) in sorted(small.items()):
        axis.plot(x, y, marker="o", markersize=5, color=colours[code], markeredgecolor=INK, markeredgewidth=0.6)
    for power in range(min(len(str(int(counts["size"][0]))), len(POWERS))):
        last = power + 1 == len(POWERS)
        name = f"{10**power:,} and more" if last else f"{10**power:,} to {10 ** (power + 1) - 1:,}"
        axis.fill([], [], color=POWERS[power], label=name if power else "1 to 9")
    axis.legend(title="specimens", loc="lower left", fontsize=8, title_fontsize=9, **_FRAME)


def partition_countries(drawn: Drawn, page: Page) -> None:
    """Shares of countries in each partition: where they differ, a model is tested elsewhere than it was trained."""
    counts = drawn.tables["partition_countries"].select("split", "country", "samples")
    totals = (
        counts.group_by("country").agg(pl.col("samples").sum()).sort("samples", "country", descending=[True, False])
    )
    shown = totals["country"].head(len(COLOURS)).to_list()
    page.caption = (
        f"Counted: {int(totals['samples'].sum()):,} of {drawn.rows.height:,} specimens, which have a country; "
        f"{totals.height:,} countries, of which the {len(shown)} most frequent are shown. In brackets: specimens."
    )
    (axis,) = page.axes(1.9 + 0.36 * max(3, counts["split"].n_unique()))
    axis.set_title("Countries by partition")
    if not shown:
        say_empty(axis, "no specimen has a country")
        return
    splits = [split for split in vocabulary.SPLITS if (counts["split"] == split).any()]
    found = {(split, country): size for split, country, size in counts.iter_rows()}
    whole = {split: sum(size for (of, _), size in found.items() if of == split) for split in splits}
    left = [0.0] * len(splits)
    parts = [*zip(shown, COLOURS, HATCHES, strict=False), ("other countries", MISSING, "")]
    for country, colour, hatch in parts:
        share = [100 * found.get((split, country), 0) / whole[split] for split in splits]
        if country == "other countries":
            share = [max(0.0, 100 - so_far) for so_far in left]
        axis.barh(
            range(len(splits)), share, left=left, color=colour, hatch=hatch, edgecolor=PAPER, linewidth=0.5,
            height=0.72, label=short(country),
        )  # fmt: skip
        left = [before + part for before, part in zip(left, share, strict=True)]
    axis.set_yticks(range(len(splits)), [f"{split} ({whole[split]:,})" for split in splits])
    axis.set_ylim(len(splits) - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("percent of the specimens with a country")
    legend_below(axis, 3)
