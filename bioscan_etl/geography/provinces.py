"""Provinces: one spelling per province of a country, chosen from the whole corpus."""

from __future__ import annotations

import polars as pl

from bioscan_etl.geography.spelling import folded

_CHANGES = ("processid", "field", "before", "after", "rule", "evidence")


def unify_provinces(specimens: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Replace spellings of a province that differ only in case and accents by the most frequent one.

    Provinces are compared only within their country, and not at all if the country is missing. Among
    equally frequent spellings, the first in code point order wins. Old and new administrative units are kept separate.

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
        .with_columns(key=folded(pl.col("province_state")))
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
