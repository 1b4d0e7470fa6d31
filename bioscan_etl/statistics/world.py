"""The world on an equal-area map: the projection, the land, and the graticule.

Belongs here: what every map of a release shows. Does not belong here: what lies on it (`figures_places`).

The projection is Equal Earth, in which areas compare (Šavrič, Patterson & Jenny 2018,
doi:10.1080/13658816.2018.1504949). Borders are those of Natural Earth (`bioscan_etl/geography/README.md`): who holds an
area, not who owns it. `tools/build_land.py` made the outlines of them that are shipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.geography.atlas import areas
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.statistics.canvas import GRID

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_SMALL_COUNTRY = 30_000  # km², below which a country is hard to see on a page
LAND, COAST = "#edf1ee", "#c3ccc7"
OUTLINES = Path(__file__).with_name("land.parquet")
"""Parts of the land: area, and the corners of its outline as lon and lat, in degrees."""

Points = npt.NDArray[np.float64]


def project(lon: Points, lat: Points) -> Points:
    """Equal Earth coordinates, shape (points, 2), in radii of the earth; degrees are taken."""
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(lat)))
    square, sixth = theta**2, theta**6
    slope = 3 * (9 * _A4 * theta**8 + 7 * _A3 * sixth + 3 * _A2 * square + _A1)
    x = 2 * np.sqrt(3) * np.radians(lon) * np.cos(theta) / slope
    y = theta * (_A1 + _A2 * square + sixth * (_A3 + _A4 * square))
    return np.stack([x, y], axis=1)


@cache
def land() -> tuple[tuple[str, Points], ...]:
    """Outlines of the land, coarse enough for a page: code of the area, and corners (n, 2) as of `project`."""
    table = read_parquet(OUTLINES)
    return tuple((area, project(np.array(lon), np.array(lat))) for area, lon, lat in table.iter_rows())


def small_countries() -> dict[str, tuple[float, float]]:
    """Countries that are hard to see: the place of each on the map, by code."""
    small = areas().filter(pl.col("area_km2") < _SMALL_COUNTRY)
    at = project(small["centroid_lon"].to_numpy(), small["centroid_lat"].to_numpy())
    return {code: (float(x), float(y)) for code, (x, y) in zip(small["area"], at, strict=True)}


def draw_world(axis: Axes, colours: Mapping[str, str] | None = None) -> None:
    """Draw the land in outline, with meridians and parallels every 30 degrees.

    Args:
        axis: that is drawn on.
        colours: of areas by code; others have the colour of land.
    """
    from matplotlib.collections import LineCollection, PolyCollection

    lat, lon = np.linspace(-90, 90, 61), np.linspace(-180, 180, 121)
    meridians = [project(np.full(len(lat), float(at)), lat) for at in range(-180, 181, 30)]
    parallels = [project(lon, np.full(len(lon), float(at))) for at in range(-90, 91, 30)]
    axis.set_aspect("equal")
    axis.set_axis_off()
    axis.add_collection(LineCollection([*meridians, *parallels], colors=GRID, linewidths=0.6, zorder=0.2))
    by_colour: dict[str, list[Points]] = {}
    for code, corners in land():
        by_colour.setdefault((colours or {}).get(code, LAND), []).append(corners)
    for colour, outlines in sorted(by_colour.items()):
        axis.add_collection(PolyCollection(outlines, facecolors=colour, edgecolors=COAST, linewidths=0.4, zorder=0.5))
    axis.autoscale_view()
