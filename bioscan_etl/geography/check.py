"""Checks of a record's place and dates.

Belongs here: combining the parts (countries, coordinates, borders, provinces, dates) in one table.
Does not belong here: the parts, and the rows of the change log (`changes`).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from bioscan_etl import schema
from bioscan_etl.flags import flags_from
from bioscan_etl.geography.borders import check_points
from bioscan_etl.geography.coordinates import is_rounded, is_zero, out_of_range, parse_coordinates
from bioscan_etl.geography.countries import STATUSES, normalise_countries
from bioscan_etl.geography.dates import date_conditions, parse_date
from bioscan_etl.geography.spelling import trimmed
from bioscan_etl.geography.witnesses import settle_countries
from bioscan_etl.settings import GeographySettings

_COUNTRY = ["country/ocean", "country_iso"]
_POINT = ["iso", "coord", "waters"]
_WATERS_KM = 370.4  # 200 nautical miles, the width of an exclusive economic zone
_FIXED = ("PRESUMED_NEGATED_LATITUDE", "PRESUMED_NEGATED_LONGITUDE", "PRESUMED_SWAPPED_COORDINATE")

_POINT_FLAGS = (
    "COORDINATE_INVALID",
    "COORDINATE_OUT_OF_RANGE",
    "ZERO_COORDINATE",
    "COORDINATE_ROUNDED",
    "COUNTRY_COORDINATE_MISMATCH",
    *_FIXED,
)


def check_geography(records: pl.LazyFrame, settings: GeographySettings) -> pl.DataFrame:
    """Normalise and check the country, province, coordinates and dates of each record.

    Names are looked up once per distinct name and code, points once per distinct country and coordinates.
    Invalid coordinates (unreadable, out of range, zero) are missing in the result. Coordinates outside
    their country are kept, unless a fix moves them into it and `apply_coordinate_fixes` is set.

    Args:
        records: rows of `schema.RECORDS`, of which the place, the dates and the snapshot date are read.
        settings: tolerances and choices.

    Returns:
        `schema.CHECKED_GEOGRAPHY`, a row per record, sorted by processid. `flags` are ids of
        `bioscan_etl.geography.rules`, sorted.

    Raises:
        SchemaError: a record has no batch or processid, or a processid occurs twice.
    """
    rows = records.select(
        "batch",
        "processid",
        *_COUNTRY,
        "coord",
        "coord_source",
        "snapshot_date",
        province_verbatim="province/state",
        start_text="collection_date_start",
        end_text="collection_date_end",
        upload_date=parse_date(pl.col("sequence_upload_date")),
        collection_date_start=parse_date(pl.col("collection_date_start")),
        collection_date_end=parse_date(pl.col("collection_date_end")),
    ).collect()
    places = normalise_countries(rows.select(_COUNTRY).unique())
    rows = settle_countries(rows.join(places, on=_COUNTRY, how="left", nulls_equal=True), settings)
    points = _check_coordinates(rows.select(_POINT).unique(), settings)
    rows = rows.join(points, on=_POINT, how="left", nulls_equal=True)

    conditions = {
        **{flag: pl.col("not_country") == flag for flag in STATUSES},
        "COUNTRY_INVALID": pl.col("invalid"),
        "COUNTRY_MISMATCH": (pl.col("name_iso") != pl.col("code_iso")) & ~pl.col("territory"),
        "COUNTRY_CODE_MISMATCH": pl.col("code_overruled"),
        "COUNTRY_TERRITORY": pl.col("territory"),
        "COUNTRY_FORMER": pl.col("former"),
        **{flag: pl.col(flag) for flag in _POINT_FLAGS},
        **_centroids_by_source(),
        **date_conditions(settings.earliest_year),
    }
    return schema.CHECKED_GEOGRAPHY.conform(
        rows.select(
            "batch",
            "processid",
            "country",
            "province_verbatim",
            "coord-lat",
            "coord-lon",
            "proposed-lat",
            "proposed-lon",
            "collection_date_start",
            "collection_date_end",
            country_verbatim="country/ocean",
            country_iso="iso",
            country_iso3="iso3",
            province_state=trimmed(pl.col("province_verbatim")),
            coord_verbatim="coord",
            flags=flags_from(dict(sorted(conditions.items()))),
        )
    ).sort("processid")


def _check_coordinates(points: pl.DataFrame, settings: GeographySettings) -> pl.DataFrame:
    """Per distinct iso, coord and waters: the flags of the point, coord-lat, coord-lon and the proposal."""
    lat, lon, coord = pl.col("lat"), pl.col("lon"), pl.col("coord")
    parsed = points.join(
        points.select("coord").unique().with_columns(parse_coordinates(coord).alias("pair")).unnest("pair"),
        on="coord",
        how="left",
        nulls_equal=True,
    )
    no_place = out_of_range(lat, lon) | is_zero(lat, lon)
    to_check = parsed.filter(pl.col("iso").is_not_null() & lat.is_not_null() & ~is_zero(lat, lon))
    far = settings.model_copy(update={"sea_tolerance_km": max(settings.sea_tolerance_km, _WATERS_KM)})
    held = pl.concat(
        check_points(
            to_check.filter(pl.col("waters") == waters).select("lat", "lon", country_iso="iso").unique(), tolerances
        ).with_columns(waters=pl.lit(waters))
        for waters, tolerances in ((False, settings), (True, far))
    )
    proposed = pl.col("proposed-lat").is_not_null()
    applied = proposed if settings.apply_coordinate_fixes else pl.lit(False)
    return (
        parsed.join(held.rename({"country_iso": "iso"}), on=["iso", "lat", "lon", "waters"], how="left")
        .with_columns(
            *(pl.col("fix").list.contains(flag).fill_null(False).alias(flag) for flag in _FIXED),
            COORDINATE_INVALID=coord.is_not_null() & lat.is_null(),
            COORDINATE_OUT_OF_RANGE=out_of_range(lat, lon),
            ZERO_COORDINATE=is_zero(lat, lon),
            COORDINATE_ROUNDED=is_rounded(lat, lon, settings.rounded_decimals) & ~no_place,
            COUNTRY_COORDINATE_MISMATCH="outside",
        )
        .select(
            *_POINT,
            *_POINT_FLAGS,
            "centroid",
            "proposed-lat",
            "proposed-lon",
            *(
                pl.when(applied).then(f"proposed-{axis}").when(~no_place).then(axis).alias(f"coord-{axis}")
                for axis in ("lat", "lon")
            ),
        )
    )


def _centroids_by_source() -> Mapping[str, pl.Expr]:
    """Centroids according to coord_source; those of countries also by distance to the centroid of the map."""
    source = pl.col("coord_source").str.to_lowercase()
    by_source = source.str.contains(r"centroid|cent(?:re|er) of")
    of_province = by_source & source.str.contains(r"province|state\b|region|county|district")
    of_country = by_source & source.str.contains("country|nation") & ~of_province
    located = pl.col("coord-lat").is_not_null()
    return {
        "COUNTRY_CENTROID": located & (of_country.fill_null(False) | pl.col("centroid").fill_null(False)),
        "PROVINCE_CENTROID": located & of_province,
    }
