"""The shape of a country: its areas on the map, islets that the map lacks, and land that it claims.

Belongs here: joining the four tables of this folder (`borders.parquet`, `islets.csv`, `equivalences.csv` and
`claims.csv`) to one shape per country. Does not belong here: comparing points with a shape (`borders`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bioscan_etl.geography.atlas import areas
from bioscan_etl.io.tables import read_csv
from bioscan_etl.settings import Islet

_FOLDER = Path(__file__).parent
EARTH_RADIUS_KM = 6371.0088
KM_PER_DEGREE = EARTH_RADIUS_KM * np.pi / 180
ANTARCTICA = ("AQ", -60.0)
"""ISO 3166-1 defines AQ as all land, ice and sea south of this latitude, as the Antarctic Treaty does."""
_CORNERS = 24  # of the polygon that stands in for the circle of an islet


@cache
def islets() -> pl.DataFrame:
    """Land that the map lacks: area (ISO alpha-2 or a code with a hyphen), name, lat, lon (degrees), radius_km."""
    return _read("islets.csv").with_columns(pl.col("lat", "lon", "radius_km").cast(pl.Float64))


@cache
def claims() -> pl.DataFrame:
    """Zones that several countries claim: name, countries (ISO alpha-2, separated by blanks), wkt (longitude first)."""
    return _read("claims.csv")


@cache
def territories() -> pl.DataFrame:
    """Territories with an ISO code of their own: country_iso (the state) and area (the territory), both alpha-2."""
    table = _equivalences().filter(pl.col("reason") == "territory", pl.col("area").str.len_chars() == 2)
    return table.select("country_iso", "area")


@cache
def country_shape(country_iso: str, own_islets: tuple[Islet, ...] = ()) -> Any:
    """Join what belongs to a country or is claimed by it.

    Args:
        country_iso: ISO 3166-1 alpha-2 code.
        own_islets: islets of a curator, in addition to those of `islets.csv`; those of other countries are ignored.

    Returns:
        A shapely geometry in degrees (longitude, latitude), prepared for queries; None if the map has no such country.
    """
    import shapely

    parts = _map_shapes(_own_areas(country_iso))
    if not parts:
        return None
    parts += [_disc(lat, lon, km) for _, lat, lon, km in _islets_of(country_iso, own_islets)]
    for countries, wkt in claims().select("countries", "wkt").rows():
        claimants = tuple(countries.split())
        if country_iso in claimants:
            parts += list(shapely.intersection(_map_shapes(claimants), shapely.from_wkt(wkt)))
    if country_iso == ANTARCTICA[0]:
        parts = [shapely.box(-180, -90, 180, ANTARCTICA[1])]
    shape = shapely.union_all(parts)
    shapely.prepare(shape)
    return shape


def _read(name: str) -> pl.DataFrame:
    # NA is Namibia: no text of these tables means missing.
    return read_csv(_FOLDER / name, infer_schema=False)


@cache
def _equivalences() -> pl.DataFrame:
    return _read("equivalences.csv")


@cache
def _own_areas(country_iso: str) -> tuple[str, ...]:
    others = _equivalences().filter(pl.col("country_iso") == country_iso)["area"].to_list()
    return (country_iso, *others)


def _map_shapes(wanted: tuple[str, ...]) -> list[Any]:
    import shapely

    return list(shapely.from_wkb(areas().filter(pl.col("area").is_in(wanted))["wkb"].to_numpy()))


def _islets_of(country_iso: str, own_islets: tuple[Islet, ...]) -> list[Islet]:
    ours = islets().filter(pl.col("area").is_in(_own_areas(country_iso)))
    of_curator = [each for each in own_islets if each[0] == country_iso]
    return [*ours.select("area", "lat", "lon", "radius_km").rows(), *of_curator]


def _disc(lat: float, lon: float, radius_km: float) -> Any:
    """A circle on the sphere as a polygon in degrees, in two parts if it crosses 180 degrees."""
    import shapely

    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    reach = radius_km / KM_PER_DEGREE
    up = np.clip(lat + reach * np.sin(angle), -90, 90)
    across = lon + reach * np.cos(angle) / max(float(np.cos(np.radians(lat))), 0.01)
    turns = [shapely.Polygon(np.column_stack((across + turn, up))) for turn in (-360.0, 0.0, 360.0)]
    return shapely.union_all([shapely.intersection(each, shapely.box(-180, -90, 180, 90)) for each in turns])
