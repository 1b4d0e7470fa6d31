"""Maps, and shares of countries."""

import drawn_release
import numpy as np
import pytest
from drawn_release import axes_of

from bioscan_etl.statistics.figures_places import partition_countries, project, site_map


@pytest.fixture(scope="module")
def release():
    return drawn_release.of(drawn_release.rows())


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


def test_sites_lie_where_they_are_with_a_legend_of_sizes(release, tmp_path):
    (axis,) = axes_of(site_map, release, tmp_path)
    points = axis.collections[-2]  # the last one is the legend's
    assert len(points.get_offsets()) == 60
    assert axis.get_title("left") == "Collection sites: 60, of 60 of 60 specimens"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["1"]
    lon, lat = release.rows["coord-lon"].to_numpy(), release.rows["coord-lat"].to_numpy()
    order = np.argsort(lat)
    assert np.asarray(points.get_offsets()) == pytest.approx(project(lon[order], lat[order]))


def test_the_shares_of_a_partition_add_up(release, tmp_path):
    (axis,) = axes_of(partition_countries, release, tmp_path)
    ends = {}
    for bar in axis.patches:
        ends[bar.get_y()] = max(ends.get(bar.get_y(), 0), bar.get_x() + bar.get_width())
    assert list(ends.values()) == pytest.approx([100] * 8)
    names = [text.get_text() for text in axis.get_legend().get_texts()]
    assert names == ["<b>Narnia</b>", "Norway", "other countries"]
