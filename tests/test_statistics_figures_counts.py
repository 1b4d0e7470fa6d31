"""Figures of counts: what each of them draws."""

import drawn_release
import pytest
from drawn_release import axes_of

from bioscan_etl.statistics.figures_counts import (
    missing_fields,
    partition_distribution,
    records_per_order,
    size_distribution,
    species_rank_abundance,
)


@pytest.fixture(scope="module")
def release():
    return drawn_release.of(drawn_release.rows())


def test_partitions_are_bars_with_their_numbers(release, tmp_path):
    (axis,) = axes_of(partition_distribution, release, tmp_path)
    assert [round(bar.get_width()) for bar in axis.patches] == [8, 8, 8, 8, 7, 7, 7, 7]
    assert "60" in axis.get_title("left")


def test_only_columns_that_lack_values_are_axes_of(release, tmp_path):
    (axis,) = axes_of(missing_fields, release, tmp_path)
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert "country" in labels
    assert "species" not in labels
    assert "20" in [text.get_text() for text in axis.texts]


def test_sizes_with_a_long_tail_are_on_a_logarithmic_axis(release, tmp_path):
    pixels, area, scale = axes_of(size_distribution, release, tmp_path)
    assert [axis.get_xscale() for axis in (pixels, area, scale)] == ["log", "log", "log"]
    assert pixels.get_title("left") == "Organism pixels: 60 specimens, median 2,950"
    assert scale.get_title("left").endswith("median 2.95")
    assert pixels.patches[0].get_data().values.sum() == 59  # all but one, which is 0


def test_records_of_an_order_are_counted(release, tmp_path):
    (axis,) = axes_of(records_per_order, release, tmp_path)
    assert [round(bar.get_width()) for bar in axis.patches] == [20, 20, 20]
    assert axis.get_title("left") == "Specimens per order: 3"
    assert len({(bar.get_facecolor(), bar.get_hatch()) for bar in axis.patches}) == 3


def test_a_curve_falls_from_the_commonest_species(tmp_path):
    rows = drawn_release.metadata(
        [{"processid": f"P-{n}", "species": f"A {min(n, 5)}", "split": "train"} for n in range(12)]
    )
    (axis,) = axes_of(species_rank_abundance, drawn_release.of(rows), tmp_path)
    line = axis.lines[0]
    assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == [(1, 7), (1, 7), (2, 1), (6, 1)]


def test_a_long_list_is_cut_and_says_so(tmp_path):
    rows = drawn_release.metadata([{"processid": f"P-{n}", "order": f"O{n:02}", "split": "train"} for n in range(50)])
    (axis,) = axes_of(records_per_order, drawn_release.of(rows), tmp_path)
    assert len(axis.patches) == 40
    assert "the 40 largest of 50" in axis.get_title("left")
