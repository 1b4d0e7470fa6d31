"""The whole check of a record's place and dates, and the log of what it changed."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.geography.changes import geography_changes
from bioscan_etl.geography.check import check_geography
from bioscan_etl.geography.rules import RULES
from bioscan_etl.settings import GeographySettings

SETTINGS = GeographySettings()
TEXT = (
    "batch",
    "processid",
    "country/ocean",
    "country_iso",
    "province/state",
    "coord",
    "coord_source",
    "collection_date_start",
    "collection_date_end",
    "sequence_upload_date",
)
SCHEMA = dict.fromkeys(TEXT, pl.String) | {"snapshot_date": pl.Date}


def records(*rows: dict[str, object]) -> pl.LazyFrame:
    full = [
        {"batch": "b", "processid": f"P{number:03d}", "snapshot_date": dt.date(2024, 6, 21), **row}
        for number, row in enumerate(rows)
    ]
    return pl.LazyFrame(full, schema=SCHEMA)


def check(*rows: dict[str, object], settings: GeographySettings = SETTINGS) -> list[dict[str, object]]:
    return check_geography(records(*rows), settings).to_dicts()


def place(country: str | None, coord: str | None = None, **more: object) -> dict[str, object]:
    return {"country/ocean": country, "coord": coord, **more}


def test_a_sound_record():
    (row,) = check(
        place(
            "Norway",
            "[69.6653, 30.3321]",
            country_iso="NO",
            collection_date_start="2014-07-27",
            collection_date_end="2014-08-03",
            sequence_upload_date="2014-10-30",
            **{"province/state": " Finnmark "},
        )
    )
    assert row["flags"] == []
    assert (row["country"], row["country_iso"], row["country_iso3"]) == ("Norway", "NO", "NOR")
    assert (row["coord-lat"], row["coord-lon"], row["proposed-lat"]) == (69.6653, 30.3321, None)
    assert (row["province_verbatim"], row["province_state"]) == (" Finnmark ", "Finnmark")
    assert row["collection_date_start"] == dt.date(2014, 7, 27)
    assert (row["country_verbatim"], row["coord_verbatim"]) == ("Norway", "[69.6653, 30.3321]")


@pytest.mark.parametrize(
    ("row", "flags", "lat"),
    [
        (place("Austria", country_iso="AU"), ["COUNTRY_MISMATCH"], None),
        (place("Atlantis"), ["COUNTRY_INVALID"], None),
        (place("Unrecoverable"), ["COUNTRY_UNRECOVERABLE"], None),
        (place("North Pacific Ocean", "[10.123, -150.123]"), ["COUNTRY_OCEAN"], 10.123),
        (place("Exception - Culture"), ["COUNTRY_EXCEPTION"], None),
        (place("Mexico", "19.3786 N"), ["COORDINATE_INVALID"], None),
        (place("Mexico", "[0.0, 0.0]"), ["ZERO_COORDINATE"], None),
        (place("Mexico", "(95.25,12.345)"), ["COORDINATE_OUT_OF_RANGE"], None),
        (place("Iran", "[30.4, 50.9]"), ["COORDINATE_ROUNDED"], 30.4),
        (place("Mexico", "[33.29, 17.44]"), ["COUNTRY_COORDINATE_MISMATCH"], 33.29),
        (
            place("Mexico", "(19.3786,88.1892)"),
            ["COUNTRY_COORDINATE_MISMATCH", "PRESUMED_NEGATED_LONGITUDE"],
            19.3786,
        ),
        (place("United States", "-117.44,33.29"), ["COORDINATE_OUT_OF_RANGE", "PRESUMED_SWAPPED_COORDINATE"], None),
        (
            place("Canada", "[45.123, -75.321]", coord_source="Coordinates from country centroid"),
            ["COUNTRY_CENTROID"],
            45.123,
        ),
        (place("Canada", "[45.123, -75.321]", coord_source="Province Centroid"), ["PROVINCE_CENTROID"], 45.123),
        (place("Canada", "[45.123, -75.321]", coord_source="GPS country house"), [], 45.123),
        (place("Canada", collection_date_start="41062"), ["DATE_SPREADSHEET_SERIAL"], None),
        (place("Canada", collection_date_end="2025-01-01"), ["DATE_IN_FUTURE"], None),
        (place(None, "[45.123, -75.321]"), [], 45.123),
    ],
)
def test_flags(row, flags, lat):
    (found,) = check(row)
    assert found["flags"] == flags
    assert found["coord-lat"] == lat


@pytest.mark.parametrize(("country", "iso"), [("Norway", "NO"), ("Namibia", "NA"), (None, "NO"), (None, "NA")])
def test_codes_that_sniffers_misread_stay_countries(country, iso):
    (found,) = check(place(country, country_iso=iso))
    assert found["country_iso"] == iso
    assert found["country"] == {"NO": "Norway", "NA": "Namibia"}[iso]


def test_nan_of_thailand_stays_a_province():
    (found,) = check(place("Thailand", **{"province/state": "Nan"}))
    assert found["province_state"] == "Nan"


def test_fixes_are_applied_only_when_asked():
    rows = (
        place("Mexico", "(19.3786,88.1892)"),
        place("Norway", "[10.4123, 63.4321]"),
        place("United States", "-117.44,33.29"),
        place("Brazil", "[15.01, 47.02]"),
    )
    proposed = [(found["proposed-lat"], found["proposed-lon"]) for found in check(*rows)]
    assert proposed == [(19.3786, -88.1892), (63.4321, 10.4123), (33.29, -117.44), (-15.01, -47.02)]
    applied = check_geography(records(*rows), GeographySettings(apply_coordinate_fixes=True))
    assert applied.select("coord-lat", "coord-lon").rows() == proposed
    changes = geography_changes(applied)
    assert changes.select("processid", "field", "before", "after", "rule").rows() == [
        ("P000", "coord-lon", "88.1892", "-88.1892", "PRESUMED_NEGATED_LONGITUDE"),
        ("P001", "coord-lat", "10.4123", "63.4321", "PRESUMED_SWAPPED_COORDINATE"),
        ("P001", "coord-lon", "63.4321", "10.4123", "PRESUMED_SWAPPED_COORDINATE"),
        ("P002", "coord-lat", "-117.44", "33.29", "PRESUMED_SWAPPED_COORDINATE"),
        ("P002", "coord-lon", "33.29", "-117.44", "PRESUMED_SWAPPED_COORDINATE"),
        ("P003", "coord-lat", "15.01", "-15.01", "PRESUMED_NEGATED_LATITUDE"),
        ("P003", "coord-lon", "47.02", "-47.02", "PRESUMED_NEGATED_LONGITUDE"),
    ]


def test_changes_of_names_and_left_out_coordinates():
    checked = check_geography(
        records(
            place("Czech Republic"),
            place(None, country_iso="NO"),
            place("Austria", country_iso="AU"),
            place("Atlantis"),
            place("Atlantis", country_iso="NO"),
            place("Unrecoverable", country_iso="CA"),
            place("Mexico", "[0, 0]", **{"province/state": "Quintana  Roo"}),
            place("Mexico", "(95.25,12.345)"),
            place("Mexico", "nowhere"),
            place("Norway", country_iso="false"),
        ),
        SETTINGS,
    )
    changes = geography_changes(checked)
    assert changes.columns == [name for name in schema.CHANGES.names() if name not in {"step", "ruleset"}]
    assert changes.select("processid", "field", "before", "after", "rule").rows() == [
        ("P000", "country", "Czech Republic", "Czechia", "COUNTRY_NORMALISED"),
        ("P001", "country", None, "Norway", "COUNTRY_FROM_ISO"),
        ("P002", "country", "Austria", "Australia", "COUNTRY_MISMATCH"),
        ("P003", "country", "Atlantis", None, "COUNTRY_INVALID"),
        ("P004", "country", "Atlantis", "Norway", "COUNTRY_INVALID"),
        ("P005", "country", "Unrecoverable", "Canada", "COUNTRY_UNRECOVERABLE"),
        ("P006", "coord-lat", "0.0", None, "ZERO_COORDINATE"),
        ("P006", "coord-lon", "0.0", None, "ZERO_COORDINATE"),
        ("P006", "province_state", "Quintana  Roo", "Quintana Roo", "PROVINCE_TRIMMED"),
        ("P007", "coord-lat", "95.25", None, "COORDINATE_OUT_OF_RANGE"),
        ("P007", "coord-lon", "12.345", None, "COORDINATE_OUT_OF_RANGE"),
    ]
    assert set(changes["rule"]) <= {rule.id for rule in RULES}
    assert checked.filter(pl.col("processid") == "P009")["flags"].to_list() == [["COUNTRY_INVALID"]]


def test_rules_are_unique_and_name_existing_settings():
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.setting is None or rule.setting.removeprefix("geography.") in GeographySettings.model_fields


awkward = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(["Norway", "NO", "Mexico", "[1, 2]", "(-19.5,88.25)", "200,10", "2020-02-30", "41062", "Nan"]),
)


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(TEXT[2:], awkward)), min_size=1, max_size=6), st.booleans())
def test_any_text_becomes_a_row_without_an_error(rows, apply):
    checked = check_geography(records(*rows), GeographySettings(apply_coordinate_fixes=apply))
    schema.CHECKED_GEOGRAPHY.check(checked)
    ids = {rule.id for rule in RULES}
    for given_, row in zip(rows, checked.iter_rows(named=True), strict=True):
        assert row["coord_verbatim"] == given_["coord"]
        assert set(row["flags"]) <= ids
        assert row["flags"] == sorted(row["flags"])
        assert row["coord-lat"] is None or (abs(row["coord-lat"]) <= 90 and abs(row["coord-lon"]) <= 180)
        assert (row["coord-lat"] is None) == (row["coord-lon"] is None)
    schema.CHANGES.check(
        geography_changes(checked)
        .with_columns(step=pl.lit(0, pl.Int32), ruleset=pl.lit("1"))
        .select(schema.CHANGES.names())
    )


def read_sample(folder: Path, name: str, snapshot: dt.date) -> pl.LazyFrame:
    frame = pl.read_csv(folder / "bold" / name, separator="\t", quote_char=None, infer_schema=False)
    frame = frame.filter(pl.col("marker_code") == "COI-5P").rename(
        {"country": "country/ocean", "province": "province/state", "collection_date": "collection_date_end"},
        strict=False,
    )
    null = pl.lit(None, pl.String)
    columns = (
        (pl.col(name_) if name_ in frame.columns else null.alias(name_)).replace("None", None) for name_ in TEXT[1:]
    )
    return frame.select(pl.lit("sample").alias("batch"), *columns, snapshot_date=pl.lit(snapshot)).lazy()


def test_false_alarms_on_real_records_stay_under_two_in_a_thousand(shared_data, capsys):
    samples = [
        ("BOLD_Public.18-Dec-2023.head.tsv", dt.date(2023, 12, 18)),
        ("BOLD_Public.21-Jun-2024.NL.tsv", dt.date(2024, 6, 21)),
        ("chironominae_norway_2025.tsv", dt.date(2025, 12, 31)),
    ]
    checked = pl.concat(check_geography(read_sample(shared_data, *sample), SETTINGS) for sample in samples)
    points = checked["coord-lat"].is_not_null().sum()
    alarms = checked["flags"].list.contains("COUNTRY_COORDINATE_MISMATCH").sum()
    with capsys.disabled():
        print(f"\n{alarms} of {points} real points outside their country")  # noqa: T201 (a measured result)
    assert points > 3000
    assert alarms / points < 0.002
    assert not {"COUNTRY_INVALID", "COUNTRY_MISMATCH", "COORDINATE_INVALID"} & set(checked["flags"].explode())


def test_norwegian_records_keep_their_code(shared_data):
    sample = read_sample(shared_data, "chironominae_norway_2025.tsv", dt.date(2025, 12, 31))
    checked = check_geography(sample, SETTINGS)
    assert checked["country_iso"].to_list() == ["NO"] * 1648
