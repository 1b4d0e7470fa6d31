"""Collection dates: parsing them, and comparing them with the record's other dates.

No date is compared with today, so that a run tomorrow gives the same result as a run today. "In the future" means
after the record's snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

_SERIAL = r"^([1-9][0-9]{4})(?:\.0+)?$"
_ISO = r"^(\d{4}-\d{2}-\d{2})(?:[T ].*)?$"
# Day 60 of a spreadsheet is 29 February 1900, which did not exist; counting from here is correct for later days.
_SPREADSHEET_EPOCH = pl.date(1899, 12, 30)


def is_spreadsheet_serial(text: pl.Expr) -> pl.Expr:
    """Whether the text is a spreadsheet's day number of five digits, such as 41062 (2012-06-02)."""
    return text.str.strip_chars().str.contains(_SERIAL)


def parse_date(text: pl.Expr) -> pl.Expr:
    """Read `2020-02-28` (also with a time after it), `28-Feb-2020` or a spreadsheet's day number.

    Returns:
        Date; null if the text is not a complete calendar date.
    """
    text = text.str.strip_chars()
    serial = _SPREADSHEET_EPOCH + pl.duration(days=text.str.extract(_SERIAL).cast(pl.Int64))
    return pl.coalesce(
        text.str.extract(_ISO).str.to_date("%Y-%m-%d", strict=False),
        text.str.to_date("%d-%b-%Y", strict=False),
        serial,
    )


def date_conditions(earliest_year: int) -> Mapping[str, pl.Expr]:
    """The rules of dates as conditions by rule id.

    They read start_text, end_text (as delivered), collection_date_start, collection_date_end, upload_date and
    snapshot_date (Date). If a record has only one of the two dates, that one is checked.
    """
    start, end = pl.col("collection_date_start"), pl.col("collection_date_end")
    texts = (pl.col("start_text"), pl.col("end_text"))
    earliest, latest = pl.min_horizontal(start, end), pl.max_horizontal(start, end)
    return {
        "DATE_INVALID": pl.any_horizontal(
            text.is_not_null() & day.is_null() for text, day in zip(texts, (start, end), strict=True)
        ),
        "DATE_SPREADSHEET_SERIAL": pl.any_horizontal(is_spreadsheet_serial(text).fill_null(False) for text in texts),
        "DATE_BEFORE_EARLIEST": earliest.dt.year() < earliest_year,
        "DATE_IN_FUTURE": latest > pl.col("snapshot_date"),
        "DATE_AFTER_UPLOAD": earliest > pl.col("upload_date"),
        "DATE_START_AFTER_END": start > end,
    }
