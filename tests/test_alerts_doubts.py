"""Open doubts that are old: one alert a day on which they began, and none below the setting."""

import datetime as dt

import polars as pl
import pytest

from bioscan_etl.alerts.doubts import doubt_alerts

TODAY = dt.date(2026, 3, 1)


def doubts(*rows):
    return pl.DataFrame(rows, schema={"doubt": pl.String, "since": pl.Date, "state": pl.String}, orient="row")


def test_open_ones_older_than_the_setting_are_told_by_day():
    found = doubt_alerts(
        doubts(
            ("CONFLICT BOLD:AAA1", dt.date(2026, 1, 5), "open"),
            ("TYPO Aedes", dt.date(2026, 1, 5), "open"),
            ("IMAGE A-1", dt.date(2026, 1, 5), "decided"),
            ("IMAGE A-2", dt.date(2026, 1, 2), "open"),
            ("exactly thirty days", dt.date(2026, 1, 30), "open"),
            ("IMAGE A-3", dt.date(2026, 2, 20), "open"),
        ),
        TODAY,
        30,
    )
    assert [one.title for one in found] == [
        "1 doubt is open since 2026-01-02, more than 30 days",
        "2 doubts are open since 2026-01-05, more than 30 days",
    ]
    assert found[1].lines == ("CONFLICT BOLD:AAA1", "TYPO Aedes")


def test_a_day_is_the_same_event_while_any_of_its_doubts_is_open():
    day = dt.date(2026, 1, 5)
    [first] = doubt_alerts(doubts(("a", day, "open"), ("b", day, "open")), TODAY, 30)
    [later] = doubt_alerts(doubts(("a", day, "decided"), ("b", day, "open")), TODAY + dt.timedelta(days=9), 30)
    assert first.id == later.id
    assert doubt_alerts(doubts(("a", day, "decided")), TODAY, 30) == []


def test_a_hundred_thousand_are_one_line_each_day():
    many = pl.LazyFrame({"doubt": [f"d{n:06}" for n in range(100_000)]}).with_columns(
        since=pl.date(2026, 1, 1), state=pl.lit("open")
    )
    [one] = doubt_alerts(many, TODAY, 30)
    assert one.title.startswith("100,000 doubts")
    assert one.lines[0] == "d000000"
    assert one.lines[-1] == "and 99,990 more"


def test_zero_turns_it_off():
    assert doubt_alerts(doubts(("a", dt.date(2020, 1, 1), "open")), TODAY, 0) == []


@pytest.mark.parametrize("text", ["<script>", "=1+1", "a\nb", None])
def test_texts_of_doubts_are_no_markup_and_one_line(text):
    [one] = doubt_alerts(doubts((text, dt.date(2026, 1, 1), "open")), TODAY, 30)
    assert all(line.isprintable() for line in one.lines)
