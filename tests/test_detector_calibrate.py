"""The fit of the confidence and the choice of thresholds."""

import numpy as np
import pytest
from detector_corpus import DETECTOR

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")
assert DETECTOR.is_dir()

import calibrate  # noqa: E402 isort: skip - from detector/


def test_a_fit_finds_the_weights_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal([0, 3, -1], [1.0, 5.0, 0.1], (20_000, 3))
    wanted, offset = np.array([1.5, -0.3, 4.0]), 5.0
    right = rng.random(len(features)) < calibrate.chances(features, wanted, offset)
    weights, found = calibrate.fit(features, right)
    assert weights == pytest.approx(wanted, rel=0.15)
    assert calibrate.chances(features, weights, found).mean() == pytest.approx(right.mean(), abs=0.005)


def test_separable_data_do_not_run_away() -> None:
    features = np.linspace(-1, 1, 40)[:, None]
    weights, offset = calibrate.fit(features, features[:, 0] > 0)
    assert np.isfinite(weights).all()
    assert np.isfinite(offset)
    assert 0 < weights[0] < 100


def test_the_best_candidate_speaks_for_its_picture() -> None:
    table = calibrate.Table(
        features=np.zeros((4, 1)),
        right=np.array([False, True, False, False]),
        picture=np.array([0, 0, 1, 1]),
        fold=np.zeros(4, np.int64),
        occupied={0: True, 1: False, 2: True},
    )
    tops, right, occupied = calibrate.best_of_pictures(table, np.array([0.2, 0.9, 0.4, 0.1]))
    assert tops.tolist() == [0.9, 0.4, 0.0]
    assert right.tolist() == [True, False, False]
    assert occupied.tolist() == [True, False, True]


def test_thresholds_part_what_can_be_parted() -> None:
    tops = np.repeat([0.05, 0.15, 0.5, 0.9], [30, 10, 20, 60])
    occupied = np.array([False] * 40 + [True] * 80)
    right = np.array([False] * 40 + [False] * 8 + [True] * 12 + [True] * 60)
    empty, sure = calibrate.choose(tops, right, occupied)
    assert 0.15 < empty <= 0.5
    assert (tops[occupied] < empty).mean() <= calibrate.OCCUPIED_MISSED
    assert 0.5 < sure <= 0.9
    assert right[tops >= sure].mean() >= calibrate.SURE


def test_mirrored_boxes_follow_their_pixels() -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:20, 30:35] = 255
    for mirroring in range(4):
        seen, box = calibrate._mirrored(pixels, (30.0, 10.0, 35.0, 20.0), mirroring)
        x0, y0, x1, y1 = (int(value) for value in box)
        assert (seen[y0:y1, x0:x1] == 255).all()
        assert int((seen == 255).sum()) == 150
    assert calibrate._mirrored(pixels, None, 3)[1] is None
