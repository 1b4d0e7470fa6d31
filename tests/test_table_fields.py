"""Columns of a table and the fields that they are: by name, never in silence."""

import polars as pl
import pytest

from bioscan_etl.barcodes.rules import RULES as BARCODE_RULES
from bioscan_etl.errors import SourceError
from bioscan_etl.geography.rules import RULES as GEOGRAPHY_RULES
from bioscan_etl.records.layouts import ALIASES
from bioscan_etl.rules import registry
from bioscan_etl.schema import METADATA
from bioscan_etl.table_fields import COMPARING, FIELDS, NEEDS, read_fields, unchecked


def read(*names, columns=None):
    return read_fields(pl.Schema(dict.fromkeys(names, pl.String())), columns)


def test_every_rule_on_a_record_and_no_unknown_one_has_its_needs():
    assert set(NEEDS) <= set(registry())
    # A table is the user's: no gate of a dataset applies to it.
    of_tables = {
        rule.id for rule in (*BARCODE_RULES, *GEOGRAPHY_RULES) if not (rule.setting or "").startswith("gates.")
    }
    assert of_tables <= set(NEEDS)
    assert set(COMPARING) <= set(NEEDS)
    known = {*FIELDS, "snapshot_date"}
    assert {field for needs in NEEDS.values() for need in needs for field in need.split("|")} == known


@pytest.mark.parametrize(("alias", "field"), [pair for pair in ALIASES if pair[1] in FIELDS])
def test_every_alias_of_the_layouts_is_known(alias, field):
    assert read(alias).read_as == {alias: field}


def test_a_release_is_read_by_its_own_names():
    read_as = read(*METADATA.names()).read_as
    assert read_as["dna_barcode"] == "nuc"
    assert read_as["dna_bin"] == "bin_uri"
    assert read_as["province_state"] == "province/state"
    assert read_as["coord-lat"] == read_as["coord-lon"] == "coord"


def test_darwin_core_is_read():
    reading = read("occurrenceID", "scientificName", "taxonRank", "decimalLatitude", "decimalLongitude", "countryCode",
                   "stateProvince", "eventDate", "class")  # fmt: skip
    assert reading.read_as == {
        "scientificName": "species",
        "taxonRank": "species (which rows have one)",
        "decimalLatitude": "coord",
        "decimalLongitude": "coord",
        "countryCode": "country_iso",
        "stateProvince": "province/state",
        "eventDate": "collection_date_start and collection_date_end",
        "class": "class",
    }
    assert reading.unread == ("occurrenceID",)
    row = {
        "scientificName": ["Aus bus Linnaeus", "Diptera"],
        "taxonRank": ["SPECIES ", "order"],
        "eventDate": ["a/b", "c"],
    }
    frame = pl.DataFrame(row)
    texts = frame.select(**read_fields(frame.schema).texts)
    assert texts["species"].to_list() == ["Aus bus Linnaeus", None]
    assert texts["collection_date_start"].to_list() == ["a", "c"]
    assert texts["collection_date_end"].to_list() == ["b", "c"]


def test_its_own_name_wins_and_case_and_blanks_come_last():
    assert read("country", "country/ocean").read_as == {"country/ocean": "country/ocean"}
    assert read("Process ID", "BIN", "Country/Ocean", "Lat", "Lon").read_as == {
        "Process ID": "processid",
        "BIN": "bin_uri",
        "Country/Ocean": "country/ocean",
        "Lat": "coord",
        "Lon": "coord",
    }
    assert read("Species", "species").read_as == {"species": "species"}
    assert read("scientificName", "species").read_as == {"species": "species"}
    assert read("eventDate", "collection_date").read_as == {"collection_date": "collection_date_end"}
    assert read("coord", "lat", "lon").read_as == {"coord": "coord"}
    assert read("lat").read_as == {}


def test_the_caller_can_say_what_a_column_is():
    reading = read(
        "seq", "species", "y", "x", columns={"seq": "nuc", "species": None, "y": "coord-lat", "x": "coord-lon"}
    )
    assert reading.read_as == {"seq": "nuc", "y": "coord", "x": "coord"}
    assert reading.unread == ("species",)
    assert reading.given == {"nuc", "coord"}
    for columns, match in (
        ({"no": "nuc"}, "has no column 'no'; it has seq"),
        ({"seq": "letters"}, "'letters', asked for of column 'seq', is no field; use processid"),
        ({"seq": "nuc", "x": "nuc"}, "two columns are asked to be nuc"),
        ({"y": "coord-lat"}, "give coord, or both"),
    ):
        with pytest.raises(SourceError, match=match):
            read("seq", "x", "y", columns=columns)


def test_alternatives_settle_a_need():
    assert "COUNTRY_INVALID" not in unchecked({"country_iso"})["country/ocean"]
    assert "COUNTRY_INVALID" in unchecked(())["country/ocean"]
    assert unchecked(FIELDS) == {"snapshot_date": ("DATE_IN_FUTURE",)}
