"""Treemaps and rings of taxa."""

import drawn_release
import pytest
from drawn_release import axes_of
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from bioscan_etl.statistics.figures_taxa import rectangles, taxonomy_sunburst, treemap_class, treemap_order
from bioscan_etl.statistics.looks import look


def release(*groups):
    """Specimens of (class, order, family, split, number)."""
    names = ("class", "order", "family", "split")
    rows = [dict(zip(names, group, strict=False)) for group in groups for _ in range(group[4])]
    return drawn_release.of(drawn_release.metadata([row | {"processid": f"P{n}"} for n, row in enumerate(rows)]))


@given(st.lists(st.integers(1, 5_000_000), min_size=1, max_size=45))
def test_tiles_have_the_areas_of_their_sizes_and_fill_the_whole(sizes):
    ordered = sorted(sizes, reverse=True)
    tiles = rectangles(ordered, 1, 2, 6, 3)
    areas = [width * height for _, _, width, height in tiles]
    assert areas == pytest.approx([18 * size / sum(sizes) for size in ordered], rel=1e-6)
    assert min(x for x, *_ in tiles) == pytest.approx(1)
    assert max(y + height for _, y, _, height in tiles) == pytest.approx(5)


def test_no_sizes_are_no_tiles():
    assert rectangles([], 0, 0, 1, 1) == []


MANY = (
    ("Insecta", "Diptera", "A", "train", 6),
    ("Insecta", "Diptera", "B", "test_unseen", 2),
    ("Insecta", "Coleoptera", None, "key_unseen", 4),
    ("Insecta", None, None, "pretrain", 3),
    ("Arachnida", "Araneae", "C", "val", 1),
)


def test_orders_of_insects_are_tiles_in_all_and_with_seen_and_unseen_species(tmp_path):
    axes = axes_of(treemap_order, release(*MANY), tmp_path)
    assert [axis.get_title("left").split(":")[-1].strip() for axis in axes] == ["12", "6", "6"]
    shown = [
        {to_hex(tile.get_facecolor()): tile.get_width() * tile.get_height() for tile in axis.patches} for axis in axes
    ]
    diptera, beetles = look("Diptera").colour, look("Coleoptera").colour
    whole = sum(shown[0].values())
    assert shown[0] == pytest.approx({diptera: whole * 8 / 12, beetles: whole * 4 / 12})
    assert shown[1] == pytest.approx({diptera: whole})
    assert shown[2] == pytest.approx({beetles: whole * 4 / 6, diptera: whole * 2 / 6})
    assert "Diptera\n8" in [text.get_text() for text in axes[0].texts]


def test_classes_are_tiles_and_a_part_without_any_says_so(tmp_path):
    axes = axes_of(treemap_class, release(MANY[0]), tmp_path)
    assert [len(axis.patches) for axis in axes] == [1, 1, 0]
    assert axes[2].texts[0].get_text() == "no specimen here has one of the classes"


def test_the_smallest_of_many_are_one_tile(tmp_path):
    found = release(*((f"Class {n:02}", None, None, "train", 1 + (n == 0)) for n in range(60)))
    axes = axes_of(treemap_class, found, tmp_path)
    assert len(axes[0].patches) == 41
    assert any("20 others" in text.get_text() for text in axes[0].texts)


def test_rings_are_shares_and_gaps_lack_a_label(tmp_path):
    (axis,) = axes_of(taxonomy_sunburst, release(*MANY), tmp_path)
    rings = {}
    for wedge in axis.patches:
        rings[wedge.r] = rings.get(wedge.r, 0) + wedge.theta2 - wedge.theta1
    shares = [angle / 360 for _, angle in sorted(rings.items())]
    assert shares == pytest.approx([16 / 16, 13 / 16, 9 / 16])
    families = [to_hex(wedge.get_facecolor()) for wedge in axis.patches if wedge.r == max(rings)]
    assert families.count(look("Diptera").colour) == 2
    assert "16\nspecimens" in [text.get_text() for text in axis.texts]
