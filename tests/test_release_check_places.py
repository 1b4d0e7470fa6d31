"""Released places against each other and the map, and what the check accepts because a point or a name decided it."""

import datetime as dt

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.geography.changes import geography_changes
from bioscan_etl.geography.check import check_geography
from bioscan_etl.release.check import places
from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.places import check
from bioscan_etl.settings import GeographySettings

TRUE = {
    "processid": "A-1",
    "country": "Canada",
    "country_iso": "CA",
    "province_state": "Ontario",
    "coord-lat": 43.53,
    "coord-lon": -80.23,
    "flags": [],
}
LOG = schema.CHANGES.empty()


def faults(*rows, log=LOG):
    frame = pl.DataFrame(rows, schema={name: schema.METADATA_EXTENDED[name].dtype for name in TRUE}, orient="row")
    return list(check(held("data", frame), log, GeographySettings()))


def other(**values):
    return {**TRUE, "processid": "B-1", **{name.replace("__", "-"): value for name, value in values.items()}}


def test_true_places_have_no_fault():
    nowhere = other(country=None, country_iso=None, province_state=None, coord__lat=None, coord__lon=None)
    assert faults(TRUE, nowhere) == []
    assert (
        faults(TRUE, other(coord__lon=80.23, flags=["COUNTRY_COORDINATE_MISMATCH", "PRESUMED_NEGATED_LONGITUDE"])) == []
    )
    assert faults() == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"country": "Norway"}, "has the country 'Norway'; the code 'CA' is of 'Canada'"),
        ({"country_iso": None}, "the code missing is of missing"),
        ({"coord__lon": 80.23}, "lacks the flag COUNTRY_COORDINATE_MISMATCH"),
        ({"coord__lon": 80.23}, "lacks the flag PRESUMED_NEGATED_LONGITUDE"),
        ({"flags": ["PRESUMED_SWAPPED_COORDINATE"]}, "has the flag PRESUMED_SWAPPED_COORDINATE"),
        ({"coord__lat": None}, "has one coordinate without the other"),
        ({"coord__lat": 0.0, "coord__lon": 0.0}, "which is no place"),
        ({"flags": ["ZERO_COORDINATE"]}, "which by its flags is missing"),
        ({"flags": ["COORDINATE_OUT_OF_RANGE"]}, "which by its flags is out of range"),
        ({"province_state": "ONTARIO"}, "which other records of the country spell 'Ontario'"),
    ],
)
def test_a_contradiction_is_named(values, words):
    found = faults(TRUE, {**TRUE, "processid": "A-2"}, other(**values))
    assert [fault.processid for fault in found if words in fault.fault] == ["B-1"], found


def test_a_spelling_of_another_country_is_named():
    row = {
        "processid": "B-1",
        "field": "country",
        "step": 0,
        "before": "Czech Republic",
        "after": "Canada",
        "rule": "COUNTRY_NORMALISED",
        "evidence": None,
        "ruleset": "1",
    }
    found = faults(TRUE, other(), log=pl.DataFrame([row], schema=schema.CHANGES.schema()))
    assert [str(fault) for fault in found] == [
        "changes.parquet: B-1: makes 'Canada' of the country 'Czech Republic', which is 'Czechia'"
    ]


TEXT = (
    *("batch", "processid", "country/ocean", "country_iso", "province/state", "coord", "coord_source"),
    *("collection_date_start", "collection_date_end", "sequence_upload_date"),
)


class Released:
    """The rows of a release, as the check reads them."""

    name = "data"

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    def pieces(self, columns):
        yield self.rows.select("processid", *columns)


def released(name, code, coord):
    row = dict.fromkeys(TEXT) | {"batch": "b", "processid": "P", "snapshot_date": dt.date(2024, 6, 21)}
    row |= {"country/ocean": name, "country_iso": code, "coord": coord}
    frame = pl.LazyFrame([row], schema=dict.fromkeys(TEXT, pl.String) | {"snapshot_date": pl.Date})
    checked = check_geography(frame, GeographySettings())
    log = geography_changes(checked).with_columns(step=pl.lit(1), ruleset=pl.lit("1"))
    return checked, schema.CHANGES.conform(log)


@pytest.mark.parametrize(
    ("name", "code", "coord"),
    [
        ("Bosnia and Herzegovina", "BH", "[43.852, 18.413]"),
        ("Exclusive economic zone of Chile", None, "[-33.012, -75.113]"),
        ("NA", None, "[-22.562, 17.083]"),
        ("USSR", None, "[58.382, 26.723]"),
        ("Reunion", "FR", "[48.862, 2.353]"),
        ("US", None, "[40.512, -100.123]"),
        ("Marshall Islands", None, "[15.312, 155.023]"),
        ("Macedonia, Republic of", None, "[41.612, 21.753]"),
    ],
)
def test_what_the_stages_decide_is_accepted(name, code, coord):
    rows, log = released(name, code, coord)
    assert list(places.check(Released(rows), log, GeographySettings())) == []


def test_a_flag_that_was_removed_is_missed():
    rows, log = released("Marshall Islands", None, "[15.312, 155.023]")
    (fault,) = places.check(Released(rows.with_columns(flags=pl.lit([], pl.List(pl.String)))), log, GeographySettings())
    assert "COUNTRY_COORDINATE_MISMATCH" in str(fault)
