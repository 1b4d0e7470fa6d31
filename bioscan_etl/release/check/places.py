"""Are the released places consistent, and flagged as the checks of places flag them?

Belongs here: country against code, point against country, one spelling of each province. The functions of the stages
compute them again from the released values. Does not belong here: COORDINATE_ROUNDED (`settings_rows`), and dates,
which are not released.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from bioscan_etl import schema
from bioscan_etl.geography.check import check_geography
from bioscan_etl.geography.countries import countries, is_of_waters, normalise_countries
from bioscan_etl.geography.provinces import unify_provinces
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.recomputed import CHANGES, first_before, restored, whole
from bioscan_etl.release.rules import RULES as RELEASE_RULES
from bioscan_etl.settings import GeographySettings

_LAT, _LON = "coord-lat", "coord-lon"
_PLACE = ["country", "country_iso", _LAT, _LON]
_WRITTEN = tuple(rule.id for rule in RELEASE_RULES)
_FIXES = ("PRESUMED_SWAPPED_COORDINATE", "PRESUMED_NEGATED_LATITUDE", "PRESUMED_NEGATED_LONGITUDE")
# Flags that the country and the point alone decide, in both directions, and one that its source can decide, too.
_BOTH = ("COUNTRY_COORDINATE_MISMATCH", *_FIXES)
_ONE = ("COUNTRY_CENTROID",)
# Flags of coordinates that become missing.
_LOST = ("COORDINATE_INVALID", "ZERO_COORDINATE")


def check(data: Rows, log: pl.DataFrame, settings: GeographySettings) -> Iterator[Fault]:
    """Check countries, points and provinces of the released rows.

    Args:
        data: the released rows.
        log: `schema.CHANGES`, sorted.
        settings: as stated.
    """
    rows = whole(data, ["country", "country_iso", "province_state", _LAT, _LON, "flags"])
    written = pl.col("rule").is_in(_WRITTEN)
    rows = rows.with_columns(
        restored(rows, first_before(log, name, written), name) for name in ("country", "province_state")
    )
    yield from _countries(rows, data.name)
    yield from _renamed(log, rows)
    # Flags are those of the delivered place, which the release does not hold as a whole.
    ruled = rows.filter(~pl.col("flags").list.contains("CURATOR_SET"))
    yield from _points(ruled, log, settings, data.name)
    yield from _provinces(ruled, data.name)


def _countries(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Countries whose code is of another one."""
    known = countries().select("country_iso", canonical="country")
    both = rows.select("processid", "country", "country_iso").join(known, on="country_iso", how="left")
    wrong = both.filter(pl.col("country").ne_missing(pl.col("canonical"))).sort("processid")
    yield from faulty_rows(name, wrong, "has the country {country}; the code {country_iso} is of {canonical}")


def _renamed(log: pl.DataFrame, rows: pl.DataFrame) -> Iterator[Fault]:
    """Spellings that the log exchanges for the name of another country than theirs."""
    changes = log.filter(pl.col("field") == "country", pl.col("rule") == "COUNTRY_NORMALISED")
    both = changes.join(rows.select("processid", "country_iso"), on="processid", how="inner", maintain_order="left")
    pairs = both.select(pl.col("before").alias("country/ocean"), pl.lit(None, pl.String).alias("country_iso")).unique()
    meant = normalise_countries(pairs).select("candidates", before="country/ocean", meant="country")
    both = both.join(meant, on="before", how="left", maintain_order="left")
    # Of the countries that an ambiguous name may mean, the point has chosen one.
    chosen = pl.col("candidates").list.contains(pl.col("country_iso")).fill_null(False)
    wrong = both.filter(pl.col("after").ne_missing(pl.col("meant")) & ~chosen)
    yield from faulty_rows(CHANGES, wrong, "makes {after} of the country {before}, which is {meant}")


def _points(rows: pl.DataFrame, log: pl.DataFrame, settings: GeographySettings, name: str) -> Iterator[Fault]:
    """Points that are no places, and flags that are not those of the point in its country."""
    lat, lon, flags = pl.col(_LAT), pl.col(_LON), pl.col("flags")
    half = rows.filter(lat.is_null() != lon.is_null())
    yield from faulty_rows(name, half, "has one coordinate without the other: {coord-lat}, {coord-lon}")
    lost = pl.any_horizontal(flags.list.contains(flag) for flag in _LOST)
    found = rows.filter(lost & (lat.is_not_null() | lon.is_not_null()))
    yield from faulty_rows(name, found, "has the point {coord-lat}, {coord-lon}, which by its flags is missing")
    # Of a point that a fix has moved, the release does not hold the original.
    fixed = log.filter(pl.col("rule").is_in(_FIXES))["processid"].unique().implode()
    beyond = flags.list.contains("COORDINATE_OUT_OF_RANGE") & ~pl.col("processid").is_in(fixed)
    found = rows.filter(beyond & lat.is_not_null())
    yield from faulty_rows(name, found, "has the point {coord-lat}, {coord-lon}, which by its flags is out of range")
    # Of waters, which reach further out to sea, the release holds the country alone.
    waters = log.filter(pl.col("field") == "country", is_of_waters(pl.col("before")))["processid"].unique().implode()
    here = ~pl.col("processid").is_in(fixed) & ~pl.col("processid").is_in(waters)
    located = rows.filter(lat.is_not_null() & lon.is_not_null() & here)
    places = located.select(_PLACE).unique(maintain_order=True).with_row_index("number")
    others = [
        c
        for c in schema.RECORDS.columns
        if c.name not in {"processid", "batch", "coord", "country_iso", "country/ocean"}
    ]
    records = places.select(
        "country_iso",
        *(pl.lit(None, column.dtype).alias(column.name) for column in others),
        pl.col("country").alias("country/ocean"),
        processid=pl.col("number").cast(pl.String).str.zfill(10),
        batch=pl.lit(""),
        coord=pl.format("{},{}", _LAT, _LON),
    )
    again = check_geography(records.lazy(), settings.model_copy(update={"apply_coordinate_fixes": False}))
    again = again.sort("processid").select(again="flags", lat=_LAT)
    both = located.join(places.hstack(again), on=_PLACE, how="left", nulls_equal=True, maintain_order="left")
    at = "the point {coord-lat}, {coord-lon} in {country}"
    listing = Listing()
    listing.add(name, both.filter(pl.col("lat").is_null()), "has the point {coord-lat}, {coord-lon}, which is no place")
    for flag in (*_BOTH, *_ONE):
        has, should = (pl.col(column).list.contains(flag) for column in ("flags", "again"))
        listing.add(name, both.filter(should & ~has), f"lacks the flag {flag}, which {at} gives")
        if flag in _BOTH:
            listing.add(name, both.filter(has & ~should), f"has the flag {flag}, which {at} does not give")
    yield from listing.faults()


def _provinces(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Spellings of a province that differ from another one of the country only in case or accents."""
    _, changes = unify_provinces(rows.select("processid", "country", "province_state"))
    message = "has the province {before}, which other records of the country spell {after}"
    yield from faulty_rows(name, changes, message)
