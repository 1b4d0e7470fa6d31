"""The country against the point: polygons, distances and the fixes they suggest.

Belongs here: comparing a point with the map of its stated country. Does not belong here: what makes up the map
of a country (`shapes`), and the look-up of names (`countries`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.geography.atlas import areas
from bioscan_etl.geography.shapes import EARTH_RADIUS_KM, KM_PER_DEGREE, country_shape
from bioscan_etl.settings import GeographySettings, Islet

_MIN_CENTROID_RATIO = 100  # a country's area over that of the circle around its centroid; smaller ones are skipped

_Numbers = npt.NDArray[np.float64]
_Truths = npt.NDArray[np.bool_]

# Possible fixes in GBIF's order: the first one that moves the point into the country is proposed.
FIXES: tuple[tuple[tuple[str, ...], int, int, bool], ...] = (
    (("PRESUMED_NEGATED_LATITUDE",), -1, 1, False),
    (("PRESUMED_NEGATED_LONGITUDE",), 1, -1, False),
    (("PRESUMED_NEGATED_LATITUDE", "PRESUMED_NEGATED_LONGITUDE"), -1, -1, False),
    (("PRESUMED_SWAPPED_COORDINATE",), 1, 1, True),
)


@cache
def _land() -> Any:
    """A search tree over the polygons of all areas."""
    import shapely

    return shapely.STRtree(shapely.get_parts(shapely.from_wkb(areas()["wkb"].to_numpy())))


def is_at_sea(lat: _Numbers, lon: _Numbers) -> _Truths:
    """Whether points (degrees) are at sea, not on land of the map; lakes count as land. bool, one per point."""
    import shapely

    at_sea = np.ones(len(lat), dtype=np.bool_)
    at_sea[_land().query(shapely.points(lon, lat), predicate="intersects")[0]] = False
    return at_sea


def great_circle_km(lat: _Numbers, lon: _Numbers, other_lat: _Numbers, other_lon: _Numbers) -> _Numbers:
    """Great-circle distance in km between points in degrees (haversine, spherical Earth)."""
    phi, other_phi = np.radians(lat), np.radians(other_lat)
    half = (
        np.sin((other_phi - phi) / 2) ** 2
        + np.cos(phi) * np.cos(other_phi) * np.sin(np.radians(other_lon - lon) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))), dtype=np.float64)


def lies_in(
    country_iso: str, lat: _Numbers, lon: _Numbers, tolerance_km: float, islets: tuple[Islet, ...] = ()
) -> _Truths:
    """Whether points are in a country or at most `tolerance_km` outside it, on land or at sea.

    Args:
        country_iso: ISO 3166-1 alpha-2 code; a country that the map lacks contains every point.
        lat: degrees, within -90 to 90.
        lon: degrees, within -180 to 180.
        tolerance_km: largest distance outside, in km.
        islets: a curator's own islets; those of other countries are ignored.

    Returns:
        bool, one per point.
    """
    import shapely

    shape = country_shape(country_iso, tuple(each for each in islets if each[0] == country_iso))
    if shape is None:
        return np.ones(len(lat), dtype=np.bool_)
    inside: _Truths = shapely.intersects_xy(shape, lon, lat)
    outside = np.flatnonzero(~inside)
    if tolerance_km > 0 and len(outside):
        inside[outside] = _near(shape, lat[outside], lon[outside], tolerance_km)
    return inside


def _near(shape: Any, lat: _Numbers, lon: _Numbers, tolerance_km: float) -> _Truths:
    """Whether points outside a shape are within a distance in km of it, also across 180 degrees."""
    import shapely

    reach = tolerance_km / KM_PER_DEGREE
    near = np.zeros(len(lat), dtype=np.bool_)
    bands = np.clip(np.floor(lat), -90, 89)
    for band in np.unique(bands):
        # Within a band of one degree of latitude, the length of a degree of longitude is almost constant. So plane
        # distances are exact enough to select the nearest point; its distance is then measured on the sphere.
        squeeze = float(np.cos(np.radians(band + 0.5)))
        strip = shapely.clip_by_rect(shape, -180, band - 2 * reach - 0.1, 180, band + 1 + 2 * reach + 0.1)
        if strip.is_empty:
            continue
        plane = shapely.transform(strip, lambda xy, by=squeeze: xy * [by, 1.0])
        shapely.prepare(plane)
        members = np.flatnonzero(bands == band)
        for turn in (-360.0, 0.0, 360.0):
            turned = lon[members] + turn
            shortlist = np.flatnonzero(np.abs(turned) <= 180 + 2 * reach / squeeze)
            points = shapely.points(turned[shortlist] * squeeze, lat[members][shortlist])
            close = shapely.dwithin(plane, points, 1.2 * reach)
            chosen = members[shortlist[close]]
            ends = shapely.get_coordinates(shapely.shortest_line(points[close], plane)).reshape(-1, 2, 2)[:, 1]
            distance = great_circle_km(lat[chosen], lon[chosen], ends[:, 1], ends[:, 0] / squeeze)
            near[chosen] |= distance <= tolerance_km
    return near


def check_points(points: pl.DataFrame, settings: GeographySettings) -> pl.DataFrame:
    """Compare points with the borders of their countries.

    Args:
        points: distinct rows of country_iso (alpha-2), lat, lon (Float64, degrees, finite, of any size).
        settings: the three tolerances, and the curator's islets.

    Returns:
        country_iso, lat, lon with outside (bool: the point is on the globe but not in the country), fix (list
        of rule ids of the fix that moves it into the country, empty if none does), proposed-lat, proposed-lon
        (degrees after that fix, otherwise null), centroid (bool: the point is the country's centroid).
    """
    checked = [_check_country(part, settings) for part in points.sort("country_iso").partition_by("country_iso")]
    schema = points.schema | {
        "outside": pl.Boolean(),
        "fix": pl.List(pl.String),
        "proposed-lat": pl.Float64(),
        "proposed-lon": pl.Float64(),
        "centroid": pl.Boolean(),
    }
    return pl.concat([pl.DataFrame(schema=schema), *checked])


def _check_country(points: pl.DataFrame, settings: GeographySettings) -> pl.DataFrame:
    country: str = points["country_iso"][0]
    islets = settings.islets
    lat, lon = points["lat"].to_numpy(), points["lon"].to_numpy()
    on_globe = (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
    fine = np.zeros(len(lat), dtype=np.bool_)
    fine[on_globe] = lies_in(country, lat[on_globe], lon[on_globe], settings.border_tolerance_km, islets)
    off_shore = np.flatnonzero(on_globe & ~fine)
    off_shore = off_shore[is_at_sea(lat[off_shore], lon[off_shore])]
    fine[off_shore] = lies_in(country, lat[off_shore], lon[off_shore], settings.sea_tolerance_km, islets)

    proposed = np.full((2, len(lat)), np.nan)
    choice = np.full(len(lat), -1, dtype=np.int8)
    for number, (_, lat_sign, lon_sign, swap) in enumerate(FIXES):
        open_ = np.flatnonzero(~fine & (choice < 0))
        new_lat, new_lon = (lon, lat) if swap else (lat_sign * lat, lon_sign * lon)
        open_ = open_[(np.abs(new_lat[open_]) <= 90) & (np.abs(new_lon[open_]) <= 180)]
        fits = open_[lies_in(country, new_lat[open_], new_lon[open_], settings.border_tolerance_km, islets)]
        choice[fits] = number
        proposed[0, fits], proposed[1, fits] = new_lat[fits], new_lon[fits]

    fixes = pl.Series([list(fix[0]) for fix in FIXES] + [[]], dtype=pl.List(pl.String))
    return points.with_columns(
        outside=pl.Series(on_globe & ~fine),
        fix=fixes.gather(pl.Series(np.where(choice < 0, len(FIXES), choice).astype(np.uint32))),
    ).with_columns(
        pl.Series("proposed-lat", proposed[0], nan_to_null=True),
        pl.Series("proposed-lon", proposed[1], nan_to_null=True),
        pl.Series("centroid", _is_centroid(country, lat, lon, settings.centroid_tolerance_km)),
    )


def _is_centroid(country_iso: str, lat: _Numbers, lon: _Numbers, tolerance_km: float) -> _Truths:
    """Whether points are the centroid of a country that is so large that this is not a coincidence."""
    found = areas().filter(
        (pl.col("area") == country_iso) & (pl.col("area_km2") > _MIN_CENTROID_RATIO * np.pi * tolerance_km**2)
    )
    if found.is_empty():
        return np.zeros(len(lat), dtype=np.bool_)
    centre_lat, centre_lon = (np.full(len(lat), found[name][0]) for name in ("centroid_lat", "centroid_lon"))
    return np.asarray(great_circle_km(lat, lon, centre_lat, centre_lon) <= tolerance_km)
