"""Points against borders: territories, disputed areas, coasts, the antimeridian, and fixes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely

from bioscan_etl.geography import atlas, borders, shapes
from bioscan_etl.settings import GeographySettings

SETTINGS = GeographySettings()


def lies_in(country: str, lat: float, lon: float, tolerance_km: float = 25.0) -> bool:
    return bool(borders.lies_in(country, np.array([lat]), np.array([lon]), tolerance_km)[0])


def check(*points: tuple[str, float, float], settings: GeographySettings = SETTINGS) -> list[dict[str, object]]:
    frame = pl.DataFrame(points, schema={"country_iso": pl.String, "lat": pl.Float64, "lon": pl.Float64}, orient="row")
    found = borders.check_points(frame, settings)
    order = frame.with_row_index().join(found, on=["country_iso", "lat", "lon"]).sort("index")
    return order.to_dicts()


@pytest.mark.parametrize(
    ("country", "lat", "lon"),
    [
        ("MX", 19.3786, -88.1892),
        ("NO", 69.6653, 30.3321),
        ("NO", 78.22, 15.65),  # Svalbard under Norway
        ("SJ", 78.22, 15.65),
        ("SJ", 70.98, -8.5),  # Jan Mayen
        ("BV", -54.42, 3.38),
        ("US", 18.4, -66.1),  # Puerto Rico under the United States
        ("PR", 18.4, -66.1),
        ("US", 51.88, -176.65),  # Aleutians
        ("US", 52.9, 173.1),  # Attu, beyond the antimeridian
        ("RU", 66.2, -172.0),  # Chukotka, beyond the antimeridian
        ("RU", 55.75, 37.6),
        ("FJ", -16.8, -179.9),
        ("FJ", -17.8, 177.5),
        ("FR", -21.1, 55.5),  # Réunion
        ("RE", -21.1, 55.5),
        ("GP", 16.2, -61.5),
        ("MQ", 14.6, -61.0),
        ("GF", 4.9, -52.3),
        ("YT", -12.8, 45.15),
        ("DK", 62.0, -6.8),
        ("FO", 62.0, -6.8),
        ("GL", 64.18, -51.72),
        ("FI", 60.1, 19.95),
        ("AX", 60.1, 19.95),
        ("CN", 22.4, 114.1),
        ("HK", 22.4, 114.1),
        ("NL", 12.15, -68.27),
        ("BQ", 17.63, -63.24),
        ("UA", 45.0, 34.1),  # Crimea
        ("RU", 45.0, 34.1),
        ("MA", 24.0, -14.5),
        ("EH", 24.0, -14.5),
        ("RS", 42.6, 21.0),
        ("XK", 42.6, 21.0),
        ("CY", 35.3, 33.3),
        ("SO", 9.56, 44.06),  # Somaliland
        ("KZ", 45.6, 63.3),  # Baikonur
        ("CX", -10.49, 105.63),
        ("CC", -12.17, 96.83),
        ("TK", -9.38, -171.22),
        ("AQ", -82.0, 10.0),
        ("AQ", -90.0, 0.0),
        ("SG", 1.35, 103.82),
        ("PT", 38.7, -27.2),  # Azores
        ("EC", -0.6, -90.4),  # Galápagos
        ("CR", 5.53, -87.06),  # Cocos Island
        ("ES", 28.1, -15.4),
    ],
)
def test_points_lie_in_their_country(country, lat, lon):
    assert lies_in(country, lat, lon)


@pytest.mark.parametrize(
    ("country", "lat", "lon"),
    [
        ("MX", 19.3786, 88.1892),
        ("GP", 48.85, 2.35),  # Paris is not in Guadeloupe
        ("SJ", 59.9, 10.7),
        ("PR", 40.0, -100.0),
        ("FR", 51.5, -0.1),
        ("UA", 55.75, 37.6),
        ("CA", 35.0, -100.0),
        ("FJ", -16.8, 170.0),
        ("SG", 3.1, 101.7),
    ],
)
def test_points_do_not_lie_elsewhere(country, lat, lon):
    assert not lies_in(country, lat, lon)


def test_the_tolerance_is_a_distance_on_the_sphere():
    # In the plains the border of Canada is the 49th parallel.
    for km, inside in ((24.0, True), (26.0, False)):
        assert lies_in("CA", 49.0 - km / 111.195, -105.0) is inside
    assert lies_in("CA", 49.0 - 5 / 111.195, -105.0, 0.0) is False
    # West of the Portuguese coast at Cabo da Roca (9.5 degrees west), 38.78 north.
    degree = 111.195 * np.cos(np.radians(38.78))
    assert lies_in("PT", 38.78, -9.5 - 22 / degree)
    assert not lies_in("PT", 38.78, -9.5 - 29 / degree)


def test_the_tolerance_reaches_across_the_antimeridian():
    russia = shapely.from_wkb(atlas.areas().filter(pl.col("area") == "RU")["wkb"][0])
    east = [xy for xy in shapely.get_coordinates(russia) if xy[0] == -180.0]
    assert east, "Russia reaches 180 degrees"
    lat = float(np.mean([xy[1] for xy in east if xy[1] < 70]))
    assert lies_in("RU", lat, 179.99)
    assert lies_in("RU", lat, -179.99)


def test_distances_agree_with_haversine_of_the_nearest_vertex():
    shape = shapes.country_shape("IS")
    vertices = shapely.get_coordinates(shape)
    rng = np.random.default_rng(7)
    lat, lon = rng.uniform(62.5, 67.5, 300), rng.uniform(-26, -12, 300)
    outside = ~shapely.contains_xy(shape, lon, lat)
    lat, lon = lat[outside], lon[outside]
    nearest = np.array(
        [
            borders.great_circle_km(
                np.full(len(vertices), a), np.full(len(vertices), b), vertices[:, 1], vertices[:, 0]
            ).min()
            for a, b in zip(lat, lon, strict=True)
        ]
    )
    found = borders.lies_in("IS", lat, lon, 25.0)
    clear = (nearest < 25.0) | (nearest > 27.0)  # between vertices the coast may be nearer than the next vertex
    assert found.any()
    assert not found.all()
    assert np.array_equal(found[clear], nearest[clear] < 25.0)


def test_great_circle_of_a_degree_and_of_half_the_earth():
    zero = np.zeros(2)
    km = borders.great_circle_km(zero, zero, np.array([1.0, 0.0]), np.array([0.0, 180.0]))
    assert km == pytest.approx([111.195, 20015.1], abs=0.05)


@pytest.mark.parametrize(
    ("point", "fix", "proposed"),
    [
        (("AU", 35.261, 149.059), ["PRESUMED_NEGATED_LATITUDE"], (-35.261, 149.059)),
        (("MX", 19.3786, 88.1892), ["PRESUMED_NEGATED_LONGITUDE"], (19.3786, -88.1892)),
        (
            ("BR", 15.0, 47.0),
            ["PRESUMED_NEGATED_LATITUDE", "PRESUMED_NEGATED_LONGITUDE"],
            (-15.0, -47.0),
        ),
        (("NO", 10.4, 63.4), ["PRESUMED_SWAPPED_COORDINATE"], (63.4, 10.4)),
        (("US", 0.0, 100.0), [], (None, None)),
    ],
)
def test_fixes_are_proposed_where_they_lead_home(point, fix, proposed):
    (found,) = check(point)
    assert found["outside"] is True
    assert found["fix"] == fix
    assert (found["proposed-lat"], found["proposed-lon"]) == proposed


def test_a_swapped_point_off_the_globe_is_no_mismatch_but_has_a_fix():
    (found,) = check(("US", -117.44, 33.29))
    assert found["outside"] is False
    assert found["fix"] == ["PRESUMED_SWAPPED_COORDINATE"]


def test_points_at_home_are_left_alone_and_unknown_codes_are_not_judged():
    for found in check(("NO", 63.4, 10.4), ("ZZ", 1.0, 1.0), ("CD", -4.3, 15.3)):
        assert (found["outside"], found["fix"], found["proposed-lat"]) == (False, [], None)


def test_points_at_sea_may_lie_farther_off():
    islet, deep_sea, ashore = ("TK", -9.2, -171.85), ("TK", -6.0, -171.85), ("ES", 39.0, -8.0)
    assert [found["outside"] for found in check(islet, deep_sea, ashore)] == [False, True, True]
    narrow = GeographySettings(sea_tolerance_km=0.0)
    assert [found["outside"] for found in check(islet, ("PT", 38.78, -9.6), settings=narrow)] == [True, False]


def test_sea_and_land():
    lat, lon = np.array([0.0, 46.8, 45.2, -80.0]), np.array([-30.0, 8.2, -82.0, 20.0])
    assert borders.is_at_sea(lat, lon).tolist() == [True, False, False, False]


def test_centroids_by_distance_spare_small_countries():
    centre = {row["area"]: row for row in atlas.areas().iter_rows(named=True)}
    points = [(code, centre[code]["centroid_lat"], centre[code]["centroid_lon"]) for code in ("FR", "SG")]
    assert [found["centroid"] for found in check(*points, ("FR", 46.5, 2.5572))] == [True, False, False]


def test_no_points_no_rows():
    empty = pl.DataFrame(schema={"country_iso": pl.String, "lat": pl.Float64, "lon": pl.Float64})
    assert borders.check_points(empty, SETTINGS).is_empty()


def test_equivalences_name_areas_of_the_map():
    table = pl.read_csv(Path(borders.__file__).parent / "equivalences.csv", infer_schema=False)
    known = set(atlas.areas()["area"]) | set(shapes.islets()["area"])
    assert set(table["area"]) <= known
    assert set(table["country_iso"]) <= known
    assert table.select("country_iso", "area").is_unique().all()
