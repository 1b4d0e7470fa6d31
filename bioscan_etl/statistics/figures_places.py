"""Figures of places: where specimens were collected, and how partitions differ in that.

Belongs here: maps, and shares of countries. The map is in the Equal Earth projection, in which areas compare (Šavrič,
Patterson & Jenny 2018, doi:10.1080/13658816.2018.1504949).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.statistics.canvas import MISSING, SECOND, canvas, say_empty
from bioscan_etl.statistics.drawn import Drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SMALLEST_ISLAND = 0.3  # square degrees
_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_LAND, _COAST, _LINES = "#edf1ee", "#c3ccc7", "#e3e8e5"
_COUNTRIES = 9
_COLOURS = ("#2f6f5e", "#c8823a", "#2b6cb0", "#9ccabd", "#8a5a2b", "#7fb2e5", "#5b9e8b", "#e4b98a", "#54606b")
_HATCHES = ("", "//", "", "\\\\", "..", "", "xx", "", "++")


def project(lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Equal Earth coordinates, shape (points, 2), in radii of the earth; degrees are taken."""
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(lat)))
    square, sixth = theta**2, theta**6
    slope = 3 * (9 * _A4 * theta**8 + 7 * _A3 * sixth + 3 * _A2 * square + _A1)
    x = 2 * np.sqrt(3) * np.radians(lon) * np.cos(theta) / slope
    y = theta * (_A1 + _A2 * square + sixth * (_A3 + _A4 * square))
    return np.stack([x, y], axis=1)


def site_map(drawn: Drawn, path: Path) -> None:
    """Collection sites on an equal-area map; larger points for more specimens, with a legend."""
    sites = (
        drawn.rows.select(lat="coord-lat", lon="coord-lon")
        .drop_nulls()
        .drop_nans()
        .group_by("lat", "lon")
        .len("size")
        .sort("size", "lat", "lon", descending=[True, False, False])
    )
    with canvas(path, 10, 5.4) as (axis,):
        with_place = int(sites["size"].sum())
        axis.set_title(f"Collection sites: {sites.height:,}, of {with_place:,} of {drawn.rows.height:,} specimens")
        axis.set_aspect("equal")
        axis.set_axis_off()
        _draw_world(axis)
        if sites.is_empty():
            axis.text(0, 0, "no specimen has coordinates", ha="center", va="center", color="#6b7671")
            return
        # Area grows with the logarithm; the largest are drawn first so that small ones stay visible.
        at = project(sites["lon"].to_numpy(), sites["lat"].to_numpy())
        axis.scatter(
            at[:, 0], at[:, 1], s=_area(sites["size"].to_numpy()), color=SECOND, alpha=0.7, linewidths=0.4,
            edgecolors="white", rasterized=sites.height > 2_000,
        )  # fmt: skip
        largest = int(sites["size"][0])
        for size in [10**power for power in range(7) if 10**power <= largest]:
            axis.scatter([], [], s=_area(np.array([size]))[0], color=SECOND, alpha=0.7, label=f"{size:,}")
        axis.legend(frameon=False, title="specimens", loc="lower left", fontsize=9, title_fontsize=9)


def _area(sizes: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    area: npt.NDArray[np.float64] = 8 + 22 * np.log10(sizes)
    return area


def _draw_world(axis: Axes) -> None:
    """The world's land in outline, coarse enough for a page: to 0.6 degrees, without the smallest islands."""
    import shapely
    from matplotlib.collections import LineCollection, PolyCollection

    from bioscan_etl.geography.atlas import areas

    shapes = shapely.get_parts(shapely.from_wkb(areas()["wkb"].to_numpy()))
    coarse = shapely.simplify(shapes[shapely.area(shapes) > _SMALLEST_ISLAND], 0.6)
    # Long straight borders are curves on this map.
    rings = [shapely.get_coordinates(ring) for ring in shapely.segmentize(shapely.get_exterior_ring(coarse), 15)]
    lat, lon = np.linspace(-90, 90, 61), np.linspace(-180, 180, 121)
    meridians = [project(np.full(len(lat), float(at)), lat) for at in range(-180, 181, 30)]
    parallels = [project(lon, np.full(len(lon), float(at))) for at in range(-90, 91, 30)]
    axis.add_collection(LineCollection([*meridians, *parallels], colors=_LINES, linewidths=0.6, zorder=0.2))
    land = [project(ring[:, 0], ring[:, 1]) for ring in rings]
    axis.add_collection(PolyCollection(land, facecolors=_LAND, edgecolors=_COAST, linewidths=0.4, zorder=0.5))
    axis.autoscale_view()


def partition_countries(drawn: Drawn, path: Path) -> None:
    """Shares of countries in each partition: where they differ, a model is tested elsewhere than it was trained."""
    counts = drawn.tables["partition_countries"].select("split", "country", "samples")
    totals = (
        counts.group_by("country").agg(pl.col("samples").sum()).sort("samples", "country", descending=[True, False])
    )
    shown = totals["country"].head(_COUNTRIES).to_list()
    with canvas(path, 10, 4.2) as (axis,):
        axis.set_title(f"Countries by partition: {totals.height:,} countries")
        if not shown:
            say_empty(axis, "no specimen has a country")
            return
        splits = [split for split in vocabulary.SPLITS if (counts["split"] == split).any()]
        found = {(split, country): size for split, country, size in counts.iter_rows()}
        whole = {split: sum(size for (of, _), size in found.items() if of == split) for split in splits}
        left = [0.0] * len(splits)
        parts = [*zip(shown, _COLOURS, _HATCHES, strict=False), ("other countries", MISSING, "")]
        for country, colour, hatch in parts:
            share = [100 * found.get((split, country), 0) / whole[split] for split in splits]
            if country == "other countries":
                share = [max(0.0, 100 - so_far) for so_far in left]
            axis.barh(
                range(len(splits)), share, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5,
                height=0.72, label=country,
            )  # fmt: skip
            left = [before + part for before, part in zip(left, share, strict=True)]
        axis.set_yticks(range(len(splits)), [f"{split} ({whole[split]:,})" for split in splits])
        axis.set_ylim(len(splits) - 0.4, -0.6)
        axis.set_xlim(0, 100)
        axis.tick_params(axis="y", length=0)
        axis.set_xlabel("percent of the specimens with a country")
        axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
