"""Maps, and shares of countries."""

import drawn_release
import numpy as np
import pytest
from drawn_release import axes_of
from matplotlib.colors import to_hex

from bioscan_etl.statistics.figures_places import POWERS, country_map, partition_countries, site_map
from bioscan_etl.statistics.world import LAND, project


@pytest.fixture(scope="module")
def release():
    return drawn_release.of(drawn_release.rows())


def test_sites_lie_where_they_are_with_a_legend_of_sizes(release, tmp_path):
    (axis,) = axes_of(site_map, release, tmp_path)
    points = axis.collections[-2]  # the last one is the legend's
    assert len(points.get_offsets()) == 60
    assert axis.get_title("left") == "Collection sites: 60"
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
    names = [text.get_text() for text in axis.get_figure().legends[0].get_texts()]
    assert names == ["<b>Narnia</b>", "Norway", "other countries"]


def test_countries_are_coloured_by_powers_of_ten_and_small_ones_are_points(tmp_path):
    sizes = {"NO": 120, "SG": 12, "CR": 3}
    rows = [{"processid": f"{code}{n}", "country_iso": code} for code, size in sizes.items() for n in range(size)]
    release = drawn_release.of(drawn_release.metadata([*rows, {"processid": "X"}]))
    (axis,) = axes_of(country_map, release, tmp_path)
    colours = {to_hex(one.get_facecolor()[0]) for one in axis.collections if one.get_facecolor().size}
    assert colours == {LAND, POWERS[0], POWERS[1], POWERS[2]} - {POWERS[1]}  # Singapore is too small to be drawn
    points = {to_hex(line.get_color()) for line in axis.lines}
    assert points == {POWERS[1]}
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["1 to 9", "10 to 99", "100 to 999"]


def test_a_map_without_places_says_so(tmp_path):
    release = drawn_release.of(drawn_release.metadata([{"processid": "A"}]))
    for figure in (site_map, country_map):
        (axis,) = axes_of(figure, release, tmp_path)
        assert axis.texts[-1].get_text().startswith("no specimen has")
