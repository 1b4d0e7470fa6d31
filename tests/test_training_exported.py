"""Weights taken back from an export. Needs torch, which the base install lacks."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from training_corpus import annotated_corpus

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")
pytest.importorskip("ultralytics", reason="needs .venv-clients: ultralytics is not installed")

from bioscan_etl.training import compose, dataset, exported, refine, refiner, train  # noqa: E402 - where torch is there

pytestmark = pytest.mark.train
from bioscan_etl.images.detection import SHIPPED  # noqa: E402 isort: skip

PICTURE = torch.rand(4, 3, 96, 96, generator=torch.Generator().manual_seed(2))


def exports_answers(path: Path, picture: torch.Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: picture.numpy()})


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> compose.Material:
    return compose.load_material(*annotated_corpus(tmp_path_factory.mktemp("corpus")), 1024, parts=dataset.PARTS)


def test_the_shipped_second_network_comes_back_and_can_learn_on(material: compose.Material) -> None:
    path = SHIPPED / "refiner.onnx"
    weights = refine.starting_weights(path, "refiner", refine.Windows(material, 0, 96))
    network = refiner.Refiner()
    network.load_state_dict(weights)
    for wanted, got in zip(
        exports_answers(path, PICTURE[:1]), refiner.Answers(network, 96).eval()(PICTURE[:1]), strict=True
    ):
        assert np.allclose(wanted, got.detach().numpy(), atol=1e-3)
    # What it meets in training is what its normings say, so it answers in training much as it does otherwise, where a
    # network whose normings only add a bias forgets what it knew.
    samples = iter(refine.Windows(material, 5, 96))
    pictures = refine.collate([next(samples) for _ in range(64)])[0] / 255
    bare = refiner.Refiner()
    exported.take_over(bare, path, PICTURE[:1])
    with torch.no_grad():
        calm = network.eval()(pictures)
        learning, forgetting = (
            [float((one - other).abs().mean()) for one, other in zip(answers, calm, strict=True)]
            for answers in (network.train()(pictures), bare.train()(pictures))
        )
    for near, far in zip(learning, forgetting, strict=True):
        assert far > 4 * near


def test_the_shipped_first_network_comes_back() -> None:
    from ultralytics import YOLO

    path = SHIPPED / "coarse.onnx"
    network = YOLO(str(train.MODEL), task="detect").model
    picture = torch.rand(1, 3, 144, 192, generator=torch.Generator().manual_seed(2))
    exported.take_over(network, path, picture)
    with torch.no_grad():
        before = network(picture)[0]
        exported.renormed(network, [torch.rand(4, 3, 144, 192) for _ in range(3)])
        after = network(picture)[0]
    assert np.allclose(exports_answers(path, picture)[0], before.numpy(), atol=1e-2)
    assert np.allclose(before.numpy(), after.numpy(), atol=1e-2)


def test_other_files_are_no_export_of_a_network(tmp_path: Path) -> None:
    network = refiner.Refiner()
    with pytest.raises(SystemExit, match=r"coarse\.onnx has \d+ layers, this network \d+; it is no export of it"):
        exported.take_over(network, SHIPPED / "coarse.onnx", PICTURE[:1])
    with pytest.raises(SystemExit, match=r"layer of \(128, 64, 3, 3\) where this network has \(96, 64, 3, 3\)"):
        exported.take_over(refiner.Refiner(widths=(16, 32, 64, 96)), SHIPPED / "refiner.onnx", PICTURE[:1])
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(SystemExit, match="cannot be read as ONNX"):
        exported.take_over(network, tmp_path / "text.onnx", PICTURE[:1])
