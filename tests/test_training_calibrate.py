"""The fit of the confidence and the choice of thresholds."""

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")

from bioscan_etl.training import calibrate


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
    # Twenty occupied pictures with a good box and a bad one, twenty empty ones with a bad one, and one without any.
    rng = np.random.default_rng(3)
    picture = np.concatenate([np.repeat(np.arange(20), 2), np.arange(20, 40)])
    iou = np.concatenate([np.tile([0.9, 0.1], 20), np.zeros(20)])
    table = calibrate.Table(
        features=np.stack([iou, picture < 20], axis=1) + rng.normal(0, 0.05, (60, 2)),
        iou=iou,
        picture=picture,
        fold=picture % calibrate.FOLDS,
        occupied={number: number < 20 or number == 40 for number in range(41)},
    )
    found = calibrate.judge(table)
    assert found.best.tolist() == [*range(0, 40, 2), *range(40, 60), -1]
    assert found.right.tolist() == [True] * 20 + [False] * 21
    assert found.occupied.tolist() == [True] * 20 + [False] * 20 + [True]
    assert found.presence[:20].min() > 0.5 > found.presence[20:40].max()
    assert (found.presence[40], found.confidence[40]) == (0, 0)


def test_thresholds_part_what_can_be_parted() -> None:
    presence = np.repeat([0.05, 0.15, 0.5, 0.9], [30, 10, 20, 60])
    occupied = np.array([False] * 40 + [True] * 80)
    right = np.array([False] * 40 + [False] * 6 + [True] * 74)
    confidence = np.where(right, 0.6, 0.3)
    pictures = calibrate.Pictures(occupied, np.zeros(120, np.int64), confidence, presence, right)
    empty, sure = calibrate.choose(pictures)
    assert 0.15 < empty <= 0.5
    assert (presence[occupied] < empty).mean() <= calibrate.OCCUPIED_MISSED
    # Six of the eighty that are not reported empty are wrong: more than nine of ten are right already.
    assert sure == calibrate.STEPS[0]
    harder = calibrate.Pictures(occupied, pictures.best, confidence, presence, np.arange(120) >= 65)
    harder.confidence[65:] = 0.6
    harder.confidence[:65] = 0.3
    assert 0.3 < calibrate.choose(harder)[1] <= 0.6
    never = calibrate.Pictures(occupied, pictures.best, confidence, presence, np.zeros(120, np.bool_))
    assert calibrate.choose(never)[1] == calibrate.STEPS[-1]


def test_mirrored_boxes_follow_their_pixels() -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:20, 30:35] = 255
    for mirroring in range(4):
        seen, box = calibrate._mirrored(pixels, (30.0, 10.0, 35.0, 20.0), mirroring)
        x0, y0, x1, y1 = (int(value) for value in box)
        assert (seen[y0:y1, x0:x1] == 255).all()
        assert int((seen == 255).sum()) == 150
    assert calibrate._mirrored(pixels, None, 3)[1] is None
