"""The networks by name: each takes its window and answers on its grid."""

import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.training.architectures import NETWORKS  # noqa: E402 - where torch is there
from bioscan_etl.training.refiner import Answers, grid_of  # noqa: E402

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_network_takes_its_window_and_answers_on_its_grid(name: str) -> None:
    architecture, side = NETWORKS[name]
    with torch.inference_mode():
        mask, box, spread, scores = Answers(architecture().eval(), side)(torch.rand(2, 3, side, side))
    grid = grid_of(side)
    assert [tuple(part.shape) for part in (mask, box, spread, scores)] == [(2, grid, grid), (2, 4), (2, 4), (2, 2)]
