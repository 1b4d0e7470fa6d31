"""Numbers in a record's text: the one place that reads them.

Belongs here: reading a count or measure, however its source wrote it. Does not belong here: coordinates and dates
(`geography.coordinates`, `geography.dates`).
"""

from __future__ import annotations

import polars as pl

_THOUSANDS = r"^([+-]?\d{1,3}(?:,\d{3})+)(\.\d+)?$"


def number(text: pl.Expr) -> pl.Expr:
    """A count or measure as Float64; null if the text is no finite number.

    `658`, `658.0` (a table that has passed through a data frame), `6.58E+02` and `1,658` (a spreadsheet) are numbers.
    """
    bare = text.str.strip_chars()
    grouped = bare.str.contains(_THOUSANDS)
    plain = pl.when(grouped).then(bare.str.replace_all(",", "", literal=True)).otherwise(bare)
    value = plain.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def whole_number(text: pl.Expr) -> pl.Expr:
    """A count as Int64, rounded; null if the text is no number that fits."""
    return number(text).round().cast(pl.Int64, strict=False)
