"""What networks take and give: pixels to numbers, answers to boxes. Whole models: test_images_detect."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from images_drawn import insect, well

from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.images.measure import overlap
from bioscan_etl.images.networks import (
    _FLOOR,
    _MOST,
    _OVERLAP,
    OnnxBoxes,
    UltralyticsBoxes,
    _chosen,
    letterbox,
    planes,
)


def test_planes_are_shares_of_full_light() -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 15
    seen = planes(image)
    assert seen.shape == (1, 3, 2, 3)
    assert seen.dtype == np.float32
    assert np.array_equal(seen[0], image.transpose(2, 0, 1).astype(np.float32) / np.float32(255))


def test_a_letterbox_pads_what_the_aspect_leaves() -> None:
    canvas, scale, left, top = letterbox(np.zeros((50, 200, 3), np.uint8), 100, 100)
    assert (canvas.shape, scale, left, top) == ((100, 100, 3), 0.5, 0, 37)
    assert (canvas[:37] == 114).all()
    assert not canvas[40:60].any()


numbers = st.integers(0, 40).flatmap(lambda count: arrays.arrays(np.float64, (count, 5), elements=st.floats(0, 1)))


@given(numbers)
def test_boxes_that_stay_are_the_surest_and_overlap_little(rows: np.ndarray) -> None:
    # Sides of at least 4 of 100 px; confidences of two decimals, so that some are equal.
    middles, sides = 100 * rows[:, :2], 4 + 60 * rows[:, 2:4]
    answer = np.hstack([middles, sides, rows[:, 4:].round(2)]).T.astype(np.float32)
    found = _chosen(answer, 1.0, (0, 0), (100, 100, 3))
    # From what the network answers, which is of single precision: its 0.01 is a little less than 0.01.
    middles, sides, confidences = (part.astype(np.float64).T for part in (answer[:2], answer[2:4], answer[4]))
    corners = np.clip(np.hstack([middles - sides / 2, middles + sides / 2]), 0, 100)
    kept: list[int] = []
    for place in np.argsort(-confidences, kind="stable"):
        shared = [overlap(tuple(corners[place]), tuple(corners[one])) for one in kept]
        # Two that overlap by half to the digits that single precision has may stay or go.
        assume(all(abs(iou - _OVERLAP) > 1e-5 for iou in shared))
        if confidences[place] >= _FLOOR and all(iou < _OVERLAP for iou in shared):
            kept.append(int(place))
    assert len(found.boxes) <= _MOST
    assert (np.diff(found.confidences) <= 0).all()
    assert found.best == (answer[4].max() if len(rows) else 0.0)
    assert np.allclose(found.boxes, corners[kept[:_MOST]], atol=1e-3)


@pytest.mark.train
@pytest.mark.skipif(not find_spec("ultralytics"), reason="needs .venv-clients: its package is not installed")
def test_a_pt_gives_the_boxes_of_its_export(tmp_path: Path) -> None:
    """To the half pixel that docs/explanation/detector.md states; on CUDA, where there is a device."""
    import torch
    from ultralytics import YOLO

    from bioscan_etl.training import export, exported, train

    weights = tmp_path / "coarse" / "weights" / "last.pt"
    weights.parent.mkdir(parents=True)
    network = YOLO(str(train.MODEL), task="detect")
    height, width = export.COARSE_SIZE
    exported.take_over(network.model, SHIPPED / "coarse.onnx", torch.zeros(1, 3, height, width))
    network.ckpt = {"train_args": {"imgsz": width}}  # as the trainer writes it
    network.save(weights)
    export.export_coarse(tmp_path, tmp_path / "coarse.onnx")
    through_torch, through_onnx = UltralyticsBoxes(weights, trusted=True), OnnxBoxes(tmp_path / "coarse.onnx")
    compared = 0
    for number in range(6):
        pixels = well()
        insect(pixels, (250 + 90 * number, 200 + 60 * number), 60 + 40 * number)
        one, other = through_torch.propose(pixels), through_onnx.propose(pixels)
        # At the lowest confidence that is looked at, one may see a candidate that the other just does not.
        sure = [found.confidences > 0.05 for found in (one, other)]
        assert np.allclose(one.confidences[sure[0]], other.confidences[sure[1]], atol=1e-3)
        assert np.abs(one.boxes[sure[0]] - other.boxes[sure[1]]).max() < 0.5
        compared += int(sure[0].sum())
    assert compared >= 6
