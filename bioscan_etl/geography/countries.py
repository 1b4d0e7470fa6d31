"""Countries: from BOLD's spellings and codes to one canonical name and the ISO 3166-1 codes.

Belongs here: the look-up of names and codes. Its data are five tables in this folder: `country_names.csv`
(the canonical name per code), `country_spellings.csv` (other spellings of BOLD and its users), `country_codes.csv`
(other codes), `ambiguous_names.csv` (names and codes of several countries) and `not_countries.csv` (seas and statuses
in the country column). Official names, alpha-3 and numeric codes come from pycountry. Does not belong here: the borders
of a country (`borders`), and what the point says of a name and a code (`witnesses`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

from bioscan_etl.geography.spelling import loose, trimmed
from bioscan_etl.io.tables import read_csv

STATUSES = ("COUNTRY_EXCEPTION", "COUNTRY_OCEAN", "COUNTRY_UNRECOVERABLE")
"""Rule ids of values that the country column may have instead of a country."""

_FOLDER = Path(__file__).parent
_WATERS = r"(?:exclusive economic zone|eez|territorial (?:sea|waters?)|coastal waters?)"
_OF_WATERS = rf"^{_WATERS} (?:of )?(?:the )?| {_WATERS}$"
_INVERTED = r"^\s*(.+?)\s*,\s*((?:.*\s)?of)(?:\s+the)?\s*$"  # Macedonia, Republic of
KOSOVO = ("XK", "XKX")  # user-assigned codes, in use at BOLD and Natural Earth, but not in ISO 3166


def _read(name: str) -> pl.DataFrame:
    # NA is Namibia: no text of these tables means missing.
    return read_csv(_FOLDER / name, infer_schema=False)


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
def codes() -> pl.DataFrame:
    """All known codes: code (upper case, unique) and country_iso, both text.

    These are ISO 3166-1 alpha-2, alpha-3 and numeric (three digits), and reserved, former and colloquial codes (UK).
    """
    import pycountry

    table = countries()
    numeric = pl.DataFrame(
        [(each.numeric, each.alpha_2) for each in pycountry.countries],
        schema={"code": pl.String, "country_iso": pl.String},
        orient="row",
    )
    layers = [
        *(table.select(code=code, country_iso="country_iso") for code in ("country_iso", "country_iso3")),
        numeric,
        _read("country_codes.csv"),
    ]
    return pl.concat([layer.select("code", "country_iso") for layer in layers]).unique(
        "code", keep="first", maintain_order=True
    )


@cache
def ambiguous() -> pl.DataFrame:
    """Names and codes that may mean several countries, or nothing.

    Returns:
        spelling (loosely folded, unique), candidates (list of alpha-2), ambiguous_flag (the rule if it stays open).
    """
    table = _read("ambiguous_names.csv")
    return table.select(
        loose(pl.col("spelling")).alias("spelling"),
        pl.col("countries").str.split(" ").alias("candidates"),
        pl.col("flag").alias("ambiguous_flag"),
    )


@cache
def spellings() -> pl.DataFrame:
    """All known spellings: spelling (loosely folded, unique) and country_iso, both text.

    Canonical names take precedence over our spellings, these over pycountry's, which change between versions, and
    names over codes. Ambiguous spellings are left out.
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
        codes().select(spelling="code", country_iso="country_iso"),
    ]
    known = pl.concat(layers).with_columns(loose(pl.col("spelling")))
    return known.unique("spelling", keep="first", maintain_order=True).join(ambiguous(), on="spelling", how="anti")


@cache
def no_countries() -> pl.DataFrame:
    """Values of the country column that are not countries: spelling (loosely folded) and flag, both text."""
    return _read("not_countries.csv").select(loose(pl.col("name")).alias("spelling"), "flag")


def iso_of_name(name: pl.Expr) -> pl.Expr:
    """Look up names as typed, then inverted ("Macedonia, Republic of"), then without words for waters; or null."""
    known = spellings()
    forms = (loose(name), loose(name.str.replace(_INVERTED, "$2 $1")), trimmed(loose(name).str.replace(_OF_WATERS, "")))
    return pl.coalesce(
        form.replace_strict(known["spelling"], known["country_iso"], default=None, return_dtype=pl.String)
        for form in forms
    )


