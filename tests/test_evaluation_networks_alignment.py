"""Contrastive alignment: the loss by hand, and what it learns. Needs torch, which the base install lacks."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from evaluated_records import records
from framed_barcodes import drawn
from test_statistics_distances import changed

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.evaluation.networks import modalities  # noqa: E402 - where torch is there
from bioscan_etl.evaluation.networks.alignment import ON_CPU, PUBLISHED, Plan, align, alignment_loss  # noqa: E402
from bioscan_etl.evaluation.networks.encoder import begun  # noqa: E402
from bioscan_etl.evaluation.networks.sizes import Size  # noqa: E402
from bioscan_etl.evaluation.networks.training import Budget, Recipe  # noqa: E402
from bioscan_etl.evaluation.search import Stored, nearest  # noqa: E402

pytestmark = pytest.mark.clients
CPU = torch.device("cpu")
SMALL = Size(k=4, layers=1, heads=2, width=16, inner=32, positions=170, dropout=0.0)
QUICK = Plan(Recipe(batch=48, rate=5e-3, epochs=40), width=16, hidden=32)
SPECIES = 8


def specimens():
    """Eight species of one barcode root each, in train and test."""
    roots, draws = drawn(SPECIES), np.random.default_rng(0)
    rows = []
    for split, count in (("train", 12), ("test", 3)):
        for number in range(SPECIES * count):
            species = number % SPECIES
            places = (3 * draws.choice(219, 4, replace=False) + 3).tolist()
            rows.append(
                {
                    "split": split,
                    "order": f"Order{species % 2}",
                    "family": "F",
                    "genus": f"G{species % 4}",
                    "species": f"G{species % 4} s{species}",
                    "dna_barcode": changed(roots[species], *sorted(places)),
                }
            )
    return rows


@pytest.fixture(scope="module")
def release():
    return drawn_release()


def drawn_release():
    """Records, and images whose features follow the species in a space of their own."""
    rows = specimens()
    found = records(rows)
    draws = np.random.default_rng(1)
    points = draws.normal(size=(SPECIES, 24))
    features = points[np.arange(len(rows)) % SPECIES] + 0.3 * draws.normal(size=(len(rows), 24))
    pictures = modalities.images(Stored(features.astype(np.float32)), np.arange(len(rows)), 24, "drawn features")
    return found, pictures


def species_found(found, aligned, queried, offered):
    """The share of test that finds its species in train."""
    asked, keys = found.of(("test",)), found.of(("train",))
    which, _ = nearest(
        aligned.vectors[queried],
        aligned.of_row[queried][asked],
        aligned.of_row[offered][keys],
        1,
        keyed=aligned.vectors[offered],
    )
    labels = found.codes("species")
    return (labels[keys][which[:, 0]] == labels[asked]).mean()


def slow_loss(embedded, scale, groups):
    total = []
    for one, other in permutations(embedded, 2):
        for row, mine in enumerate(groups):
            scores = [scale * float(one[row] @ vector) for vector in other]
            norm = math.log(sum(math.exp(score) for score in scores))
            right = [score for score, group in zip(scores, groups, strict=True) if group == mine]
            total.append(-sum(score - norm for score in right) / len(right))
    return sum(total) / len(total)


@pytest.mark.parametrize("sides", [2, 3])
@pytest.mark.parametrize("groups", [[0, 1, 2, 3], [0, 1, 0, 0]])
def test_the_loss_is_that_of_a_slow_implementation(sides, groups):
    draws = np.random.default_rng(sides)
    embedded = [draws.normal(size=(4, 3)) for _ in range(sides)]
    embedded = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in embedded]
    loss = alignment_loss([torch.from_numpy(each) for each in embedded], torch.tensor(7.0), torch.tensor(groups))
    assert loss.item() == pytest.approx(slow_loss(embedded, 7.0, groups), rel=1e-5)


def test_the_loss_by_hand():
    """Two records whose sides agree, at a factor of 1: of e + 1, the right one has e."""
    same = torch.eye(2)
    loss = alignment_loss([same, same], torch.tensor(1.0), torch.arange(2))
    assert loss.item() == pytest.approx(math.log(math.e + 1) - 1)
    together = alignment_loss([same, same], torch.tensor(1.0), torch.zeros(2, dtype=torch.int64))
    assert together.item() == pytest.approx(math.log(math.e + 1) - 0.5)


def test_alignment_finds_species_across_modalities_and_shuffled_pairs_do_not(release):
    found, pictures = release
    both = [pictures, modalities.barcode_kmers(found)]
    made = {
        name: align(found, both, QUICK, budget, seed=0, device=CPU, shuffled=mixed)
        for name, budget, mixed in (
            ("start", Budget(steps=0), False),
            ("aligned", Budget(), False),
            ("shuffled", Budget(), True),
        )
    }
    rates = {name: species_found(found, one, "image", "dna") for name, one in made.items()}
    assert rates["aligned"] > 0.8
    assert max(rates["start"], rates["shuffled"]) < 0.5
    assert made["start"].trained is None
    assert made["aligned"].trained.steps == 2 * 40
    assert made["aligned"].pairs == 12 * SPECIES
    again = align(found, both, QUICK, Budget(), seed=0, device=CPU)
    for name in ("image", "dna"):
        np.testing.assert_array_equal(again.vectors[name].vectors, made["aligned"].vectors[name].vectors)
        np.testing.assert_allclose(np.linalg.norm(again.vectors[name].vectors, axis=1), 1, rtol=1e-5)


def test_three_modalities_and_records_of_one_label(release):
    found, pictures = release
    train = found.of(("train",))
    sides = [pictures, modalities.barcode_kmers(found), modalities.names(found, train)]
    aligned = align(found, sides, replace(QUICK, rank="species"), Budget(), seed=0, device=CPU)
    for queried, offered in (("image", "dna"), ("image", "text"), ("dna", "text")):
        assert species_found(found, aligned, queried, offered) > 0.8, (queried, offered)


def test_steps_lower_the_loss_on_a_fixed_batch(release):
    found, pictures = release
    every = replace(QUICK, recipe=replace(QUICK.recipe, batch=1000))  # all rows in each step
    both = [pictures, modalities.barcode_kmers(found)]
    losses = [align(found, both, every, Budget(steps=n), seed=0, device=CPU).trained.loss for n in (1, 30)]
    assert losses[1] < losses[0] / 2


def test_a_killed_alignment_goes_on(release, tmp_path):
    found, pictures = release
    both = [pictures, modalities.barcode_kmers(found)]
    whole = align(found, both, QUICK, Budget(steps=6), seed=0, device=CPU, checkpoints=tmp_path)
    resumed = align(found, both, QUICK, Budget(steps=6), seed=0, device=CPU, checkpoints=tmp_path)
    assert (whole.trained.done, resumed.trained.done) == (6, 0)
    np.testing.assert_array_equal(whole.vectors["dna"].vectors, resumed.vectors["dna"].vectors)
    mixed = align(found, both, QUICK, Budget(steps=6), seed=0, device=CPU, checkpoints=tmp_path, shuffled=True)
    assert mixed.trained.done == 6  # another training


def test_the_encoder_of_barcodes_is_trained_whole(release):
    found, pictures = release
    encoder = begun(SMALL, 0).bert.eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    both = [pictures, modalities.barcode_tokens(found, encoder, "tiny transformer")]
    every = replace(QUICK, recipe=Recipe(batch=1000, rate=5e-3))
    losses = [align(found, both, every, Budget(steps=n), seed=0, device=CPU).trained.loss for n in (1, 25)]
    assert losses[1] < losses[0]
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_plans_are_the_published_one_and_one_for_a_cpu():
    rates = PUBLISHED.recipe
    assert (rates.batch, rates.rate, rates.rate * rates.first, rates.epochs) == (500, 5e-5, pytest.approx(1e-6), 20)
    assert (PUBLISHED.width, PUBLISHED.hidden, PUBLISHED.rank) == (768, 0, None)
    assert ON_CPU.recipe.batch == 500
