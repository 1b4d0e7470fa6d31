"""Figures with images of specimens."""

from dataclasses import replace

import drawn_release
import numpy as np
import polars as pl
import pytest
from drawn_release import axes_of

from bioscan_etl.statistics.drawn import PER_ORDER, sample_of, shown_of
from bioscan_etl.statistics.figures_images import (
    image_boxes,
    image_masks,
    image_sizes,
    sample_record,
    specimen_sheet,
)
from bioscan_etl.statistics.pictures import Outlined

GREY = np.full((75, 100, 3), 180, np.uint8)


class _Detector:
    name = "one"


class _Pictures:
    """Images of every specimen but those of Coleoptera, all alike."""

    detector = _Detector()

    def thumbnail(self, path, width):
        return None if path is None or "/C" in path else GREY[:, :width]

    def boxes(self, processids):
        return {name: {} for name in processids if name != "A0"}

    def outlined(self, path, box, width):
        if box is None or "/C" in path:
            return None
        frame = np.array([[5.0, 5], [95, 5], [95, 70], [5, 70]])
        return Outlined(GREY, (20.0, 10.0, 60.0, 70.0), frame, [[25.0, 15.0, 55.0, 20.0, 40.0, 60.0]])


@pytest.fixture(scope="module")
def release():
    orders = {"Diptera": 9, "Araneae": 2, "Coleoptera": 4}
    rows = drawn_release.metadata(
        [
            {
                "processid": f"{order[0]}{n}", "order": order, "taxon": "a <b>", "split": "train", "chunk": "",
                "area_fraction": 0.0703, "scale_factor": 0.75, "image_measurement_value": 12_345,
                "dna_barcode": "ACGTN" * 40, "country": "Norway",
            }
            for order, count in orders.items()
            for n in range(count)
        ]
    )  # fmt: skip
    lazy = rows.lazy()
    found = drawn_release.of(rows)
    return replace(found, sample=sample_of(lazy), shown=shown_of(lazy), pictures=_Pictures())


def test_a_sheet_has_a_row_for_each_order_by_name(release, tmp_path):
    (axis,) = axes_of(specimen_sheet, release, tmp_path)
    assert [text.get_text() for text in axis.texts] == ["Araneae (2)", "Diptera (9)"]  # no image of a beetle is there
    assert len(axis.images) == 2 + PER_ORDER
    tops = [image.get_extent()[3] for image in axis.images]
    assert tops == sorted(tops)
    assert len({image.get_gid() for image in axis.images}) == len(axis.images)


@pytest.mark.parametrize(("figure", "patches"), [(image_boxes, 2), (image_masks, 1), (image_sizes, 2)])
def test_examples_are_of_the_commonest_orders_in_turn(release, tmp_path, figure, patches):
    axes = [axis for axis in axes_of(figure, release, tmp_path) if axis.images]
    names = [axis.get_title("left") for axis in axes]
    assert names[0] == "Diptera: a <b>"
    assert names.count("Araneae: a <b>") == 1  # the specimen without a box is left out
    assert len(names) == 6
    assert all(len(axis.patches) == patches for axis in axes)


def test_sizes_are_written_as_they_are_released_and_the_shorter_side_is_marked(release, tmp_path):
    axis = axes_of(image_sizes, release, tmp_path)[0]
    assert axis.texts[-1].get_text() == "organism pixels: 12,345\narea fraction: 0.0703\nscale factor: 0.7500"
    assert axis.lines[-1].get_xydata().tolist() == [[20, 70], [60, 70]]


def test_the_record_has_everything_on_one_card(release, tmp_path):
    (axis,) = axes_of(sample_record, release, tmp_path)
    card = axis.texts[-1].get_text()
    for line in ("order: Araneae", "place: Norway", "organism pixels: 12,345", "BIN: –", "partition: train"):
        assert line in card.splitlines()
    picture, strip = axis.child_axes
    assert len(picture.images) == 1
    assert sum(len(line.get_xdata()) for line in strip.lines) == 200


@pytest.mark.parametrize("figure", [specimen_sheet, image_boxes, image_masks, image_sizes])
def test_without_images_there_is_a_sentence(release, tmp_path, figure):
    for without in (replace(release, pictures=None), replace(release, shown=pl.DataFrame())):
        (axis,) = axes_of(figure, without, tmp_path)
        assert axis.texts[-1].get_text() == "no image of a specimen with an order is at hand"


def test_a_record_without_image_or_barcode(release, tmp_path):
    (axis,) = axes_of(sample_record, replace(release, pictures=None), tmp_path)
    assert axis.child_axes[0].texts[0].get_text() == "no image"
    (axis,) = axes_of(sample_record, replace(release, sample=None), tmp_path)
    assert axis.texts[0].get_text() == "no specimen has a barcode, which a record needs"
