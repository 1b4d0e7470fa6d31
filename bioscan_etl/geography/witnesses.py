"""Name, code and point of a place as three witnesses of its country.

Belongs here: what the point decides where the name and the code disagree, or where a name is ambiguous. Does not belong
here: the look-up of names and codes (`countries`), and the comparison of a point with a country (`borders`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.geography.borders import check_points, lies_in
from bioscan_etl.geography.coordinates import is_zero, out_of_range, parse_coordinates
from bioscan_etl.geography.countries import with_names
from bioscan_etl.geography.shapes import territories
from bioscan_etl.settings import GeographySettings

_KEY = ["country/ocean", "country_iso", "coord"]


def settle_countries(rows: pl.DataFrame, settings: GeographySettings) -> pl.DataFrame:
    """Let the point decide between the name and the code, and between the candidates of an ambiguous name.

    Two witnesses of three win. If the name and the code differ, the code wins, unless the point lies in the country of
    the name and not in that of the code. A point that is within the tolerance of both counts for the one whose borders
    contain it. If one of the two is a territory of the other, they do not differ: the territory is the country, unless
    the point lies elsewhere in the state. An ambiguous name (a former state, NA) is the country of the code, or the one
    candidate that contains the point if the code is missing or is elsewhere.

    Args:
        rows: country/ocean, country_iso, coord (text as delivered) and the columns of `normalise_countries`.
        settings: tolerances of the point.

    Returns:
        The rows in their order with iso, country and iso3 settled, invalid (false for an ambiguous name that the point
        settles), code_overruled (name and point agree against the code), territory (name and code are a state and its
        territory).
    """
    differ = pl.col("name_iso") != pl.col("code_iso")
    contested = rows.filter(differ.fill_null(False) | pl.col("candidates").is_not_null())
    if contested.is_empty():
        return rows.with_columns(code_overruled=pl.lit(False), territory=pl.lit(False))
    keys = contested.select(*_KEY, "name_iso", "code_iso", "candidates").unique(_KEY, maintain_order=True)
    keys = keys.with_row_index("key").with_columns(parse_coordinates(pl.col("coord")).alias("pair")).unnest("pair")
    decided = pl.concat([_of_pairs(keys, settings), _of_candidates(keys, settings)])
    settled = keys.join(decided, on="key", how="left").select(*_KEY, "settled", "code_overruled", "territory")
    joined = rows.join(settled, on=_KEY, how="left", nulls_equal=True, maintain_order="left")
    is_found = pl.col("candidates").list.contains(pl.col("settled")).fill_null(False)
    return with_names(
        joined.with_columns(
            iso=pl.coalesce("settled", "iso"),
            invalid=pl.col("invalid") & ~is_found,
            code_overruled=pl.col("code_overruled").fill_null(False),
            territory=pl.col("territory").fill_null(False),
        ).drop("country", "iso3", "settled")
    ).select(*rows.columns, "code_overruled", "territory")


def _of_pairs(keys: pl.DataFrame, settings: GeographySettings) -> pl.DataFrame:
    """Decide between name_iso and code_iso: key, settled (alpha-2), code_overruled, territory."""
    pairs = keys.filter(pl.col("candidates").is_null())
    for side in ("name", "code"):
        held = _held(pairs.select("key", "lat", "lon", country_iso=f"{side}_iso"), settings)
        pairs = pairs.join(held.rename({name: f"{side}_{name}" for name in ("near", "inside")}), on="key", how="left")
    owned = territories()
    pairs = pairs.join(
        owned.select(code_iso="country_iso", name_iso="area", name_is_territory=pl.lit(True)),
        on=["name_iso", "code_iso"],
        how="left",
    ).join(
        owned.select(name_iso="country_iso", code_iso="area", code_is_territory=pl.lit(True)),
        on=["name_iso", "code_iso"],
        how="left",
    )
    of_name, of_code = pl.col("name_is_territory").is_not_null(), pl.col("code_is_territory").is_not_null()
    # A state's shape contains its territories: only a point that is elsewhere in the state speaks for the state.
    elsewhere = (
        pl.when(of_name)
        .then(pl.col("code_near") & ~pl.col("name_near"))
        .otherwise(pl.col("name_near") & ~pl.col("code_near"))
    )
    is_name = pl.col("name_near") & (~pl.col("code_near") | (pl.col("name_inside") & ~pl.col("code_inside")))
    territory = of_name | of_code
    name_wins = pl.when(territory).then(of_name != elsewhere).otherwise(is_name)
    return pairs.select(
        "key",
        settled=pl.when(name_wins).then("name_iso").otherwise("code_iso"),
        code_overruled=name_wins & ~territory,
        territory=territory,
    )


def _of_candidates(keys: pl.DataFrame, settings: GeographySettings) -> pl.DataFrame:
    """Choose between the candidates of an ambiguous name and the code: columns as of `_of_pairs`.

    The candidate is the one that contains the point, or else the one that is near it. A code whose country is near the
    point needs no candidate.
    """
    open_ = keys.filter(pl.col("candidates").is_not_null())
    options = open_.select("key", "lat", "lon", country_iso="candidates").explode("country_iso")
    held = options.join(_held(options, settings, by=["key", "country_iso"]), on=["key", "country_iso"], how="left")
    one = [
        pl.when(pl.col(how).sum() == 1).then(pl.col("country_iso").filter(pl.col(how)).first()).alias(how)
        for how in ("inside", "near")
    ]
    found = held.group_by("key").agg(one).select("key", found=pl.coalesce("inside", "near"))
    of_code = _held(open_.select("key", "lat", "lon", country_iso="code_iso"), settings)
    has_code = pl.col("code_iso").is_not_null()
    overruled = has_code & ~pl.col("near") & pl.col("found").is_not_null()
    return (
        open_.join(found, on="key", how="left")
        .join(of_code, on="key", how="left")
        .select(
            "key",
            settled=pl.when(has_code & ~overruled).then("code_iso").otherwise("found"),
            code_overruled=overruled,
            territory=pl.lit(False),
        )
    )


def _held(points: pl.DataFrame, settings: GeographySettings, by: list[str] | None = None) -> pl.DataFrame:
    """Per key: whether the point is near the country (within the tolerances) and inside it; false without a point."""
    by = by or ["key"]
    lat, lon = pl.col("lat"), pl.col("lon")
    usable = points.filter(
        pl.col("country_iso").is_not_null(), lat.is_not_null() & ~out_of_range(lat, lon) & ~is_zero(lat, lon)
    )
    places = usable.select("country_iso", "lat", "lon").unique()
    near = check_points(places, settings).select("country_iso", "lat", "lon", near=~pl.col("outside"))
    parts = [
        part.with_columns(
            inside=pl.Series(lies_in(part["country_iso"][0], part["lat"].to_numpy(), part["lon"].to_numpy(), 0.0))
        )
        for part in places.sort("country_iso").partition_by("country_iso")
    ]
    inside = pl.concat([near.select("country_iso", "lat", "lon").clear().with_columns(inside=pl.lit(True)), *parts])
    place = ["country_iso", "lat", "lon"]
    return (
        points.join(near, on=place, how="left")
        .join(inside, on=place, how="left")
        .select(*by, pl.col("near", "inside").fill_null(False))
    )
