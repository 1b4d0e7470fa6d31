"""Values of decisions that are more than a text.

Belongs here: reading them. Does not belong here: whether a line may have them (`read`).
"""

from __future__ import annotations

import re

_BOX = re.compile(r"\d{1,6} \d{1,6} \d{1,6} \d{1,6}")
_COORDINATE = re.compile(r"-?\d{1,3}(?:\.\d{1,9})?")


def coordinates(value: str) -> tuple[float, float] | None:
    """Latitude and longitude of a value of `coord`; None if it is none."""
    parts = [part.strip() for part in value.split(",")]
    if len(parts) != 2 or not all(_COORDINATE.fullmatch(part) for part in parts):
        return None
    latitude, longitude = map(float, parts)
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def box_of(value: str) -> tuple[int, int, int, int] | None:
    """Edges of a value of `box`: left, top, right, bottom, in pixels, the last two exclusive; None if it is none."""
    if not _BOX.fullmatch(value):
        return None
    x0, y0, x1, y1 = (int(part) for part in value.split())
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
