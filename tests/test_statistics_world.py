"""The world on an equal-area map."""

import numpy as np
import pytest

from bioscan_etl.geography.atlas import areas
from bioscan_etl.statistics.world import land, project, small_countries


def test_the_projection_is_that_of_its_authors():
    """Corners of Equal Earth: the pole is a line of 0.5885 of the equator's length (Šavrič et al. 2018)."""
    assert project(np.array([0.0]), np.array([0.0])).tolist() == [[0, 0]]
    equator, pole = project(np.array([180.0, 180.0]), np.array([0.0, 90.0]))
    assert equator == pytest.approx([2.7066, 0], abs=1e-4)
    assert pole[1] == pytest.approx(1.3173, abs=1e-4)
    assert pole[0] / equator[0] == pytest.approx(0.5924, abs=5e-3)


def test_areas_compare():
    """A cell of one by one degree has the area of the sphere wherever it lies."""
    for lat in (0.0, 35.0, 70.0, -50.0):
        lon, edge = np.array([40.0, 41.0, 41.0, 40.0]), np.array([lat, lat, lat + 1, lat + 1])
        x, y = project(lon, edge).T
        area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
        true = np.radians(1) * (np.sin(np.radians(lat + 1)) - np.sin(np.radians(lat)))
        assert area == pytest.approx(true, rel=2e-3)


def test_the_land_has_the_shape_of_its_countries():
    """Outlines are coarse, but a country keeps its area: here within 4 %, of those with few islands."""
    drawn = {}
    for code, corners in land():
        x, y = corners.T
        drawn[code] = drawn.get(code, 0.0) + 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    known = dict(areas().select("area", "area_km2").iter_rows())
    for code in ("AR", "AU", "BR", "CD", "DZ", "IN", "KZ", "MX", "PE", "SD", "TR", "FR"):
        assert drawn[code] * 6371.0088**2 == pytest.approx(known[code], rel=0.04), code
    assert sum(len(corners) for _, corners in land()) < 12_000


def test_small_countries_lie_where_they_are():
    places = small_countries()
    assert "SG" in places
    assert "CA" not in places
    assert places["SG"] == pytest.approx(tuple(project(np.array([103.8]), np.array([1.35]))[0]), abs=0.01)
