"""The countries of the earth in outline, for maps of a place.

Belongs here: simplifying the shipped borders. Does not belong here: which country a point is in (`geography`).
"""

from __future__ import annotations

from functools import cache

import shapely

from bioscan_etl.geography.atlas import areas

_DEGREES = 0.25
"""Of an outline on a map of a few hundred pixels."""
_SMALLEST = 0.05  # square degrees


@cache
def land() -> list[list[list[float]]]:
    """Outlines as lists of longitude and latitude, in degrees."""
    shapes = shapely.get_parts(shapely.from_wkb(areas()["wkb"].to_numpy()))
    coarse = shapely.simplify(shapes[shapely.area(shapes) > _SMALLEST], _DEGREES)
    rings = shapely.get_exterior_ring(coarse)
    return [[[round(x, 2), round(y, 2)] for x, y in shapely.get_coordinates(ring).tolist()] for ring in rings]
