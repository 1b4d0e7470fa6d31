"""Country names and codes."""

import polars as pl
import pycountry
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.geography.countries import ambiguous, codes, countries, no_countries, normalise_countries, spellings

SCHEMA = {"country/ocean": pl.String, "country_iso": pl.String}


def normalise(name: str | None, code: str | None = None) -> dict[str, object]:
    return normalise_countries(pl.DataFrame([(name, code)], schema=SCHEMA, orient="row")).row(0, named=True)


@pytest.mark.parametrize(
    ("name", "iso", "canonical"),
    [
        ("Iran", "IR", "Iran"),
        ("Iran, Islamic Republic of", "IR", "Iran"),
        ("Russia", "RU", "Russia"),
        ("Russian Federation", "RU", "Russia"),
        ("Laos", "LA", "Laos"),
        ("Aland Islands", "AX", "Aland Islands"),
        ("Åland", "AX", "Aland Islands"),
        ("Czech Republic", "CZ", "Czechia"),
        ("Czechia", "CZ", "Czechia"),
        ("Ivory Coast", "CI", "Cote d'Ivoire"),
        ("Côte d'Ivoire", "CI", "Cote d'Ivoire"),
        ("Viet Nam", "VN", "Vietnam"),
        ("Bolivia", "BO", "Bolivia"),
        ("Venezuela", "VE", "Venezuela"),
        ("Tanzania", "TZ", "Tanzania"),
        ("South Korea", "KR", "South Korea"),
        ("Turkey", "TR", "Turkey"),
        ("Türkiye", "TR", "Turkey"),
        ("Swaziland", "SZ", "Eswatini"),
        ("Macedonia", "MK", "North Macedonia"),
        ("DR Congo", "CD", "Democratic Republic of the Congo"),
        ("Congo", "CG", "Republic of the Congo"),
        ("Kosovo", "XK", "Kosovo"),
        ("Namibia", "NA", "Namibia"),
        ("norway ", "NO", "Norway"),
        ("The Gambia", "GM", "Gambia"),
        ("Trinidad & Tobago", "TT", "Trinidad and Tobago"),
        ("Niger", "NE", "Niger"),
        ("Guinea-Bissau", "GW", "Guinea-Bissau"),
        ("Guinea", "GN", "Guinea"),
        ("Dominica", "DM", "Dominica"),
    ],
)
def test_spellings_lead_to_one_name(name, iso, canonical):
    found = normalise(name)
    assert (found["iso"], found["country"], found["invalid"]) == (iso, canonical, False)
    assert len(found["iso3"]) == 3


@pytest.mark.parametrize(
    ("code", "iso", "iso3"), [("NO", "NO", "NOR"), ("NA", "NA", "NAM"), ("nor", "NO", "NOR"), ("XK", "XK", "XKX")]
)
def test_codes_alone_name_the_country(code, iso, iso3):
    found = normalise(None, code)
    assert (found["iso"], found["iso3"], found["invalid"], found["name_iso"]) == (iso, iso3, False, None)


@pytest.mark.parametrize(
    ("name", "code", "iso"),
    [
        ("US", None, "US"),
        ("us", None, "US"),
        ("USA", None, "US"),
        ("840", None, "US"),
        ("UK", None, "GB"),
        ("gbr", None, "GB"),
        (None, "UK", "GB"),
        (None, " uk ", "GB"),
        (None, "EL", "GR"),
        (None, "008", "AL"),
        (None, "Norway", "NO"),
        ("NO", None, "NO"),
        ("NO", "Norway", "NO"),
        ("NA", "NA", "NA"),
        ("Namibia", "na", "NA"),
        (None, "ZR", "CD"),
        ("Curacao", "AN", "CW"),
    ],
)
def test_codes_and_names_are_read_in_either_column(name, code, iso):
    found = normalise(name, code)
    assert (found["iso"], found["invalid"]) == (iso, False)


@pytest.mark.parametrize(
    ("name", "iso"),
    [
        ("Macedonia, Republic of", "MK"),
        ("Korea, Republic of", "KR"),
        ("Korea, Democratic People's Republic of", "KP"),
        ("Bahamas, The", "BS"),
        ("Republic of China", "TW"),
        ("People's Republic of China", "CN"),
        ("Micronesia (Federated States of)", "FM"),
        ("Exclusive economic zone of Chile", "CL"),
        ("Exclusive Economic Zone of the United States", "US"),
        ("Norway EEZ", "NO"),
        ("Territorial waters of France", "FR"),
        ("United States Minor Outlying Islands", "UM"),
        ("French Southern Territories", "TF"),
        ("Burma", "MM"),
        ("Ceylon", "LK"),
        ("Belgian Congo", "CD"),
        ("South West Africa", "NA"),
        ("Northern Rhodesia", "ZM"),
        ("Western Samoa", "WS"),
        ("Österreich", "AT"),
        ("Brasil", "BR"),
        ("Somaliland", "SO"),
        ("Northern Cyprus", "CY"),
        ("Clipperton Island", "FR"),
    ],
)
def test_other_forms_and_former_names(name, iso):
    found = normalise(name)
    assert (found["iso"], found["former"], found["invalid"]) == (iso, False, False)


