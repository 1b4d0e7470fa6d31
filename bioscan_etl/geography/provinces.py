"""Provinces: one spelling per province of a country, chosen from the whole corpus.

Belongs here: which spellings are one province. Its data are `province_letters.csv` in this folder and the subdivisions
of pycountry (ISO 3166-2): names with letters that are also written as two. Does not belong here: folding (`spelling`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

from bioscan_etl.geography.countries import countries
from bioscan_etl.geography.spelling import folded, transliterated, trimmed
from bioscan_etl.io.tables import read_csv

_CHANGES = ("processid", "field", "before", "after", "rule", "evidence")


@cache
def _known_names() -> pl.DataFrame:
    """Provinces of ISO 3166-2 and of our list: country (canonical name), province_state (with its own letters)."""
    import pycountry

    iso = pl.DataFrame(
        [(each.country_code, each.name) for each in pycountry.subdivisions],
        schema={"country_iso": pl.String, "province": pl.String},
        orient="row",
    ).with_columns(trimmed(pl.col("province").str.replace(r"[\[(].*$", "")))
    ours = read_csv(Path(__file__).with_name("province_letters.csv"), infer_schema=False)
    return (
        pl.concat([iso, ours])
        .join(countries(), on="country_iso")
        .select("country", province_state="province")
        .unique(maintain_order=True)
    )


def _with_key(counted: pl.DataFrame) -> pl.DataFrame:
    """Add `key`, which spellings of one province share: the folded name, after undoing a known transliteration."""
    name = pl.col("province_state")
    known = _known_names().join(counted.select("country").unique(), on="country", how="semi")
    folded_known = known.select("country", long=folded(name)).filter(pl.col("long").is_not_null()).unique()
    links = (
        pl.concat([counted.select("country", "province_state"), known])
        .select("country", long=transliterated(name), short=folded(name))
        .filter(pl.col("long") != pl.col("short"))
        .unique()
        # Two known provinces that differ in nothing else are two: one of them is not the transliteration of the other.
        .join(folded_known, on=["country", "long"], how="anti")
        .sort(pl.col("short").str.len_chars(), "short")
        .with_columns(key=pl.col("short").first().over("country", "long"))
    )
    keys = pl.concat(
        [links.select("country", "key", spelling=form) for form in ("long", "short")], how="vertical"
    ).unique(["country", "spelling"], keep="first", maintain_order=True)
    return (
        counted.with_columns(spelling=transliterated(name), plain=folded(name))
        .join(keys, on=["country", "spelling"], how="left")
        .with_columns(key=pl.coalesce("key", "plain"))
        .drop("spelling", "plain")
    )


def unify_provinces(specimens: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Replace spellings of a province that differ only in case, accents and transliteration by the most frequent one.

    Provinces are compared only within their country, and not at all if the country is missing. Among
    equally frequent spellings, the first in code point order wins. Old and new administrative units are kept separate.
    `Baden-Wuerttemberg` and `Baden-Wurttemberg` are one province because `Baden-Württemberg` is known, from the corpus
    or from the lists of this folder; without such a name, two spellings that differ in `ae` and `a` stay two provinces.

    Args:
        specimens: a row per specimen with at least processid, country and province_state (text).

    Returns:
        The specimens in their order with province_state unified, and the changes: processid, field, before,
        after, rule, evidence (text), sorted by processid.
    """
    place = ["country", "province_state"]
    counted = (
        specimens.filter(pl.col("country").is_not_null() & pl.col("province_state").is_not_null())
        .group_by(place)
        .len("records")
        .pipe(_with_key)
        .sort(["country", "key", "records", "province_state"], descending=[False, False, True, False])
        .with_columns(
            unified=pl.col("province_state").first().over("country", "key"),
            total=pl.col("records").sum().over("country", "key"),
            support=pl.col("records").first().over("country", "key"),
        )
        .filter(pl.col("unified") != pl.col("province_state"))
    )
    joined = specimens.join(
        counted.select(*place, "unified", "support", "total"), on=place, how="left", maintain_order="left"
    )
    changes = (
        joined.filter(pl.col("unified").is_not_null())
        .select(
            "processid",
            field=pl.lit("province_state"),
            before="province_state",
            after="unified",
            rule=pl.lit("PROVINCE_UNIFIED"),
            evidence=pl.format("{} of {} records of {} spell it so", "support", "total", "country"),
        )
        .sort("processid")
    )
    unified = joined.with_columns(province_state=pl.coalesce("unified", "province_state"))
    return unified.select(specimens.columns), changes.select(_CHANGES)
