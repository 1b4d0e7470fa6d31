"""Name, code and point as three witnesses of the country."""

import datetime as dt

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.geography.changes import geography_changes
from bioscan_etl.geography.check import check_geography
from bioscan_etl.geography.countries import normalise_countries
from bioscan_etl.geography.witnesses import settle_countries
from bioscan_etl.settings import GeographySettings

SETTINGS = GeographySettings()
KEY = ("country/ocean", "country_iso", "coord")
TEXT = (
    *("batch", "processid", "country/ocean", "country_iso", "province/state", "coord", "coord_source"),
    *("collection_date_start", "collection_date_end", "sequence_upload_date"),
)


def check(*places: tuple[str | None, str | None, str | None]) -> pl.DataFrame:
    rows = [
        dict.fromkeys(TEXT)
        | {"batch": "b", "processid": f"P{n:03d}", "snapshot_date": dt.date(2024, 6, 21)}
        | dict(zip(KEY, place, strict=True))
        for n, place in enumerate(places)
    ]
    return check_geography(
        pl.LazyFrame(rows, schema=dict.fromkeys(TEXT, pl.String) | {"snapshot_date": pl.Date}), SETTINGS
    )


@pytest.mark.parametrize(
    ("name", "code", "coord", "country", "flags"),
    [
        # The point lies in the country of the name, not in that of the code.
        ("Bosnia and Herzegovina", "BH", "[43.852, 18.413]", "Bosnia and Herzegovina", ["MISMATCH", "CODE_MISMATCH"]),
        ("Vanuatu", "VA", "[-17.742, 168.313]", "Vanuatu", ["MISMATCH", "CODE_MISMATCH"]),
        ("Austria", "AU", "[48.212, 16.373]", "Austria", ["MISMATCH", "CODE_MISMATCH"]),
        ("Niger", "NG", "[17.512, 9.013]", "Niger", ["MISMATCH", "CODE_MISMATCH"]),
        ("Marshall Islands", "MA", "[11.462, 162.193]", "Marshall Islands", ["MISMATCH", "CODE_MISMATCH"]),
        # Near a border the country that contains the point has it.
        ("Austria", "DE", "[47.801, 13.041]", "Austria", ["MISMATCH", "CODE_MISMATCH"]),
        ("Germany", "AT", "[47.801, 13.041]", "Austria", ["MISMATCH"]),
        # The point agrees with the code, with neither, with both, or there is none: the code wins.
        ("Austria", "AU", "[-35.283, 149.132]", "Australia", ["MISMATCH"]),
        ("Austria", "AU", "[10.112, 10.113]", "Australia", ["COORDINATE_MISMATCH", "MISMATCH"]),
        ("Ukraine", "RU", "[45.012, 34.113]", "Russia", ["MISMATCH"]),
        ("Russia", "UA", "[45.012, 34.113]", "Ukraine", ["MISMATCH"]),
        ("Austria", "AU", None, "Australia", ["MISMATCH"]),
        ("Austria", "AU", "[None, None]", "Australia", ["MISMATCH"]),
        ("Austria", "AU", "[0.0, 0.0]", "Australia", ["MISMATCH"]),
        ("Austria", "AU", "nowhere", "Australia", ["MISMATCH"]),
        ("Austria", "AU", "[148.212, 16.373]", "Australia", ["MISMATCH"]),
        # A state and its territory are no contradiction.
        ("France", "RE", "[-21.112, 55.513]", "Reunion", ["TERRITORY"]),
        ("Reunion", "FR", "[-21.112, 55.513]", "Reunion", ["TERRITORY"]),
        ("Reunion", "FR", None, "Reunion", ["TERRITORY"]),
        ("Reunion", "FR", "[48.862, 2.353]", "France", ["TERRITORY"]),
        ("France", "RE", "[48.862, 2.353]", "France", ["TERRITORY"]),
        ("United States", "PR", "[18.412, -66.113]", "Puerto Rico", ["TERRITORY"]),
        ("Greenland", "DK", "[64.182, -51.723]", "Greenland", ["TERRITORY"]),
        ("Hong Kong", "CN", "[22.312, 114.173]", "Hong Kong", ["TERRITORY"]),
        # Former states.
        ("USSR", None, "[58.382, 26.723]", "Estonia", ["FORMER"]),
        ("Yugoslavia", None, "[43.852, 18.413]", "Bosnia and Herzegovina", ["FORMER"]),
        ("Czechoslovakia", "CZ", None, "Czechia", ["FORMER"]),
        ("Yugoslavia", "RS", "[45.812, 15.983]", "Croatia", ["CODE_MISMATCH", "FORMER"]),
        ("USSR", "RU", "[55.752, 37.623]", "Russia", ["FORMER"]),
        ("USSR", "RU", "[20.112, 0.223]", "Russia", ["COORDINATE_MISMATCH", "FORMER"]),
        ("USSR", "DE", "[58.382, 26.723]", "Estonia", ["CODE_MISMATCH", "FORMER"]),
        ("USSR", "DE", None, "Germany", ["FORMER"]),
        ("Soviet Union", None, None, None, ["FORMER"]),
        ("USSR", None, "[20.112, 0.223]", None, ["FORMER"]),
        (None, "YU", "[46.052, 14.513]", "Slovenia", ["FORMER"]),
        ("Curacao", "AN", None, "Curacao", []),
        # NA is Namibia, or nothing.
        ("NA", None, "[-22.562, 17.083]", "Namibia", []),
        ("NA", "NA", None, "Namibia", []),
        (None, "NA", None, "Namibia", []),
        ("NA", None, None, None, ["INVALID"]),
        ("NA", None, "[50.112, 8.233]", None, ["INVALID"]),
        ("NA", "DE", "[50.112, 8.233]", "Germany", ["INVALID"]),
    ],
)
def test_two_witnesses_of_three_win(name, code, coord, country, flags):
    row = check((name, code, coord)).row(0, named=True)
    about_country = [flag for flag in row["flags"] if flag.startswith("COUNTRY_")]
    assert (row["country"], about_country) == (country, sorted(f"COUNTRY_{flag}" for flag in flags))
    assert (row["country_iso"] is None) == (country is None)


