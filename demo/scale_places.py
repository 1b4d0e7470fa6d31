"""Places and dates at the size of BIOSCAN-5M: 1,700 sites in 47 countries, and how records write them.

Belongs here: the places of `scale`. Does not belong here: the named sites of the small corpus (`geography`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.demo.sequences import Indices
from bioscan_etl.geography.atlas import areas
from bioscan_etl.geography.borders import lies_in
from bioscan_etl.geography.countries import countries

_SITES, _TRAPS = 1_700, 6
COUNTRIES = (
    *("CR", "CA", "ZA", "AU", "US", "NO", "GB", "DE", "FR", "FI", "SE", "AR", "BR", "PE", "EC", "CO"),
    *("MX", "HN", "PA", "BO", "CL", "KE", "TZ", "MG", "NA", "ZM", "MZ", "CM", "GA", "GH", "IN", "TH"),
    *("MY", "VN", "LA", "CN", "JP", "PK", "IR", "EG", "SA", "RU", "BD", "LK", "NZ", "PG", "BG"),
)
_NO_POINT = 0.01
# Shares of the records with each wrong form of their point, in the order of `_points`.
_WRONG_POINTS = (0.002, 0.002, 0.002, 0.003, 0.001, 0.002)
_NO_CODE, _OTHER_SPELLING, _OTHER_COUNTRY = 0.3, 0.01, 0.001
_BAD_DATES = ("0202-10-08", "2019-02-31", "41062", "2118-07-14")
_BAD_DATE = 0.004
_DAYS = 1_500


@dataclass(frozen=True, slots=True)
class Places:
    """Sites, their countries and the points of their traps.

    Attributes:
        country: (sites,) index into `COUNTRIES`.
        points: text of each trap's coordinates, first right, then in the wrong forms.
        names: canonical name of each country.
    """

    country: Indices
    points: pl.Series
    names: pl.Series


def build_places(rng: np.random.Generator) -> Places:
    """Draw sites inside their countries, and traps around them."""
    country = rng.permutation(np.arange(_SITES) ** 2 % len(COUNTRIES))
    # Costa Rica has most sites, as in BIOSCAN-5M.
    country[rng.random(_SITES) < 0.4] = 0
    lat, lon = np.zeros(_SITES), np.zeros(_SITES)
    for number, iso in enumerate(COUNTRIES):
        at = np.flatnonzero(country == number)
        lat[at], lon[at] = _points_in(rng, iso, len(at))
    lat = np.repeat(lat, _TRAPS) + np.round(rng.uniform(-0.02, 0.02, _SITES * _TRAPS), 4)
    lon = np.repeat(lon, _TRAPS) + np.round(rng.uniform(-0.02, 0.02, _SITES * _TRAPS), 4)
    names = dict(countries().select("country_iso", "country").iter_rows())
    return Places(country, _points(lat, lon), pl.Series([names[iso] for iso in COUNTRIES]))


def _points_in(
    rng: np.random.Generator, iso: str, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    import shapely

    shape = shapely.from_wkb(areas().filter(pl.col("area") == iso)["wkb"][0])
    west, south, east, north = shapely.bounds(shape)
    lat, lon = np.empty(0), np.empty(0)
    while len(lat) < count:
        more_lat, more_lon = rng.uniform(south, north, 500).round(2), rng.uniform(west, east, 500).round(2)
        inside = lies_in(iso, more_lat, more_lon, 0.0)
        lat, lon = np.concatenate([lat, more_lat[inside]]), np.concatenate([lon, more_lon[inside]])
    return lat[:count], lon[:count]


def _points(lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> pl.Series:
    forms = ((lat, lon), (lon, lat), (-lat, lon), (lat, -lon), (0 * lat, 0 * lon), (lat + 200, lon))
    texts = [
        pl.DataFrame({"lat": first.round(4), "lon": second.round(4)}).select(pl.format("[{}, {}]", "lat", "lon"))
        for first, second in forms
    ]
    unread = pl.repeat("16 45' N, 93 07' W", len(lat), eager=True)
    return pl.concat([*(text.to_series() for text in texts), unread])


def delivered_places(rng: np.random.Generator, places: Places, plate: Indices) -> list[pl.Series]:
    """Country, province, point and dates as records deliver them; a plate is from one site and week."""
    size, plates = len(plate), plate - plate.min()
    weight = 1 / (np.arange(_SITES) + 10)
    sites = rng.choice(_SITES, plates.max() + 1, p=weight / weight.sum())[plates]
    country = places.country[sites]
    trap = sites * _TRAPS + rng.integers(0, _TRAPS, size)
    form = np.searchsorted(np.cumsum(_WRONG_POINTS), rng.random(size)) + 1
    form[form > len(_WRONG_POINTS)] = 0
    chance = pl.Series(rng.random(size))
    stated = np.where(rng.random(size) < _OTHER_COUNTRY, rng.integers(0, len(COUNTRIES), size), country)
    days = rng.integers(0, _DAYS, plates.max() + 1)[plates]
    dates = pl.date_range(pl.date(2016, 4, 3), pl.date(2016, 4, 3) + pl.duration(days=_DAYS + 210), eager=True)
    texts = dates.dt.strftime("%Y-%m-%d")
    bad = pl.Series(_BAD_DATES).gather(rng.integers(0, len(_BAD_DATES), size))
    frame = pl.DataFrame(
        {
            "name": places.names.gather(stated),
            "iso": pl.Series(COUNTRIES).gather(country),
            "site": sites,
            "coord": places.points.gather(form * _SITES * _TRAPS + trap),
            "start": texts.gather(days),
            "end": texts.gather(days + 7),
            "upload": texts.gather(days + 200),
            "bad": bad,
            "chance": chance,
            "luck": rng.random(size),
        }
    )
    return frame.select(
        pl.when(pl.col("chance") < _OTHER_SPELLING)
        .then(pl.col("name").str.to_uppercase())
        .otherwise("name")
        .alias("country/ocean"),
        pl.when(pl.col("luck") >= _NO_CODE).then("iso").alias("country_iso"),
        pl.when(pl.col("luck") < 0.01)
        .then(pl.format(" Province {} ", pl.col("site") // 4))
        .when(pl.col("luck") < 0.02)
        .then(pl.format("PROVINCE {}", pl.col("site") // 4))
        .otherwise(pl.format("Province {}", pl.col("site") // 4))
        .alias("province/state"),
        region=pl.format("Region {}", pl.col("site") // 2),
        site=pl.format("Site {}", "site"),
        coord=pl.when(pl.col("luck") < 1 - _NO_POINT).then("coord"),
        elev=pl.format("{}.0", pl.col("site") % 2000),
        collection_date_start="start",
        collection_date_end=pl.when(pl.col("chance") > 1 - _BAD_DATE).then("bad").otherwise("end"),
        sequence_upload_date="upload",
    ).get_columns()
