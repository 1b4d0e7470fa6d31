"""The change log against itself and the rows."""

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.change_log import check

ROWS = pl.DataFrame(
    {"processid": ["A-1", "B-1"], "species": ["Aus bus", None], "coord-lat": [1.5, None]},
    schema_overrides={"coord-lat": pl.Float64},
)


def log(*rows):
    names = ("processid", "field", "step", "before", "after", "rule")
    frame = pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows], schema_overrides={"step": pl.Int32})
    texts = dict.fromkeys(("before", "after"), pl.String)
    return schema.CHANGES.conform(frame.cast(texts).with_columns(evidence=pl.lit(None, pl.String), ruleset=pl.lit("1")))


TRUE = [
    ("A-1", "coord-lat", 0, "-1.50", "1.5", "PRESUMED_NEGATED_LATITUDE"),
    ("A-1", "species", 0, "AUS  BUS", "AUS BUS", "NAME_WHITESPACE"),
    ("A-1", "species", 1, "AUS BUS", "Aus bus", "NAME_CASE"),
    ("B-1", "species", 0, "Unknown", None, "NAME_IS_NULL_WORD"),
]


def test_a_log_of_the_rows_has_no_fault():
    assert list(check(held("data", ROWS), log(*TRUE), known=True)) == []
    assert list(check(held("data", ROWS), schema.CHANGES.empty(), known=True)) == []


@pytest.mark.parametrize(
    ("number", "row", "words"),
    [
        (0, ("A-1", "coord-lat", 0, "-1.50", "1.6", "PRESUMED_NEGATED_LATITUDE"), "leaves '1.6' in 'coord-lat'"),
        (1, ("A-1", "species", 0, "AUS  BUS", "Aus", "NAME_WHITESPACE"), "the step before it left 'Aus'"),
        (2, ("A-1", "species", 1, "AUS BUS", "AUS BUS", "NAME_CASE"), "to the same value"),
        (2, ("A-1", "species", 2, "AUS BUS", "Aus bus", "NAME_CASE"), "step 2 of 'species' is not step 1"),
        (2, ("A-1", "species", 1, "AUS BUS", "Aus bus", "NAME_DOUBTFUL"), "is no rule that changes values"),
        (3, ("B-1", "species", 0, "Unknown", "Aus cus", "NAME_IS_NULL_WORD"), "but data has missing"),
        (3, ("B-1", "notes", 0, "Unknown", None, "NAME_IS_NULL_WORD"), "which is no column of data"),
        (3, ("C-1", "species", 0, "Unknown", None, "NAME_IS_NULL_WORD"), "a specimen that data does not have"),
    ],
)
def test_a_contradiction_is_named(number, row, words):
    rows = [*TRUE]
    rows[number] = row
    found = [fault for fault in check(held("data", ROWS), log(*rows), known=True) if words in fault.fault]
    assert [(fault.file, fault.processid) for fault in found] == [("changes.parquet", row[0])]


def test_rules_of_another_version_are_not_known():
    rows = [*TRUE[:3], ("B-1", "species", 0, "Unknown", None, "NAME_OF_A_LATER_VERSION")]
    [fault] = check(held("data", ROWS), log(*rows), known=True)
    assert "which is no rule that changes values" in fault.fault
    assert list(check(held("data", ROWS), log(*rows), known=False)) == []
