"""Countries: from BOLD's spellings and codes to one canonical name and the ISO 3166-1 codes.

Belongs here: the look-up of names and codes. Its data are three tables in this folder: `country_names.csv`
(the canonical name per code), `country_spellings.csv` (other spellings of BOLD and its users) and
`not_countries.csv` (seas and statuses in the country column). Official names and alpha-3 codes come from
pycountry. Does not belong here: the borders of a country (`borders`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

from bioscan_etl.geography.spelling import loose

STATUSES = ("COUNTRY_EXCEPTION", "COUNTRY_OCEAN", "COUNTRY_UNRECOVERABLE")
"""Rule ids of values that the country column may have instead of a country."""

_FOLDER = Path(__file__).parent
KOSOVO = ("XK", "XKX")  # user-assigned codes, in use at BOLD and Natural Earth, but not in ISO 3166


def _read(name: str) -> pl.DataFrame:
    # NA is Namibia: no text of these tables means missing.
    return pl.read_csv(_FOLDER / name, infer_schema=False)


@cache
def countries() -> pl.DataFrame:
    """All countries, sorted by code: country_iso, country_iso3, country (canonical name), all text."""
    import pycountry

    alpha3 = {each.alpha_2: each.alpha_3 for each in pycountry.countries} | dict([KOSOVO])
    named = _read("country_names.csv")
    return named.select(
        "country_iso",
        pl.col("country_iso").replace_strict(alpha3, return_dtype=pl.String).alias("country_iso3"),
        "country",
    ).sort("country_iso")


@cache
def spellings() -> pl.DataFrame:
    """All known spellings: spelling (loosely folded, unique) and country_iso, both text.

    Canonical names take precedence over our spellings, and these over pycountry's, which change between versions.
    """
    import pycountry

    official = [
        {"spelling": name, "country_iso": each.alpha_2}
        for each in pycountry.countries
        for attribute in ("name", "common_name", "official_name")
        if (name := getattr(each, attribute, None))
    ]
    layers = [
        countries().select(spelling="country", country_iso="country_iso"),
        _read("country_spellings.csv"),
        pl.DataFrame(official, schema={"spelling": pl.String, "country_iso": pl.String}),
    ]
    known = pl.concat(layers).with_columns(loose(pl.col("spelling")))
    return known.unique("spelling", keep="first", maintain_order=True)


@cache
def no_countries() -> pl.DataFrame:
    """Values of the country column that are not countries: spelling (loosely folded) and flag, both text."""
    return _read("not_countries.csv").select(loose(pl.col("name")).alias("spelling"), "flag")


def normalise_countries(places: pl.DataFrame) -> pl.DataFrame:
    """Look up country names and codes.

    The code takes precedence over the name. If one of them is unknown, the other one decides.
    Statuses and seas are recognised before any look-up, so that none is mistaken for a country.

    Args:
        places: distinct pairs of country/ocean (name as delivered) and country_iso (alpha-2 or alpha-3), text.

    Returns:
        The pairs with name_iso and code_iso (the country of each of the two, alpha-2, or null), not_country (rule id
        of a status or sea, or null), invalid (whether the name or the code is unknown), and the decision:
        country, iso, iso3 (text, null if there is none).
    """
    known, other = spellings(), no_countries()
    table = countries()
    by_code = pl.concat([table.select(code=code, code_iso="country_iso") for code in ("country_iso", "country_iso3")])
    name = pl.col("spelling")
    looked_up = (
        places.with_columns(
            spelling=loose(pl.col("country/ocean")), code=pl.col("country_iso").str.strip_chars().str.to_uppercase()
        )
        .join(other.rename({"flag": "not_country"}), on="spelling", how="left")
        .with_columns(
            not_country=pl.coalesce(
                "not_country",
                pl.when(name.str.contains("^exception ")).then(pl.lit("COUNTRY_EXCEPTION")),
                pl.when(name.str.contains(" (ocean|sea)$")).then(pl.lit("COUNTRY_OCEAN")),
            )
        )
        .join(known.rename({"country_iso": "name_iso"}), on="spelling", how="left")
        .with_columns(pl.when(pl.col("not_country").is_null()).then("name_iso").alias("name_iso"))
        .join(by_code, on="code", how="left")
        .with_columns(iso=pl.coalesce("code_iso", "name_iso"))
        .join(table.rename({"country_iso": "iso", "country_iso3": "iso3"}), on="iso", how="left")
    )
    silent_name = name.is_not_null() & pl.col("name_iso").is_null() & pl.col("not_country").is_null()
    silent_code = pl.col("code").is_not_null() & pl.col("code_iso").is_null()
    return looked_up.with_columns(invalid=silent_name | silent_code).select(
        "country/ocean", "country_iso", "name_iso", "code_iso", "not_country", "invalid", "country", "iso", "iso3"
    )
