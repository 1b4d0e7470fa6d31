"""Counts of a few specimens, worked out by hand."""

import polars as pl
import pytest

from bioscan_etl.desk.tally import MISSING, NEEDED, Tally, distance, shares, summed, tally

ROWS = [
    # where, gates, flags, country, barcode_length, order, species, status, detector, confidence, exposure, blur
    ("a", [], ["BLURRED"], "Kenya", 658, "Diptera", "Aedes aegypti", "detected", "d1", 0.5, 100.0, 10.0),
    ("a", [], [], None, 657, "Diptera", None, "detected", "d1", 1.0, 200.0, 30.0),
    ("a", ["IMAGE_STATUS"], ["BLURRED", "EMPTY_IMAGE"], "China", 499, None, None, "empty", "d2", 0.0, None, None),
    ("b", ["NO_IMAGE"], [], "China", None, "Hemiptera", None, None, None, None, None, None),
]
NAMES = ("where", "gates", "flags", "country", "barcode_length", "order", "species", "image_status", "detector",
         "confidence", "exposure", "blur")  # fmt: skip


def rows():
    values = [{**dict.fromkeys(NEEDED), **dict(zip(NAMES, row, strict=True))} for row in ROWS]
    return pl.DataFrame(values, schema=NEEDED).lazy()


def test_every_specimen_of_a_group_counts():
    found = tally(rows(), only_released=False)
    assert found["a"] == Tally(
        specimens=3,
        released=2,
        rules={"BLURRED": 2, "EMPTY_IMAGE": 1, "IMAGE_STATUS": 1},
        distributions={
            "country": {"China": 1, "Kenya": 1, MISSING: 1},
            "order": {"Diptera": 2, MISSING: 1},
            "barcode_length": {"600 to 657 bp": 1, "658 bp": 1, "below 500 bp": 1},
        },
        unlabelled={"phylum": 3, "class": 3, "order": 1, "family": 3, "subfamily": 3, "genus": 3, "species": 2},
        statuses={"detected": 2, "empty": 1},
        detectors=("d1", "d2"),
        means={"confidence": 0.5, "exposure": 150.0, "blur": 20.0},
    )
    assert found["b"].rules == {"NO_IMAGE": 1}
    assert found["b"].distributions["barcode_length"] == {MISSING: 1}
    assert found["b"].means == {}


def test_rules_can_be_counted_of_other_rows():
    ruled = rows().select("where", "gates", flags=pl.lit(["LABEL"], pl.List(pl.String)))
    found = tally(rows(), only_released=False, ruled=ruled)
    assert found["a"].rules == {"IMAGE_STATUS": 1, "LABEL": 3}
    assert found["a"].distributions == tally(rows(), only_released=False)["a"].distributions


def test_of_a_release_only_released_specimens_have_a_distribution():
    found = tally(rows(), only_released=True)
    assert found["a"].distributions["country"] == {"Kenya": 1, MISSING: 1}
    assert found["a"].unlabelled["order"] == 0
    assert found["a"].rules["IMAGE_STATUS"] == 1  # held back, and counted
    assert found["b"].distributions == {}


@pytest.mark.parametrize(
    ("before", "after", "apart"),
    [
        ({"x": 1}, {"x": 9}, 0.0),
        ({"x": 1}, {"y": 1}, 1.0),
        ({"x": 8, "y": 2}, {"x": 5, "y": 4, "z": 1}, 0.3),
        ({}, {"x": 1}, None),
    ],
)
def test_the_distance_is_the_share_that_would_have_to_change(before, after, apart):
    assert distance(before, after) == (None if apart is None else pytest.approx(apart))


def test_values_that_changed_most_come_first():
    assert [one[0] for one in shares({"x": 8, "y": 2}, {"x": 5, "y": 4, "z": 1})] == ["x", "y", "z"]


def test_groups_add_up():
    found = tally(rows(), only_released=False)
    assert summed(found.values(), "country") == {"China": 2, "Kenya": 1, MISSING: 1}
