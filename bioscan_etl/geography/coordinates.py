"""Coordinates: parsing BOLD's three notations, and checks of the numbers alone.

Belongs here: checks of a pair of numbers without a map. Does not belong here: countries (`borders`).
"""

from __future__ import annotations

import polars as pl

_NUMBER = r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*"
_PAIR = f"{_NUMBER},{_NUMBER}"
_NOTATIONS = rf"^(?:\({_PAIR}\)|\[{_PAIR}\]|{_PAIR})$"


def parse_coordinates(text: pl.Expr) -> pl.Expr:
    """Read `(19.3786,-88.1892)` (2023), `[53.59, -106.278]` (2024 on) or `33.29,-117.44` (API).

    Returns:
        A struct of lat and lon in this order (Float64, degrees, of any size); both null if the text has
        none of these forms. The order is always latitude, longitude.
    """
    pair = text.str.strip_chars().str.replace_all("−", "-", literal=True)
    parts = pl.when(pair.str.contains(_NOTATIONS)).then(pair.str.strip_chars("()[]")).str.split_exact(",", 1)
    lat, lon = (
        parts.struct.field(f"field_{number}").str.strip_chars().cast(pl.Float64, strict=False) for number in (0, 1)
    )
    whole = lat.is_finite() & lon.is_finite()
    return pl.struct(lat=pl.when(whole).then(lat), lon=pl.when(whole).then(lon))


def out_of_range(lat: pl.Expr, lon: pl.Expr) -> pl.Expr:
    """Whether a latitude is beyond 90 degrees or a longitude beyond 180."""
    return (lat.abs() > 90) | (lon.abs() > 180)


def is_zero(lat: pl.Expr, lon: pl.Expr) -> pl.Expr:
    """Whether both numbers are zero, which means missing far more often than a place in the Gulf of Guinea."""
    return (lat == 0) & (lon == 0)


def is_rounded(lat: pl.Expr, lon: pl.Expr, decimals: int) -> pl.Expr:
    """Whether neither number has more than the given decimals."""
    return (lat.round(decimals) == lat) & (lon.round(decimals) == lon)
