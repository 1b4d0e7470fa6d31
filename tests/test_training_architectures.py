"""The networks by name: each takes its window and answers on its grid."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.demo.images import Studio  # noqa: E402 - where torch is there
from bioscan_etl.errors import SettingsError  # noqa: E402
from bioscan_etl.images.calibration import appeal_features  # noqa: E402
from bioscan_etl.images.detect import load_detector  # noqa: E402
from bioscan_etl.images.detection import SHIPPED  # noqa: E402
from bioscan_etl.settings import ImageSettings  # noqa: E402
from bioscan_etl.training.architectures import NETWORKS  # noqa: E402
from bioscan_etl.training.export import export_refiner  # noqa: E402
from bioscan_etl.training.refiner import Answers, grid_of  # noqa: E402

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_network_takes_its_window_and_answers_on_its_grid(name: str) -> None:
    architecture, side = NETWORKS[name]
    with torch.inference_mode():
        mask, box, spread, scores = Answers(architecture().eval(), side)(torch.rand(2, 3, side, side))
    grid = grid_of(side)
    assert [tuple(part.shape) for part in (mask, box, spread, scores)] == [(2, grid, grid), (2, 4), (2, 4), (2, 2)]


def test_a_detector_asks_its_expert_about_doubtful_images_alone(tmp_path: Path) -> None:
    """An untrained expert: what it says is nonsense, and it is what is reported."""
    home = tmp_path / "own"
    shutil.copytree(SHIPPED, home)
    torch.manual_seed(1)
    torch.save(NETWORKS["expert"][0]().state_dict(), tmp_path / "expert.pt")
    export_refiner(tmp_path / "expert.pt", "expert", home / "expert.onnx")
    values = json.loads((home / "calibration.json").read_text())
    weights = dict.fromkeys(appeal_features(expert=True), 0.0)
    scores = {"confidence": {"weights": weights, "offset": 1.0}, "presence": {"weights": weights, "offset": 4.0}}
    picture = Studio(5, 1).render(np.random.default_rng(0), "")
    pixels = np.ascontiguousarray(picture.pixels[..., ::-1])
    found = {}
    for below in (0.0, 1.1):
        text = json.dumps(values | {"appeal": {"below": below} | scores})
        (home / "calibration.json").write_text(text)
        found[below] = load_detector(ImageSettings(detector=str(home)))
    without = load_detector(ImageSettings()).detect(pixels)
    assert found[0.0].detect(pixels).box == without.box
    asked = found[1.1].detect(pixels)
    assert asked.confidence == pytest.approx(1 / (1 + np.exp(-1)))
    look, features = found[1.1].appeal(pixels, None, found[1.1].look(pixels)[0])
    assert asked.box == look.box != without.box
    assert tuple(features) == appeal_features(expert=True)
    assert look.mask.shape == (64, 64)
    (home / "expert.onnx").unlink()
    with pytest.raises(SettingsError, match=r"expert\.onnx"):
        load_detector(ImageSettings(detector=str(home)))
