"""The measures of a detector against annotated images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_corpus import annotated_corpus

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")

from bioscan_etl.images.detection import Detection
from bioscan_etl.training import dataset, evaluate


class Oracle:
    """Knows the truth, and moves or hides it as told."""

    name = "oracle"

    def __init__(self, truth: list[dataset.Annotated], shift: float = 0.0, hide: int = 0, invent: int = 0) -> None:
        self._truth = iter(truth)
        self._shift, self._hide, self._invent = shift, hide, invent

    def detect(self, pixels: np.ndarray) -> Detection:
        image = next(self._truth)
        if image.box is None:
            if self._invent:
                self._invent -= 1
                return Detection((10, 10, 50, 50), 0.3, 1, "low_confidence")
            return Detection(None, 0.0, 0, "empty")
        if self._hide:
            self._hide -= 1
            return Detection(None, 0.1, 0, "empty")
        x0, y0, x1, y1 = image.box
        by = self._shift * (x1 - x0)
        return Detection((x0 + by, y0, x1 + by, y1), 0.9, 1, "detected", image.mask())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    images, annotations = annotated_corpus(tmp_path_factory.mktemp("corpus"))
    return images, dataset.read_annotations(annotations)


def test_the_truth_is_perfect(corpus) -> None:
    images, truth = corpus
    result = evaluate.measure(images, truth, Oracle(truth), "all")
    assert (result.occupied, result.empty) == (8, 4)
    assert result.coco["all"] == pytest.approx({"specimens": 8, "AP50": 1, "AP75": 1, "AP": 1, "AR": 1})
    assert sum(figures["specimens"] for name, figures in result.coco.items() if name != "all") == 8
    assert (result.empty_as_empty, result.occupied_as_empty) == (1, 0)
    assert set(result.sizes) == set(result.coco)
    for name, sized in result.sizes.items():
        assert sized.specimens == result.coco[name]["specimens"]
        assert (sized.missed, sized.mask_iou) == (0, 1)
        assert all(value == [0, 0] for value in sized.errors.values())
        assert set(sized.errors) == {"area_fraction", "scale_factor", "image_measurement_value"}
    assert "AP75 1.000" in evaluate.show(result)


def test_shifted_boxes_fail_the_strict_thresholds(corpus) -> None:
    images, truth = corpus
    # Shifted by a fifth of the width, IoU is 0.8 / 1.2.
    result = evaluate.measure(images, truth, Oracle(truth, shift=0.2), "all")
    assert result.coco["all"]["AP50"] == pytest.approx(1)
    assert result.coco["all"]["AP75"] == 0
    assert result.coco["all"]["AR"] == pytest.approx(0.4)  # IoU 0.50, 0.55, 0.60, 0.65 of ten


def test_missed_and_invented_specimens_are_counted(corpus) -> None:
    images, truth = corpus
    result = evaluate.measure(images, truth, Oracle(truth, hide=2, invent=1), "all")
    assert result.occupied_as_empty == pytest.approx(2 / 8)
    assert result.empty_as_empty == pytest.approx(3 / 4)
    assert result.statuses == {
        "occupied": {"detected": 6, "empty": 2},
        "empty": {"empty": 3, "low_confidence": 1},
    }
    assert result.coco["all"]["AR"] == pytest.approx(0.75)
    assert sum(one.missed * one.specimens for name, one in result.sizes.items() if name != "all") == pytest.approx(2)
    assert sum(one.specimens for name, one in result.sizes.items() if name != "all") == 8


def test_errors_are_those_of_the_sizes(corpus) -> None:
    images, truth = corpus
    (largest,) = sorted((one for one in truth if one.box), key=lambda one: one.mask().sum())[-1:]

    class Doubled(Oracle):
        """Draws the largest specimen's box twice as high."""

        def detect(self, pixels: np.ndarray) -> Detection:
            found = super().detect(pixels)
            if found.box is None or found.box != largest.box:
                return found
            x0, y0, x1, y1 = found.box
            return Detection((x0, y0, x1, min(2 * y1 - y0, 768)), 0.9, 1, "detected", found.mask)

    result = evaluate.measure(images, truth, Doubled(truth), "all")
    share = evaluate.share_of(largest)
    group = next(name for name, (low, high) in evaluate.SIZES.items() if name != "all" and low <= share <= high)
    assert result.sizes[group].errors["area_fraction"][1] > 0
    others = [one for name, one in result.sizes.items() if name not in ("all", group)]
    assert others
    assert all(one.errors["area_fraction"] == [0, 0] for one in others)


def test_a_size_is_a_share_of_its_own_image(corpus) -> None:
    _, truth = corpus
    # One image of three is given at half the length: its specimen has a quarter of the area, and the same share.
    mixed = [
        replace(
            one,
            size=tuple(length // 2 for length in one.size),
            box=one.box and tuple(edge / 2 for edge in one.box),
        )
        if number % 3 == 1
        else one
        for number, one in enumerate(truth)
    ]
    assert any(one.box for number, one in enumerate(mixed) if number % 3 == 1)
    perfect = [
        [Detection(one.box, 0.9, 1, "detected" if one.box else "empty") for one in part] for part in (truth, mixed)
    ]
    figures = [evaluate.coco_figures(part, found) for part, found in zip((truth, mixed), perfect, strict=True)]
    assert {name: one["specimens"] for name, one in figures[0].items()} == {
        name: one["specimens"] for name, one in figures[1].items()
    }
    assert all(one["AP75"] == pytest.approx(1) for one in figures[1].values())


def test_nothing_found_has_no_figures(corpus) -> None:
    images, truth = corpus
    result = evaluate.measure(images, truth, Oracle(truth, hide=8), "all")
    assert result.coco == {}
    assert "images            8 occupied, 4 empty (all)" in evaluate.show(result)


def test_overlap() -> None:
    assert evaluate.box_iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert evaluate.box_iou((0, 0, 1, 1), (5, 5, 6, 6)) == 0
