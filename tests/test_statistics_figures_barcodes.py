"""Figures of barcodes: what each of them draws."""

import drawn_release
import polars as pl
import pytest
from drawn_release import axes_of

from bioscan_etl.statistics.canvas import BASE_COLOURS
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.figures_barcodes import (
    barcode_gap,
    barcode_strip,
    distances_order,
    distances_species,
    leakage_curve,
    rarefaction,
    sdi_by_rank,
)


@pytest.fixture(scope="module")
def release():
    return drawn_release.of(drawn_release.rows())


def test_distances_of_orders_are_boxes_by_name(release, tmp_path):
    (axis,) = axes_of(distances_order, release, tmp_path)
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == sorted(names)
    assert len(axis.patches) == len(names) == 3
    table = release.tables["distances"].filter(pl.col("level") == "order").sort("group")
    for box, row in zip(axis.patches, table.iter_rows(named=True), strict=True):
        extent = box.get_path().get_extents()
        assert (extent.x0, extent.x1) == pytest.approx((row["lower_quartile"], row["upper_quartile"]))


def test_distances_of_species_are_a_box_per_bin(release, tmp_path):
    (axis,) = axes_of(distances_species, release, tmp_path)
    assert len(axis.patches) == release.tables["distance_bins"].height > 0


def test_diversity_is_a_box_per_level_with_its_mean(release, tmp_path):
    (axis,) = axes_of(sdi_by_rank, release, tmp_path)
    table = release.tables["barcodes"].drop_nulls("mean_sdi")
    assert len(axis.patches) == table.height == 7  # no specimen has a subfamily
    assert axis.lines[-1].get_xdata() == pytest.approx(table["mean_sdi"].to_list())


def test_species_without_a_gap_are_marked_apart(release, tmp_path):
    audited = pl.DataFrame(
        {"largest_within": [0.01, 0.05, None], "nearest_other": [0.1, 0.02, 0.3], "gap": [0.09, -0.03, None]}
    )
    (axis,) = axes_of(barcode_gap, Drawn(release.rows, {"species_audit": audited}), tmp_path)
    assert axis.get_title("left") == "Barcode gap: 2 species, 1 without one"
    gap, without = axis.collections
    assert gap.get_offsets().tolist() == [[0.01, 0.1]]
    assert without.get_offsets().tolist() == [[0.05, 0.02]]


def test_each_evaluated_partition_has_its_curve(release, tmp_path):
    (axis,) = axes_of(leakage_curve, release, tmp_path)
    names = [text.get_text() for text in axis.get_figure().legends[0].get_texts()]
    assert "test to train: 8" in names
    table = release.tables["leakage_curve"].filter(pl.col("evaluated") == "test", pl.col("known") == "train")
    shown = axis.lines[names.index("test to train: 8")].get_ydata()
    assert shown == pytest.approx((100 * table["near_share"]).to_list())


def test_each_unit_has_its_curve(release, tmp_path):
    (axis,) = axes_of(rarefaction, release, tmp_path)
    assert [text.get_text().split(":")[0] for text in axis.get_legend().get_texts()] == ["species", "BINs", "barcodes"]
    assert len({line.get_linestyle() for line in axis.lines}) == 3  # not by colour alone
    assert axis.lines[0].get_ydata()[-1] == pytest.approx(15)


def test_a_strip_has_a_letter_per_base_in_its_colour_in_rows_of_66(release, tmp_path):
    barcode = "AATCGNR" * 20
    sample = {"processid": "A", "taxon": None, "dna_barcode": barcode}
    (axis,) = axes_of(barcode_strip, Drawn(release.rows, {}, sample), tmp_path)
    letters = {(y - 0.5, x - 0.5): line.get_label() for line in axis.lines for x, y in line.get_xydata()}
    assert "".join(letters[place] for place in sorted(letters)) == barcode
    assert [text.get_text() for text in axis.get_yticklabels()] == ["1", "67", "133"]
    svg = (tmp_path / "barcode_strip.svg").read_text()
    mesh = svg[svg.index('id="QuadMesh_1"') :]
    mesh = mesh[: mesh.index("</g>")]
    for base, blocks in {"A": 40, "T": 20, "C": 20, "G": 20, "N": 40}.items():
        assert mesh.count(f"fill: {BASE_COLOURS[base]}") == blocks
