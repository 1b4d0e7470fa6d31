"""The fit of the classical baseline."""

import json
import sys

import numpy as np
import pytest
from training_corpus import annotated_corpus

from bioscan_etl.images.segmentation import FEATURES
from bioscan_etl.training import fit_baseline


def test_the_model_is_the_file_that_the_detector_reads():
    assert json.loads(fit_baseline.MODEL.read_text())["features"] == list(FEATURES)


def test_a_fit_finds_the_weights_that_made_the_data():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (20_000, 2))
    targets = 1 / (1 + np.exp(-(values @ [1.0, -2.0] + 0.5)))
    assert fit_baseline.fit(values, targets, np.ones(len(values))) == pytest.approx([1, -2, 0.5], abs=0.1)


def test_the_script_fits_to_annotated_images(tmp_path, monkeypatch, capsys):
    images, annotations = annotated_corpus(tmp_path, 6)
    target = tmp_path / "model.json"
    monkeypatch.setattr(sys, "argv", ["fit_baseline", str(images), str(annotations), "--all", "--output", str(target)])
    fit_baseline.main()
    model = json.loads(target.read_text())
    assert model["fitted_by"] == "bioscan_etl.training.fit_baseline"
    assert (model["images"], model["features"]) == (6, list(FEATURES))
    assert len(model["weights"]) > len(FEATURES)
    assert np.isfinite(model["weights"]).all()
    assert f"6 images, {model['candidates']} candidates" in capsys.readouterr().out
