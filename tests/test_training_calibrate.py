"""The fit of the confidence and the choice of thresholds."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training_corpus import annotated_corpus

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")

from bioscan_etl.images.calibration import Calibration
from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.training import calibrate
from bioscan_etl.training.dataset import read_annotations


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
    features = np.stack([iou, picture < 20], axis=1) + rng.normal(0, 0.05, (60, 2))
    table = calibrate.Table(
        features=features,
        iou=iou,
        again=np.hstack([features, np.zeros((60, 1))]),
        iou_again=np.where(iou == 0.9, 0.95, iou),
        picture=picture,
        fold=picture % calibrate.FOLDS,
        occupied={number: number < 20 or number == 40 for number in range(41)},
        agreed={number: number != 7 for number in range(41)},
        blur=np.arange(60) == 41,
    )
    found, first, second = calibrate.judge(table)
    # Picture 7 has no agreed label: it counts for the presence alone.
    assert found.image.tolist() == [number // 4 for number in range(41) if number != 7]
    assert found.right.tolist() == [True] * 19 + [False] * 21
    assert found.occupied.tolist() == [True] * 19 + [False] * 20 + [True]
    assert found.presence[:19].min() > 0.5 > found.presence[19:39].max()
    assert (found.presence[39], found.confidence[39]) == (0, 0)
    assert np.flatnonzero(found.blur).tolist() == [20]  # of the picture 21, whose candidate is judged again
    for judged, number in ((first, 2), (second, 3)):
        assert [len(weights) for weights, _ in judged.scores.values()] == [number, number]
    doubtful = first.confidence < calibrate.APPEAL
    agreed = np.arange(41) != 7
    assert found.confidence == pytest.approx(np.where(doubtful, second.confidence, first.confidence)[agreed])


@pytest.mark.slow
def test_the_file_says_how_sure_the_thresholds_are_and_is_read_as_before(tmp_path: Path) -> None:
    images, annotations = annotated_corpus(tmp_path, 90)
    folder = tmp_path / "detector"
    folder.mkdir()
    for name in ("coarse.onnx", "refiner.onnx"):
        shutil.copy(SHIPPED / name, folder)
    before = json.loads((SHIPPED / "calibration.json").read_text()) | {"empty_confidence": 0.31, "min_confidence": 0.21}
    (tmp_path / "before.json").write_text(json.dumps(before))
    command = [sys.executable, "-m", "bioscan_etl.training.calibrate", images, annotations, folder]
    more = ["--before", tmp_path / "before.json", "--plot", tmp_path / "plot.png"]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Five occupied images: the thresholds of the detector before are kept, and that is said.
    assert "are too few to choose thresholds by, 50 occupied and 10 empty are needed: the thresholds" in done.stdout
    assert "empty_confidence 0.31 [" in done.stdout
    text = (folder / "calibration.json").read_text()
    thresholds = Calibration.parse(text, "calibration.json").thresholds
    assert (thresholds.empty, thresholds.sure) == (0.31, 0.21)
    chosen = json.loads(text)["chosen"]
    assert chosen["thresholds_kept"]
    assert sum(chosen["images"].values()) == len(read_annotations(annotations, "calibration"))
    assert (tmp_path / "plot.png").stat().st_size > 1000
    again = subprocess.run([*command, *more], capture_output=True, text=True, check=True)
    assert (again.stdout, (folder / "calibration.json").read_text()) == (done.stdout, text)
    (tmp_path / "before.json").write_text("{}")
    refused = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "before.json is no calibration" in refused.stderr.splitlines()[-1]