def test_waters_are_told_from_land():
    assert [normalise(name)["waters"] for name in ("Exclusive economic zone of Chile", "Chile", None)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "name", ["USSR", "U.S.S.R.", "Soviet Union", "Yugoslavia", "Czechoslovakia", "Serbia and Montenegro"]
)
def test_former_states_are_no_country_of_today(name):
    found = normalise(name)
    assert (found["iso"], found["former"], found["invalid"]) == (None, True, False)
    assert len(found["candidates"]) >= 2


def test_ambiguous_names_and_codes_mean_countries_of_the_map():
    table = ambiguous()
    assert table["spelling"].is_unique().all()
    known = set(countries()["country_iso"])
    assert set(table["candidates"].explode()) <= known
    assert set(codes()["country_iso"]) == known
    assert codes()["code"].is_unique().all()
    assert not set(table["spelling"]) & set(spellings()["spelling"])
    assert dict(codes().rows())["NA"] == "NA"


@given(st.text(max_size=15), st.text(max_size=5))
@settings(max_examples=examples(40))
def test_any_text_has_one_row_and_no_country_out_of_nothing(name, code):
    found = normalise(name, code)
    assert (found["iso"] is None) == (found["country"] is None)
    assert found["iso"] in {None, found["name_iso"], found["code_iso"]}


def test_the_code_wins_over_the_name():
    found = normalise("Austria", "AU")
    assert (found["country"], found["iso"], found["name_iso"], found["code_iso"]) == ("Australia", "AU", "AT", "AU")


@pytest.mark.parametrize(
    ("name", "code", "country", "invalid"),
    [
        ("Atlantis", None, None, True),
        ("Atlantis", "NO", "Norway", True),
        ("Norway", "false", "Norway", True),
        ("!?", None, None, False),
        (None, None, None, False),
    ],
)
def test_what_is_unknown_is_left_out(name, code, country, invalid):
    found = normalise(name, code)
    assert (found["country"], found["invalid"]) == (country, invalid)


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("Unrecoverable", "COUNTRY_UNRECOVERABLE"),
        ("North Pacific Ocean", "COUNTRY_OCEAN"),
        ("Indian Ocean", "COUNTRY_OCEAN"),
        ("Celtic Sea", "COUNTRY_OCEAN"),
        ("High Seas", "COUNTRY_OCEAN"),
        ("Exception - Culture", "COUNTRY_EXCEPTION"),
        ("Exception - Something new", "COUNTRY_EXCEPTION"),
    ],
)
def test_no_countries_are_told_apart_before_the_look_up(name, flag):
    found = normalise(name)
    assert (found["not_country"], found["country"], found["iso"], found["invalid"]) == (flag, None, None, False)


def test_the_british_indian_ocean_territory_is_no_ocean():
    assert normalise("British Indian Ocean Territory")["iso"] == "IO"


def test_tables_are_complete_and_free_of_contradictions():
    table = countries()
    assert set(table["country_iso"]) == {each.alpha_2 for each in pycountry.countries} | {"XK"}
    for column in table.columns:
        assert table[column].is_unique().all()
        assert table[column].null_count() == 0
    assert spellings()["spelling"].is_unique().all()
    assert set(spellings()["country_iso"]) == set(table["country_iso"])
    assert not set(no_countries()["spelling"]) & set(spellings()["spelling"])
    for name, iso in table.select("country", "country_iso").rows():
        assert normalise(name)["iso"] == iso


def test_every_name_of_pycountry_is_understood_as_its_country():
    names = [
        (name, each.alpha_2)
        for each in pycountry.countries
        for name in (each.name, getattr(each, "official_name", each.name))
    ]
    found = normalise_countries(
        pl.DataFrame(
            {"country/ocean": [n for n, _ in names], "country_iso": [None] * len(names)}, schema=SCHEMA
        ).unique()
    )
    looked_up = dict(found.select("country/ocean", "iso").rows())
    assert {name: looked_up[name] for name, _ in names} == dict(names)
