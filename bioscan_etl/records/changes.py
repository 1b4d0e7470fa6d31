"""Changes of the records' text, as rows of the change log.

Belongs here: listing them. Does not belong here: removing characters (`blocks`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.invisible import cleaned

_RELEASED_AS = {
    "nuc": "dna_barcode",
    "bin_uri": "dna_bin",
    "country/ocean": "country",
    "province/state": "province_state",
}
_CHANGED = pl.Struct({"changed": pl.List(pl.Struct({"field": pl.String, "text": pl.String}))})


def text_changes(records: pl.LazyFrame) -> pl.DataFrame:
    """List the fields from which invisible characters were removed.

    Args:
        records: `schema.RECORDS`; uses processid and verbatim.

    Returns:
        processid, field, before, after, rule, evidence (text): the columns of `schema.CHANGES` without step and
        ruleset, sorted by processid and field. A field that is released under another name has that name.
    """
    delivered = records.filter(pl.col("verbatim").is_not_null()).select("processid", "verbatim").collect()
    cells = (
        delivered.select("processid", pl.col("verbatim").str.json_decode(_CHANGED).struct.field("changed"))
        .explode("changed")
        .unnest("changed")
    )
    return cells.select(
        "processid",
        field=pl.col("field").replace(_RELEASED_AS),
        before="text",
        after=cleaned(pl.col("text")),
        rule=pl.lit("TEXT_INVISIBLE"),
        evidence=pl.lit("invisible characters, or blanks other than the space"),
    ).sort("processid", "field", "before")
