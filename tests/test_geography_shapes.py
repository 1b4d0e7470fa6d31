"""What belongs to a country: map, islets, claims, and a curator's own islets."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SettingsError
from bioscan_etl.geography import shapes
from bioscan_etl.geography.atlas import areas
from bioscan_etl.geography.borders import check_points, great_circle_km, is_at_sea
from bioscan_etl.geography.countries import countries
from bioscan_etl.settings import GeographySettings, load_settings

SETTINGS = GeographySettings()


def outside(*points: tuple[str, float, float], settings: GeographySettings = SETTINGS) -> list[bool]:
    schema = {"country_iso": pl.String, "lat": pl.Float64, "lon": pl.Float64}
    frame = pl.DataFrame(points, schema=schema, orient="row")
    return frame.join(check_points(frame.unique(), settings), on=list(schema), how="left", maintain_order="left")[
        "outside"
    ].to_list()


def test_real_remote_islands_lie_in_their_countries():
    islands = pl.read_csv(Path(__file__).with_name("remote_islands.csv"), infer_schema=False)
    points = islands.select("country_iso", pl.col("lat", "lon").cast(pl.Float64)).rows()
    wrong = islands.filter(pl.Series(outside(*points)))
    assert len(islands) > 250
    assert wrong.rows() == []


@pytest.mark.parametrize(
    ("name", "lat", "lon", "claimants"),
    [
        ("Crimea", 45.0, 34.1, "RU UA"),
        ("Donetsk", 48.0, 37.8, "RU UA"),
        ("Sukhumi", 43.0, 41.0, "GE RU"),
        ("Tskhinvali", 42.2, 43.97, "GE RU"),
        ("Tiraspol", 46.84, 29.63, "MD RU"),
        ("Stepanakert", 39.82, 46.76, "AM AZ"),
        ("Srinagar", 34.08, 74.8, "IN PK"),
        ("Leh", 34.16, 77.58, "IN PK"),
        ("Gilgit", 35.92, 74.31, "IN PK"),
        ("Muzaffarabad", 34.36, 73.47, "IN PK"),
        ("Siachen", 35.5, 77.0, "CN IN PK"),
        ("Aksai Chin", 35.0, 79.5, "CN IN"),
        ("Tawang", 27.59, 91.87, "CN IN"),
        ("Itanagar", 27.1, 93.6, "CN IN"),
        ("Laayoune", 27.15, -13.2, "EH MA"),
        ("Nicosia north", 35.3, 33.35, "CY TR"),
        ("Pristina", 42.66, 21.17, "RS XK"),
        ("Taipei", 25.03, 121.56, "CN TW"),
        ("Kinmen", 24.44, 118.33, "CN TW"),
        ("Ramallah", 31.9, 35.2, "IL PS"),
        ("Gaza", 31.5, 34.46, "IL PS"),
        ("Katzrin", 32.99, 35.69, "IL SY"),
        ("Stanley", -51.69, -57.86, "AR FK GB"),
        ("Grytviken", -54.28, -36.51, "AR GB GS"),
        ("Hargeisa", 9.56, 44.06, "SO"),
        ("Hala'ib", 22.22, 36.65, "EG SD"),
        ("Abyei", 9.6, 28.43, "SD SS"),
        ("Ilemi", 4.9, 35.3, "KE SS"),
        ("Gibraltar", 36.14, -5.35, "ES GB GI"),
        ("Ceuta", 35.89, -5.31, "ES MA"),
        ("Kunashir", 44.1, 145.9, "JP RU"),
        ("Spratly", 8.64, 111.92, "BN CN MY PH TW VN"),
        ("Paracel", 16.83, 112.34, "CN TW VN"),
        ("Scarborough", 15.14, 117.76, "CN PH TW"),
        ("Liancourt", 37.24, 131.87, "JP KR"),
        ("Senkaku", 25.74, 123.47, "CN JP TW"),
        ("Pratas", 20.7, 116.73, "CN TW"),
        ("Chagos", -7.31, 72.41, "GB IO MU"),
        ("Mamoudzou", -12.78, 45.23, "FR KM YT"),
        ("Tromelin", -15.89, 54.52, "FR MU TF"),
        ("Europa", -22.37, 40.36, "FR MG TF"),
        ("Hunter Island", -22.4, 172.05, "FR NC VU"),
        ("Swains Island", -11.06, -171.08, "AS TK US"),
        ("Navassa", 18.4, -75.01, "HT UM US"),
        ("Guantanamo", 19.92, -75.15, "CU US"),
        ("Bartica", 6.4, -58.62, "GY VE"),
        ("Punta Gorda", 16.1, -88.8, "BZ GT"),
        ("Kota Kinabalu", 5.98, 116.07, "MY PH"),
        ("Abu Musa", 25.87, 55.03, "AE IR"),
        ("Rockall", 57.6, -13.69, "DK GB IE IS"),
        ("Marambio", -64.24, -56.63, "AQ AR CL GB"),
        ("Casey", -66.28, 110.53, "AQ AU"),
    ],
)
def test_a_place_that_several_states_claim_agrees_with_each(name, lat, lon, claimants):
    assert {country: outside((country, lat, lon)) for country in claimants.split()} == {
        country: [False] for country in claimants.split()
    }
    assert outside(("SE", lat, lon)) == [True], name


@pytest.mark.parametrize(
    ("country", "lat", "lon"),
    [
        ("PK", 28.6, 77.2),  # Delhi
        ("PK", 31.6, 75.5),  # Jalandhar
        ("IN", 33.7, 72.0),  # west of Islamabad
        ("CN", 26.14, 91.77),  # Guwahati
        ("IN", 37.5, 79.9),  # Hotan
        ("RU", 50.45, 30.52),  # Kyiv
        ("RU", 41.72, 44.79),  # Tbilisi
        ("RU", 46.97, 28.2),  # west of Chisinau
        ("SD", 26.0, 32.7),  # Luxor
        ("VE", 5.0, -57.2),  # east of the Essequibo
        ("GT", 18.1, -88.5),  # north of Belize City
        ("PH", 1.5, 110.3),  # Kuching
        ("JP", 50.0, 143.0),  # Sakhalin
        ("AZ", 40.18, 44.5),  # Yerevan
        ("AR", -75.0, 100.0),
        ("NO", -69.7, 18.9),  # Tromsø with a lost sign
        ("SJ", -78.2, 15.6),
        ("SY", 31.78, 35.21),
        ("MA", 36.72, -4.42),
    ],
)
def test_claims_end_at_their_border(country, lat, lon):
    assert outside((country, lat, lon)) == [True]


@pytest.mark.parametrize(
    ("country", "lat", "lon"),
    [
        ("MH", 15.31, 155.02),
        ("SC", -14.02, 60.03),
        ("KI", -10.0, -165.0),
        ("AU", -20.0, 160.5),
        ("FM", 3.0, 145.0),
        ("PF", -30.0, -130.0),
        ("GB", 55.0, -20.0),
        ("CN", 14.0, 120.0),
        ("TF", -30.0, 60.0),
        ("NZ", -58.0, 178.0),
        ("US", 15.0, -150.0),
        ("CL", -30.0, -95.0),
        ("AQ", -55.0, 100.0),
    ],
)
def test_open_sea_far_from_a_state_is_outside(country, lat, lon):
    assert is_at_sea(np.array([lat]), np.array([lon])).tolist() == [True]
    assert outside((country, lat, lon)) == [True]


def test_the_tables_are_sound():
    islets, claims = shapes.islets(), shapes.claims()
    known = set(countries()["country_iso"])
    claimed = set(pl.read_csv(Path(shapes.__file__).with_name("equivalences.csv"), infer_schema=False)["area"])
    assert set(islets["area"]) <= known | claimed
    assert islets.select("area", "name").is_unique().all()
    assert islets.select(
        pl.col("lat").abs().max() <= 90, pl.col("lon").abs().max() <= 180, pl.col("radius_km").is_between(1, 150).all()
    ).row(0) == (True, True, True)
    zones = shapely.from_wkt(claims["wkt"].to_numpy())
    assert shapely.is_valid(zones).all()
    assert claims["name"].is_unique().all()
    for countries_ in claims["countries"]:
        assert len(countries_.split()) >= 2
        assert set(countries_.split()) <= known


def test_every_shape_is_valid_and_a_code_off_the_map_has_none():
    for country in ("RU", "FJ", "NZ", "AQ", "US", "IN", "TO", "FR"):
        assert shapely.is_valid(shapes.country_shape(country))
    assert shapes.country_shape("ZZ") is None
    assert set(countries()["country_iso"]) <= set(areas()["area"])


def test_territories_have_codes_of_their_own():
    pairs = set(shapes.territories().rows())
    assert {("FR", "RE"), ("US", "PR"), ("DK", "GL"), ("CN", "HK")} <= pairs
    assert ("CN", "TW") not in pairs
    assert ("AR", "FK") not in pairs


def test_a_curator_adds_islets(tmp_path):
    point = ("MH", 20.0, 155.0)
    assert outside(point) == [True]
    file = tmp_path / "settings.toml"
    file.write_text('[geography]\nislets = [["MH", 20.05, 155.0, 10]]\n')
    own = load_settings(file).geography
    assert outside(point, ("FM", 20.0, 155.0), settings=own) == [False, True]


@pytest.mark.parametrize(
    "islet", ['["XX", 1, 1, 1]', '["mh", 1, 1, 1]', '["MH", 95, 1, 1]', '["MH", 1, 1, 0]', '["MH", 1]']
)
def test_islets_that_cannot_be_are_refused(tmp_path, islet):
    file = tmp_path / "settings.toml"
    file.write_text(f"[geography]\nislets = [{islet}]\n")
    with pytest.raises(SettingsError, match="islets"):
        load_settings(file)


@given(st.floats(-85, 85), st.floats(-180, 180), st.floats(1, 150))
@settings(max_examples=examples(30))
def test_a_disc_is_a_circle_on_the_sphere_and_stays_on_the_globe(lat, lon, radius):
    disc = shapes._disc(lat, lon, radius)
    assert shapely.is_valid(disc)
    west, south, east, north = disc.bounds
    assert (west >= -180, east <= 180, south >= -90, north <= 90) == (True,) * 4
    xy = shapely.get_coordinates(disc)
    km = great_circle_km(np.full(len(xy), lat), np.full(len(xy), lon), xy[:, 1], xy[:, 0])
    assert km.max() <= radius * 1.2 + 0.1
