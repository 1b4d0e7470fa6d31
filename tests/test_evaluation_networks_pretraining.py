"""Masked pretraining: what is masked, the loss, and that it learns. Needs torch, which the base install lacks."""

import math

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.barcodes.tokens import MASK, SPECIAL, UNKNOWN  # noqa: E402
from bioscan_etl.demo.sequences import lineage_tree  # noqa: E402 - where torch is there
from bioscan_etl.evaluation.networks.encoder import begun  # noqa: E402
from bioscan_etl.evaluation.networks.pretraining import (  # noqa: E402
    RECIPES,
    embedded,
    masked,
    masked_accuracy,
    masked_loss,
    on,
    pretrain,
)
from bioscan_etl.evaluation.networks.sizes import SIZES, Size  # noqa: E402
from bioscan_etl.evaluation.networks.tokens import tokenised  # noqa: E402
from bioscan_etl.evaluation.networks.training import Budget, Recipe  # noqa: E402

pytestmark = pytest.mark.clients
CPU = torch.device("cpu")
SMALL = Size(k=3, layers=1, heads=2, width=8, inner=12, positions=220, dropout=0.0)


def drawn(species=60):
    """Barcodes along a tree: three orders, six families, twenty genera."""
    genus = np.arange(species) % 20
    tree = lineage_tree(np.random.default_rng(0), np.arange(6) % 3, np.arange(20) % 6, genus)
    return pl.Series([row.tobytes().decode() for row in tree])


def test_half_of_the_k_mers_are_masked_and_no_special_token():
    numbers = torch.full((200, 165), UNKNOWN)
    numbers[:, :100] = torch.arange(100) + SPECIAL
    torch.manual_seed(0)
    given, hidden = masked(numbers)
    assert not hidden[:, 100:].any()
    assert hidden[:, :100].float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert (given[hidden] == MASK).all()
    assert torch.equal(given[~hidden], numbers[~hidden])


def test_the_loss_is_that_of_all_k_mers_masked_or_not():
    model = begun(SMALL, 1).eval()
    numbers, attended = on(CPU, tokenised(pl.Series(["ACGTTGCATTGAN" * 20, "TTGACCA" * 30]), 3))
    torch.manual_seed(4)
    loss = masked_loss(model, numbers, attended).item()
    torch.manual_seed(4)
    given, _ = masked(numbers)
    with torch.inference_mode():
        logits = model(given, attended).double().numpy()
    losses = []
    for row, token in np.argwhere(numbers.numpy() >= SPECIAL):
        scores = logits[row, token]
        losses.append(math.log(np.exp(scores).sum()) - scores[numbers[row, token] - SPECIAL])
    assert len(losses) < attended.sum()  # some attended tokens have an N
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_barcodes_without_a_k_mer_have_no_loss_and_an_embedding():
    model = begun(SMALL, 1).eval()
    barcodes = pl.Series(["N" * 50, "AC"])
    assert masked_loss(model, *on(CPU, tokenised(barcodes, 3))).item() == 0
    assert np.isfinite(embedded(model.bert, barcodes, device=CPU).vectors).all()
    assert math.isnan(masked_accuracy(model, barcodes, seed=0, device=CPU))


def test_an_embedding_depends_on_the_barcode_alone():
    model, barcodes = begun(SMALL, 1), pl.Series(["ACGTTGCA" * 80, "TTGACC" * 60, "GATTACA" * 9])
    both = embedded(model.bert, barcodes, device=CPU)
    np.testing.assert_allclose(np.linalg.norm(both.vectors, axis=1), 1, rtol=1e-5)
    alone = embedded(model.bert, barcodes[2:], device=CPU)
    np.testing.assert_allclose(both.vectors[2], alone.vectors[0], atol=1e-6)
    some = embedded(model.bert, barcodes, device=CPU, wanted=np.array([2, 2, 0]))
    assert len(some) == 3
    assert some.vectors.shape == (2, SMALL.width)
    np.testing.assert_allclose(some.at(np.array([2, 0])), both.at(np.array([2, 0])), atol=1e-6)


def test_the_same_seed_gives_the_same_numbers_and_steps_lower_the_loss(tmp_path):
    barcodes = drawn(20)
    fixed = on(CPU, tokenised(barcodes, 3))

    def loss(model):
        torch.manual_seed(9)
        with torch.inference_mode():
            return masked_loss(model.eval(), *fixed).item()

    before = loss(begun(SMALL, 0))
    found = []
    for seed in (0, 0, 1):
        model = begun(SMALL, 0)
        trained = pretrain(model, barcodes, Recipe(8, 1e-2), Budget(steps=25), seed=seed, device=CPU)
        found.append(loss(model))
    assert trained.steps == 25
    assert found[0] == found[1] != found[2]
    assert max(found) < before - 0.1


@pytest.mark.slow
def test_masked_k_mers_of_other_species_are_named_well_above_chance():
    barcodes = drawn(200)
    model = begun(SIZES["tiny"], 0).eval()
    chance = masked_accuracy(model, barcodes[150:], seed=1, device=CPU)
    assert chance < 0.02
    pretrain(model, barcodes[:150], RECIPES["tiny"], Budget(steps=200), seed=0, device=CPU)
    assert masked_accuracy(model, barcodes[150:], seed=1, device=CPU) > 0.08