def test_a_point_of_a_territory_agrees_with_the_state_alone():
    places = [
        ("France", "[-21.112, 55.513]"),
        ("United States", "[18.412, -66.113]"),
        ("Denmark", "[64.182, -51.723]"),
        ("China", "[22.312, 114.173]"),
        ("Norway", "[78.223, 15.652]"),
    ]
    checked = check(*((name, None, coord) for name, coord in places))
    assert checked["flags"].to_list() == [[]] * len(places)
    assert checked["country"].to_list() == [name for name, _ in places]


def test_an_exclusive_economic_zone_reaches_200_nautical_miles():
    coord = "[-33.012, -75.113]"  # 325 km west of Chile
    checked = check(
        ("Exclusive economic zone of Chile", None, coord), ("Chile", None, coord), ("Chile EEZ", "CL", coord)
    )
    assert checked["country"].to_list() == ["Chile"] * 3
    assert checked["flags"].to_list() == [[], ["COUNTRY_COORDINATE_MISMATCH"], []]


def test_changes_name_the_rule_that_changed_the_country():
    checked = check(
        ("Bosnia-Herzegovina", "BH", "[43.852, 18.413]"),
        ("Austria", "AU", "[48.212, 16.373]"),
        ("Austria", "AU", None),
        ("France", "RE", None),
        ("USSR", None, "[58.382, 26.723]"),
        ("USSR", None, None),
        ("US", None, None),
        ("NA", None, "[-22.562, 17.083]"),
        ("NA", None, None),
        ("Exclusive economic zone of Chile", "xx", None),
    )
    changes = geography_changes(checked).filter(pl.col("field") == "country")
    assert changes.select("processid", "before", "after", "rule").rows() == [
        ("P000", "Bosnia-Herzegovina", "Bosnia and Herzegovina", "COUNTRY_NORMALISED"),
        ("P002", "Austria", "Australia", "COUNTRY_MISMATCH"),
        ("P003", "France", "Reunion", "COUNTRY_TERRITORY"),
        ("P004", "USSR", "Estonia", "COUNTRY_FORMER"),
        ("P005", "USSR", None, "COUNTRY_FORMER"),
        ("P006", "US", "United States", "COUNTRY_NORMALISED"),
        ("P007", "NA", "Namibia", "COUNTRY_NORMALISED"),
        ("P008", "NA", None, "COUNTRY_INVALID"),
        ("P009", "Exclusive economic zone of Chile", "Chile", "COUNTRY_NORMALISED"),
    ]


names = st.sampled_from([None, "Austria", "Germany", "France", "Reunion", "USSR", "NA", "US", "Atlantis", "High Seas"])
marks = st.sampled_from([None, "AU", "AT", "DE", "FR", "RE", "SU", "NA", "EE", "xx", ""])
spots = st.sampled_from([None, "", "[48.2, 16.4]", "[-21.1, 55.5]", "[58.4, 26.7]", "[0, 0]", "[99, 1]", "x"])


@given(st.lists(st.tuples(names, marks, spots), min_size=1, max_size=8))
@settings(max_examples=examples(60))
def test_rows_keep_their_order_and_the_country_is_one_that_was_stated(places):
    rows = pl.DataFrame(places, schema=dict.fromkeys(KEY, pl.String), orient="row").with_row_index()
    found = normalise_countries(rows.select(KEY[:2]).unique())
    joined = rows.join(found, on=KEY[:2], how="left", nulls_equal=True, maintain_order="left")
    settled = settle_countries(joined, SETTINGS)
    assert settled.select("index", *KEY).equals(rows)
    for row in settled.iter_rows(named=True):
        stated = {row["name_iso"], row["code_iso"], *(row["candidates"] or [])}
        assert row["iso"] is None or row["iso"] in stated
        assert (row["iso"] is None) == (row["country"] is None) == (row["iso3"] is None)
        if row["code_overruled"]:
            assert row["iso"] != row["code_iso"]
    again = settle_countries(joined.reverse(), SETTINGS).reverse()
    assert again.equals(settled)
