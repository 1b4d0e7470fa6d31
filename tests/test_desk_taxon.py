"""What makes a specimen odd among its like, worked out by hand."""

from math import log

import polars as pl
import pytest

from bioscan_etl.desk.taxon import oddness

SCHEMA = {
    "processid": pl.String,
    "area_fraction": pl.Float64,
    "exposure": pl.Float64,
    **dict.fromkeys(("x0", "y0", "x1", "y1"), pl.Int32),
    "barcode": pl.String,
}


def rows(*given):
    plain = {"area_fraction": 0.1, "exposure": 150.0, "x0": 0, "y0": 0, "x1": 200, "y1": 100, "barcode": "ACGTACGTAC"}
    values = [{"processid": f"A-{place}", **plain, **one} for place, one in enumerate(given)]
    return pl.DataFrame(values, schema=SCHEMA)


def test_equal_specimens_are_not_odd():
    assert oddness(rows({}, {}, {}))["oddness"].to_list() == [0.0, 0.0, 0.0]


def test_a_difference_counts_in_usual_differences():
    # Median 150, absolute differences 0, 10, 10, 20, 60: their median 10, so the usual difference is 14.826.
    values = (150.0, 140.0, 160.0, 130.0, 210.0)
    found = oddness(rows(*({"exposure": value} for value in values)))
    assert found["odd_brightness"].to_list() == pytest.approx([off / 14.826 for off in (0, 10, 10, 20, 60)])
    assert found["oddness"].to_list() == found["odd_brightness"].to_list()


def test_where_nearly_all_are_alike_the_least_difference_counts():
    found = oddness(rows({}, {}, {}, {"area_fraction": 0.2}))
    assert found["odd_area"].to_list() == pytest.approx([0, 0, 0, log(2) / 0.1])


def test_a_specimen_may_lie_in_any_direction():
    found = oddness(rows({}, {"x1": 100, "y1": 200}, {"x1": 100, "y1": 100}))
    assert found["odd_aspect"].to_list() == pytest.approx([0, 0, log(2) / 0.05])


def test_a_barcode_is_compared_with_the_most_frequent_one_and_can_only_be_too_far():
    found = oddness(rows({}, {}, {}, {"barcode": "ACGTACGTTT"}))
    assert found["barcode_distance"].to_list() == pytest.approx([0, 0, 0, 0.2])
    assert found["odd_barcode"].to_list() == pytest.approx([0, 0, 0, 20])
    # Three different barcodes at distances 0, 0.1 and 0.1: the first one is nearer than usual, which is not odd.
    near = oddness(rows({}, {"barcode": "CCGTACGTAC"}, {"barcode": "GCGTACGTAC"}))
    assert near["odd_barcode"].to_list() == pytest.approx([0, 0, 0])


def test_what_is_not_known_is_not_odd():
    none = dict.fromkeys(("area_fraction", "exposure", "x0", "y0", "x1", "y1", "barcode"))
    found = oddness(rows({}, none, {"exposure": 250.0}))
    assert found["oddness"].to_list()[1] == 0.0
    assert oddness(rows(none))["oddness"].to_list() == [0.0]
