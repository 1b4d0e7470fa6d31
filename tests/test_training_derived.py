"""Masks and derived values against those of the outlines."""

import numpy as np
import pytest
from training_corpus import annotated_corpus

from bioscan_etl.images.detection import Detection
from bioscan_etl.training import derived
from bioscan_etl.training.dataset import Annotated, read_annotations
from bioscan_etl.training.outcomes import SIZES, share_of


@pytest.fixture(scope="module")
def occupied(tmp_path_factory: pytest.TempPathFactory) -> list[Annotated]:
    _, annotations = annotated_corpus(tmp_path_factory.mktemp("corpus"))
    return [image for image in read_annotations(annotations) if image.box is not None]


def found(image: Annotated, high: float = 1.0) -> Detection:
    """The annotated box, so many times as high."""
    x0, y0, x1, y1 = image.box
    return Detection((x0, y0, x1, min(y0 + high * (y1 - y0), 768)), 0.9, 1, "detected", image.mask())


def test_errors_are_those_of_the_sizes(occupied: list[Annotated]) -> None:
    largest = max(occupied, key=share_of)
    group = next(name for name, (low, high) in SIZES.items() if name != "all" and low <= share_of(largest) <= high)
    compared = [derived.compare(one, found(one, 1.25 if one is largest else 1.0)) for one in occupied]
    sizes = derived.by_size(compared)
    assert sizes[group].errors["area_fraction"][1] > 0
    others = [one for name, one in sizes.items() if name not in ("all", group)]
    assert others
    assert all(one.errors["area_fraction"] == [0, 0] for one in others)
    assert sum(one.specimens for name, one in sizes.items() if name != "all") == sizes["all"].specimens == len(occupied)


def test_an_error_is_relative(occupied: list[Annotated]) -> None:
    image = min(occupied, key=share_of)
    one = derived.compare(image, found(image, 1.5))
    assert one.errors["area_fraction"] == pytest.approx(0.5, abs=0.05)
    assert one.errors["image_measurement_value"] == 0
    assert one.mask_iou == 1
    half = image.mask()
    half[: int(image.box[1] + image.box[3]) // 2] = 0
    less = derived.compare(image, Detection(image.box, 0.9, 1, "detected", half))
    assert less.mask_iou == pytest.approx(0.5, abs=0.05)
    assert less.errors["image_measurement_value"] == pytest.approx(0.5, abs=0.05)


def test_a_box_elsewhere_has_no_errors_and_none_is_missed(occupied: list[Annotated]) -> None:
    image = occupied[0]
    far = derived.compare(image, Detection((0, 0, 5, 5), 0.9, 1, "detected", np.zeros((768, 1024), np.uint8)))
    assert (far.errors, far.missed, far.mask_iou) == ({}, False, 0)
    lost = derived.compare(image, Detection(None, 0.1, 0, "empty"))
    assert (lost.errors, lost.missed, lost.mask_iou) == ({}, True, None)
    assert derived.by_size([lost])["all"].missed == 1
