"""The history of expectations in words."""

import polars as pl
import pytest

from bioscan_etl.quality.history import HISTORY
from bioscan_etl.quality.history_tables import history_rows, trend


@pytest.mark.parametrize(
    ("shares", "bars"),
    [([], ""), ([0.0], "▁"), ([0.0, 0.0], "▁▁"), ([0.5], "█"), ([0.0, 1e-9, 1.0, 0.5], "▁▂█▅"), ([1.0, 0.0], "█▁")],
)
def test_a_bar_is_a_share_of_the_highest_and_some_is_never_none(shares, bars):
    assert trend(shares) == bars


def found(*rows):
    return pl.DataFrame(
        [("t", "E", where, not failing, failing, of) for where, failing, of in rows], HISTORY, orient="row"
    )


def test_releases_and_batches_are_told_apart():
    [row] = history_rows(
        found(("batch a", 0, 10), ("batch b", 1200, 5000), ("release v1", 0, 10), ("release v2", 2, 10))
    ).rows(named=True)
    assert row == {
        "table": "t",
        "expectation": "E",
        "trend": "▁█",
        "releases": "v1: 0; v2: 2 of 10",
        "batches": "1 of 2 fail: b (1,200 of 5,000)",
        "ever_failed": True,
    }


def test_a_trend_is_of_shares_so_that_a_grown_corpus_is_no_trend():
    [row] = history_rows(found(("release v1", 1, 10), ("release v2", 10, 100))).rows(named=True)
    assert row["trend"] == "██"


def test_the_last_releases_and_the_first_batches_are_shown():
    rows = [(f"batch b{n}", 1, 1) for n in range(7)] + [(f"release v{n}", 0, 1) for n in range(1, 12)]
    [row] = history_rows(found(*rows)).rows(named=True)
    assert row["batches"].startswith("7 of 7 fail: b0 (1 of 1), b1 (1 of 1)")
    assert row["batches"].endswith(", 2 more")
    assert row["releases"].startswith("v4: 0; ")
    assert len(row["trend"]) == 8


def test_what_always_held_is_marked_so():
    [row] = history_rows(found(("batch a", 0, 10), ("release v1", 0, 10))).rows(named=True)
    assert (row["ever_failed"], row["batches"]) == (False, "all 1 hold")
