"""Classifiers on embeddings and on barcodes. Needs torch, which the base install lacks."""

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.evaluation.networks.classify import Examples, fine_tuned, probed  # noqa: E402 - where torch is there
from bioscan_etl.evaluation.networks.encoder import begun  # noqa: E402
from bioscan_etl.evaluation.networks.pretraining import embedded  # noqa: E402
from bioscan_etl.evaluation.networks.sizes import Size  # noqa: E402
from bioscan_etl.evaluation.networks.training import Budget, Recipe  # noqa: E402
from bioscan_etl.evaluation.search import Stored  # noqa: E402

pytestmark = pytest.mark.clients
CPU = torch.device("cpu")
SMALL = Size(k=3, layers=1, heads=2, width=16, inner=32, positions=220, dropout=0.0)


def clouds():
    """Vectors of three classes around three points, far from zero; ten of each, the last two for the choice."""
    draws = np.random.default_rng(0)
    points = draws.normal(size=(3, 6))
    vectors = (5 + points[np.arange(30) % 3] + 0.05 * draws.normal(size=(30, 6))).astype(np.float32)
    positions = np.arange(30)
    return Stored(vectors), Examples(positions[:24], positions[:24] % 3, positions[24:], positions[24:] % 3)


def test_a_probe_tells_classes_apart_and_shuffled_ones_not():
    vectors, examples = clouds()
    fitted = probed(vectors, examples, seed=0, device=CPU)
    np.testing.assert_array_equal(fitted.answers(np.arange(30)), np.arange(30) % 3)
    mixed = examples.shuffled(1)
    assert sorted(mixed.classes) == sorted(examples.classes)
    assert (mixed.classes != examples.classes).any()
    control = probed(vectors, mixed, seed=0, device=CPU)
    assert (control.answers(np.arange(24, 30)) == np.arange(24, 30) % 3).mean() < 1


def test_the_epoch_with_most_right_answers_on_val_is_kept():
    vectors, examples = clouds()
    # Whoever learns longest is wrong on these: their classes are exchanged.
    turned = Examples(examples.barcodes, examples.classes, examples.chosen_by, (examples.their_classes + 1) % 3)
    recipe = Recipe(batch=24, rate=1e-2, epochs=20)
    kept = probed(vectors, turned, seed=0, device=CPU, recipe=recipe)
    right = probed(vectors, examples, seed=0, device=CPU, recipe=recipe)
    assert right.chosen_at == right.trained.steps == 20
    rates = [(fitted.answers(turned.chosen_by) == turned.their_classes).mean() for fitted in (kept, right)]
    assert rates[0] >= rates[1]
    # Without a val, the last one.
    none = Examples(examples.barcodes, examples.classes, examples.chosen_by[:0], examples.their_classes[:0])
    assert probed(vectors, none, seed=0, device=CPU, recipe=recipe).chosen_at == 20


def test_fine_tuning_starts_as_the_probe_lowers_the_loss_and_leaves_the_encoder_alone():
    draws = np.random.default_rng(1)
    roots = ["".join(draws.choice(list("ACGT"), 120)) for _ in range(3)]
    barcodes = pl.Series([roots[number % 3][:100] + "ACGT" * 5 for number in range(12)])
    examples = Examples(np.arange(9), np.arange(9) % 3, np.arange(9, 12), np.arange(9, 12) % 3)
    encoder = begun(SMALL, 0).bert.eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    vectors = embedded(encoder, barcodes, device=CPU)
    # Of a probe that has learnt little, so that there is something left to learn.
    probe = probed(vectors, examples, seed=0, device=CPU, recipe=Recipe(9, 1e-3, epochs=1))
    losses = []
    for steps in (1, 40):
        fitted = fine_tuned(
            encoder, barcodes, examples, probe, Recipe(9, 1e-2), Budget(steps=steps), seed=0, device=CPU
        )
        losses.append(fitted.trained.loss)
    with torch.inference_mode():
        start = torch.nn.functional.cross_entropy(
            probe.model(torch.from_numpy(vectors.at(np.arange(9)))), torch.arange(9) % 3
        )
    assert losses[0] == pytest.approx(start.item(), rel=1e-4)
    assert losses[1] < losses[0] / 2
    np.testing.assert_array_equal(fitted.answers(np.arange(12)), np.arange(12) % 3)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    again = fine_tuned(encoder, barcodes, examples, probe, Recipe(9, 1e-2), Budget(steps=40), seed=0, device=CPU)
    assert again.trained.loss == losses[1]
