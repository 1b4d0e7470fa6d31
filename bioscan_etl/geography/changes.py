"""Changes of the place checks, as rows of the change log."""

from __future__ import annotations

import polars as pl

from bioscan_etl.geography.coordinates import parse_coordinates
from bioscan_etl.geography.countries import STATUSES, iso_of_name

_FIXES = {
    "lat": ("PRESUMED_SWAPPED_COORDINATE", "PRESUMED_NEGATED_LATITUDE"),
    "lon": ("PRESUMED_SWAPPED_COORDINATE", "PRESUMED_NEGATED_LONGITUDE"),
}
_OTHER_COUNTRY = ("COUNTRY_FORMER", "COUNTRY_TERRITORY", "COUNTRY_MISMATCH")
_LEFT_OUT = ("COORDINATE_OUT_OF_RANGE", "ZERO_COORDINATE")


def geography_changes(checked: pl.DataFrame) -> pl.DataFrame:
    """List the changes of country, province_state, coord-lat and coord-lon.

    Unreadable coordinates have no row because they were never numbers; dates are parsed, not changed.

    Args:
        checked: `schema.CHECKED_GEOGRAPHY`, as `check_geography` returns it.

    Returns:
        processid, field, before, after, rule, evidence (text): the columns of `schema.CHANGES` without step
        and ruleset, sorted by processid and field; at most one row per specimen and field.
    """
    changes = pl.concat([_of_countries(checked), _of_provinces(checked), *_of_coordinates(checked)])
    return changes.sort("processid", "field")


def _of_countries(checked: pl.DataFrame) -> pl.DataFrame:
    flags, name = pl.col("flags"), pl.col("country_verbatim")
    own = iso_of_name(name)
    rule = (
        pl.when(_first_flag(STATUSES).is_not_null())
        .then(_first_flag(STATUSES))
        .when(name.is_null())
        .then(pl.lit("COUNTRY_FROM_ISO"))
        .when(own == pl.col("country_iso"))
        .then(pl.lit("COUNTRY_NORMALISED"))
        .when(_first_flag(_OTHER_COUNTRY).is_not_null())
        .then(_first_flag(_OTHER_COUNTRY))
        .when(flags.list.contains("COUNTRY_INVALID") & own.is_null())
        .then(pl.lit("COUNTRY_INVALID"))
        .otherwise(pl.lit("COUNTRY_NORMALISED"))
    )
    return checked.filter(name.ne_missing(pl.col("country"))).select(
        "processid",
        field=pl.lit("country"),
        before=name,
        after="country",
        rule=rule,
        evidence=pl.format("ISO 3166-1 {}", pl.col("country_iso").fill_null("unknown")),
    )


def _of_provinces(checked: pl.DataFrame) -> pl.DataFrame:
    before, after = pl.col("province_verbatim"), pl.col("province_state")
    return checked.filter(before.ne_missing(after)).select(
        "processid",
        field=pl.lit("province_state"),
        before=before,
        after=after,
        rule=pl.lit("PROVINCE_TRIMMED"),
        evidence=pl.lit("blanks"),
    )


def _of_coordinates(checked: pl.DataFrame) -> list[pl.DataFrame]:
    touched = pl.any_horizontal(
        pl.col("flags").list.contains(flag) for flag in (*_LEFT_OUT, *_FIXES["lat"], *_FIXES["lon"])
    )
    pair = parse_coordinates(pl.col("coord_verbatim")).alias("pair")
    delivered = checked.filter(touched).with_columns(pair).unnest("pair")
    return [
        delivered.filter(pl.col(axis).ne_missing(pl.col(f"coord-{axis}"))).select(
            "processid",
            field=pl.lit(f"coord-{axis}"),
            before=pl.col(axis).cast(pl.String),
            after=pl.col(f"coord-{axis}").cast(pl.String),
            rule=pl.when(pl.col(f"coord-{axis}").is_null()).then(_first_flag(_LEFT_OUT)).otherwise(_first_flag(fixes)),
            evidence=pl.format("delivered as {}", "coord_verbatim"),
        )
        for axis, fixes in _FIXES.items()
    ]


def _first_flag(candidates: tuple[str, ...]) -> pl.Expr:
    """The first of the rules that is among a row's flags, or null."""
    return pl.coalesce(pl.when(pl.col("flags").list.contains(flag)).then(pl.lit(flag)) for flag in candidates)