def is_of_waters(name: pl.Expr) -> pl.Expr:
    """Whether a name is that of a country's waters, such as "Exclusive economic zone of Chile"."""
    return loose(name).str.contains(_OF_WATERS)


def with_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Add country (canonical name) and iso3 (alpha-3) to a frame with iso (alpha-2)."""
    return frame.join(countries().rename({"country_iso": "iso", "country_iso3": "iso3"}), on="iso", how="left")


def normalise_countries(places: pl.DataFrame) -> pl.DataFrame:
    """Look up country names and codes.

    Either column may hold a name or a code. If the two name different countries, the code takes precedence; the point
    may decide otherwise (`witnesses`). If one of them is unknown, the other one decides.
    Statuses and seas are recognised before any look-up, so that none is mistaken for a country.

    Args:
        places: distinct pairs of country/ocean (name as delivered) and country_iso (code as delivered), text.

    Returns:
        The pairs with name_iso and code_iso (the country of each of the two, alpha-2, or null), not_country (rule id
        of a status or sea, or null), former (whether it is a former state), waters (whether it names a country's
        waters), candidates (list of alpha-2: countries that an ambiguous name or code may mean, from which the point
        may choose; null if none is ambiguous), invalid (whether the name or the code is unknown or open), and the
        decision without a point: country, iso, iso3 (text, null if there is none).
    """
    other, open_ = no_countries(), ambiguous()
    name, code_text = pl.col("country/ocean"), pl.col("country_iso").str.strip_chars()
    code = codes()
    looked_up = (
        places.with_columns(
            spelling=loose(name),
            code_spelling=loose(code_text),
            name_iso=iso_of_name(name),
            code_iso=pl.coalesce(
                code_text.str.to_uppercase().replace_strict(
                    code["code"], code["country_iso"], default=None, return_dtype=pl.String
                ),
                iso_of_name(code_text),
            ),
        )
        .join(other.rename({"flag": "not_country"}), on="spelling", how="left")
        .with_columns(
            not_country=pl.coalesce(
                "not_country",
                pl.when(pl.col("spelling").str.contains("^exception ")).then(pl.lit("COUNTRY_EXCEPTION")),
                pl.when(pl.col("spelling").str.contains(" (ocean|sea)$")).then(pl.lit("COUNTRY_OCEAN")),
            )
        )
        .join(open_.rename({"candidates": "name_may", "ambiguous_flag": "name_flag"}), on="spelling", how="left")
        .join(
            open_.rename({"spelling": "code_spelling", "candidates": "code_may", "ambiguous_flag": "code_flag"}),
            on="code_spelling",
            how="left",
        )
        .with_columns(
            not_country=pl.when(pl.col("name_iso").is_not_null() & is_of_waters(name))
            .then(None)
            .otherwise("not_country")
        )
        .with_columns(pl.when(pl.col("not_country").is_null()).then("name_iso").alias("name_iso"))
        .with_columns(
            name_iso=pl.when(pl.col("name_may").list.contains(pl.col("code_iso")))
            .then("code_iso")
            .otherwise("name_iso"),
            code_iso=pl.when(pl.col("code_iso").is_null() & pl.col("code_may").list.contains(pl.col("name_iso")))
            .then("name_iso")
            .otherwise("code_iso"),
        )
        .with_columns(iso=pl.coalesce("code_iso", "name_iso"))
        .with_columns(candidates=pl.coalesce("name_may", pl.when(pl.col("name_iso").is_null()).then("code_may")))
    )
    formerly = pl.lit("COUNTRY_FORMER")
    of_name = pl.col("name_flag").eq_missing(formerly)
    silent_name = (
        pl.col("spelling").is_not_null() & pl.col("name_iso").is_null() & pl.col("not_country").is_null() & ~of_name
    )
    of_code = pl.col("code_flag").eq_missing(formerly)
    silent_code = code_text.str.len_bytes().gt(0) & pl.col("code_iso").is_null() & ~of_code
    return with_names(
        looked_up.select(
            "country/ocean",
            "country_iso",
            "name_iso",
            "code_iso",
            "not_country",
            "candidates",
            "iso",
            former=of_name | (of_code & pl.col("name_iso").is_null()),
            waters=is_of_waters(name).fill_null(False),
            invalid=silent_name | silent_code.fill_null(False),
        )
    )
