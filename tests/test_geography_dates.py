"""Dates in BOLD's notations and what is wrong with them."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.geography.dates import date_conditions, is_spreadsheet_serial, parse_date


def parse(text: str | None) -> dt.date | None:
    return pl.select(parse_date(pl.lit(text, pl.String))).item()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020-02-28", dt.date(2020, 2, 28)),
        ("28-Feb-2020", dt.date(2020, 2, 28)),
        ("03-Mar-2020", dt.date(2020, 3, 3)),
        (" 2014-07-27T12:00:00Z", dt.date(2014, 7, 27)),
        ("41062", dt.date(2012, 6, 2)),
        ("41062.0", dt.date(2012, 6, 2)),
        ("0202-10-08", dt.date(202, 10, 8)),
        ("2020-02-29", dt.date(2020, 2, 29)),
    ],
)
def test_notations(text, day):
    assert parse(text) == day


@pytest.mark.parametrize(
    "text",
    [None, "", "2014", "2014-07", "2019-02-29", "2014-13-01", "28-Foo-2020", "July 2014", "123", "0-0-0", "20200228"],
)
def test_anything_else_is_none(text):
    assert parse(text) is None


@given(st.dates())
def test_what_was_written_is_read(day):
    assert parse(day.isoformat()) == day
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    assert parse(f"{day.day:02d}-{months[day.month - 1]}-{day.year:04d}") == day


@given(st.integers(10_000, 99_999))
def test_serials_count_days_as_spreadsheets_do(number):
    assert parse(str(number)) == dt.date(1899, 12, 30) + dt.timedelta(days=number)
    assert pl.select(is_spreadsheet_serial(pl.lit(str(number)))).item() is True


@given(st.text(max_size=15) | st.text("0123456789-TJanFeb. ", max_size=15))
def test_any_text_is_read_without_an_error(text):
    assert isinstance(parse(text), dt.date | None)


def hits(
    start: str | None, end: str | None, upload: str | None = None, snapshot: dt.date | None = dt.date(2023, 12, 18)
) -> set[str]:
    frame = pl.DataFrame(
        {"start_text": [start], "end_text": [end], "upload": [upload], "snapshot_date": [snapshot]},
        schema={"start_text": pl.String, "end_text": pl.String, "upload": pl.String, "snapshot_date": pl.Date},
    )
    frame = frame.with_columns(
        collection_date_start=parse_date(pl.col("start_text")),
        collection_date_end=parse_date(pl.col("end_text")),
        upload_date=parse_date(pl.col("upload")),
    )
    found = frame.select(**date_conditions(1700)).row(0, named=True)
    return {name for name, hit in found.items() if hit}


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (("2014-07-27", "2014-08-03", "30-Oct-2014"), set()),
        (("2014-07-27", "2014-07-27", "2014-07-27"), set()),
        ((None, None, None), set()),
        (("0202-10-08", None), {"DATE_BEFORE_EARLIEST"}),
        (("1699-12-31", "1701-01-01"), {"DATE_BEFORE_EARLIEST"}),
        (("1700-01-01", None), set()),
        (("2023-12-18", None), set()),
        ((None, "2023-12-19"), {"DATE_IN_FUTURE"}),
        (("2021-05-01", None, "16-Apr-2020"), {"DATE_AFTER_UPLOAD"}),
        (("2020-04-01", "2020-05-01", "16-Apr-2020"), set()),
        (("2014-08-03", "2014-07-27"), {"DATE_START_AFTER_END"}),
        (("2014-02-30", None), {"DATE_INVALID"}),
        (("41062", None), {"DATE_SPREADSHEET_SERIAL"}),
    ],
)
def test_conditions(dates, expected):
    assert hits(*dates) == expected


def test_without_a_snapshot_date_nothing_is_in_the_future():
    assert hits("2999-01-01", None, None, None) == set()
