"""The training loop: order, budget, and going on after it was killed. Needs torch, which the base install lacks."""

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.errors import SettingsError, SourceError  # noqa: E402 - where torch is there
from bioscan_etl.evaluation.budget import PRODUCTS  # noqa: E402
from bioscan_etl.evaluation.networks.training import (  # noqa: E402
    Budget,
    Recipe,
    Shuffled,
    Trained,
    device_of,
    train,
)

pytestmark = pytest.mark.clients
CPU = torch.device("cpu")
RECIPE = Recipe(batch=4, rate=0.05, epochs=30)


class Killed(Exception):  # noqa: N818 - not an error of ours
    pass


def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))


def loss(network, kill_at=None):
    order = Shuffled(10, 4, seed=1)
    data = torch.linspace(0, 1, 30).reshape(10, 3)

    def of(step):
        if step == kill_at:
            raise Killed
        return ((network(data[torch.from_numpy(order.at(step))]) - 1) ** 2).mean()

    return of


def run(network, steps, kill_at=None, **more):
    return train(network, loss(network, kill_at), RECIPE, steps, epoch=2, batch=4, seed=7, device=CPU, **more)


def weights(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


def test_each_epoch_has_each_row_at_most_once_in_an_order_of_its_own():
    order = Shuffled(10, 4, seed=1)
    epochs = [np.concatenate([order.at(2 * epoch + part) for part in range(2)]) for epoch in range(5)]
    assert order.per_epoch == 2
    assert all(len({*epoch.tolist()}) == 8 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5
    np.testing.assert_array_equal(order.at(3), Shuffled(10, 4, seed=1).at(3))
    assert Shuffled(3, 4, seed=1).batch == 3


def test_the_same_seed_gives_the_same_weights():
    one, same = model(), model()
    first, _ = run(one, 9), run(same, 9)
    assert torch.equal(weights(one), weights(same))
    assert (first.steps, first.done, first.batch, first.device) == (9, 9, 4, "cpu")
    assert first.peak > 1e7
    assert math.isfinite(first.loss)


@pytest.mark.parametrize("killed", [1, 4, 8])
def test_a_killed_training_ends_in_the_same_weights(tmp_path, killed):
    whole = model()
    run(whole, 9)
    with pytest.raises(Killed):
        run(model(), 9, killed, checkpoint=tmp_path / "at.pt", every=0)
    resumed = model()
    torch.nn.init.zeros_(resumed[0].weight)  # what it starts with does not count
    trained = run(resumed, 9, checkpoint=tmp_path / "at.pt", every=0)
    assert trained.done == 9 - killed
    assert torch.equal(weights(whole), weights(resumed))
    again = model()
    assert run(again, 9, checkpoint=tmp_path / "at.pt").done == 0
    assert torch.equal(weights(whole), weights(again))
    assert [path.name for path in tmp_path.iterdir()] == ["at.pt"]


def test_a_budget_is_the_same_on_each_machine():
    step = PRODUCTS  # a second of one core
    assert Budget(minutes=1).planned(RECIPE, 10, step, "cpu") == 60
    assert Budget(minutes=1).planned(RECIPE, 10, step, "cuda") == 300  # all thirty epochs
    assert Budget(minutes=0).planned(RECIPE, 10, step, "cpu") == 20  # the least
    assert Budget(minutes=0).planned(replace(RECIPE, epochs=15), 1, step, "cpu") == 15
    assert Budget().planned(RECIPE, 10, step, "cpu") == 300
    assert Budget(minutes=1, steps=7).planned(RECIPE, 10, step, "cpu") == 7
    assert Budget(4, None).share(0.25) == Budget(1, None)
    assert Budget(None, 8).share(0.25) == Budget(None, 2)


def test_the_learning_rate_rises_and_falls():
    network, rates = model(), []
    inner = torch.optim.AdamW.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            torch.optim.AdamW,
            "step",
            lambda self, *a, **k: (rates.append(self.param_groups[0]["lr"]), inner(self, *a, **k))[1],
        )
        run(network, 50)
    assert rates[0] == pytest.approx(0.05 / 25)
    assert max(rates) == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0.05 / 25 * 1e-4)
    assert len(rates) == 50


def test_another_file_is_no_checkpoint_of_a_training(tmp_path):
    torch.save({"step": 3}, tmp_path / "at.pt")
    with pytest.raises(SourceError, match="it has no model: remove it"):
        run(model(), 9, checkpoint=tmp_path / "at.pt")


def test_after_each_epoch_and_at_the_end_the_caller_looks():
    network, seen = model(), []
    run(network, 5, after_epoch=lambda step: seen.append((step, network.training)))
    assert seen == [(2, False), (4, False), (5, False)]
    assert not network.training


def test_steps_and_speed_are_told():
    told = []
    trained = run(model(), 5, progress=lambda *report: told.append(report), label="here")
    assert told[-1] == ("here", 5, 5)
    assert trained.throughput == pytest.approx(20 / trained.seconds)
    assert Trained("x", 5, 4, 0, 0.0, math.nan, 1, "cpu").throughput == 0
    assert trained.line().startswith("here: 5 of 5 steps of 4, ")


def test_a_device_that_is_not_there_is_named():
    assert device_of("auto").type in ("cpu", "cuda")
    for name in ("cuda:99", "abacus"):
        with pytest.raises(SettingsError, match=name):
            device_of(name)
