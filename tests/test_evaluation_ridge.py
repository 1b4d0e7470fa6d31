"""The linear map between features: by hand, against a plain solution, and its controls."""

import numpy as np
import pytest

from bioscan_etl.evaluation import ridge
from bioscan_etl.evaluation.search import Stored


class Plain:
    """Vectors as they are."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = np.asarray(vectors, np.float32)

    def __len__(self) -> int:
        return len(self.vectors)

    def at(self, positions: np.ndarray) -> np.ndarray:
        return self.vectors[positions]


def pairs(n: int) -> ridge.Pairs:
    return ridge.Pairs(np.arange(n), np.arange(n))


def test_a_map_of_one_number_by_hand():
    # Variance of the inputs 1, covariance 2: the slope is 2 / (1 + penalty).
    inputs, outputs = Plain([[-1], [1]]), Plain([[3], [7]])
    half, whole = ridge.fit(inputs, outputs, pairs(2), (1.0, 0.0))
    assert half.weights.tolist() == [[1]]
    assert whole.weights.tolist() == [[2]]
    assert whole.output_mean.tolist() == [5]
    assert whole.of(np.float32([[2]])).tolist() == [[4]]
    assert ridge.error(inputs, outputs, pairs(2), whole) == 0
    assert ridge.error(inputs, outputs, pairs(2), half) == 1


def test_a_linear_relation_is_found_from_pairs_in_any_number_of_blocks(monkeypatch):
    draws = np.random.default_rng(0)
    x, relation = draws.normal(size=(500, 6)), draws.normal(size=(6, 3))
    inputs, outputs = Plain(x), Plain(x @ relation + 1)
    once = ridge.fit(inputs, outputs, pairs(500), (1e-6,))[0]
    monkeypatch.setattr(ridge, "_ROWS", 64)
    in_blocks = ridge.fit(inputs, outputs, pairs(500), (1e-6,))[0]
    assert once.weights == pytest.approx(relation, abs=1e-3)
    assert in_blocks.weights == pytest.approx(once.weights, abs=1e-6)


def test_shuffled_pairs_have_no_relation_to_find():
    draws = np.random.default_rng(0)
    x, relation = draws.normal(size=(400, 6)), draws.normal(size=(6, 3))
    inputs, outputs = Plain(x), Plain(x @ relation)
    found, mixed = (
        ridge.fit(inputs, outputs, taken, (0.03,))[0] for taken in (pairs(400), ridge.shuffled(pairs(400), 0))
    )
    assert ridge.error(inputs, outputs, pairs(400), found) < 0.1
    assert ridge.error(inputs, outputs, pairs(400), mixed) > 3
    assert np.array_equal(ridge.shuffled(pairs(9), 4).outputs, ridge.shuffled(pairs(9), 4).outputs)
    assert sorted(ridge.shuffled(pairs(9), 4).outputs) == list(range(9))


def test_inputs_that_do_not_vary_are_no_error():
    linear = ridge.fit(Plain([[1, 1], [1, 1]]), Plain([[0], [2]]), pairs(2))[0]
    assert linear.of(np.float32([[5, 5]])).tolist() == [[0]]


def test_without_pairs_there_is_no_error_to_compare():
    linear = ridge.fit(Plain([[-1], [1]]), Plain([[3], [7]]), pairs(2), (1.0,))[0]
    assert np.isnan(ridge.error(Plain([[0]]), Plain([[0]]), pairs(0), linear))


def test_mapped_and_centred_vectors_have_length_one():
    linear = ridge.LinearMap(np.array([[0.0, 3.0], [4.0, 0.0]]), np.zeros(2), np.array([1.0, 0.0]))
    source = Stored(np.float32([[1, 0], [0, 1]]))
    assert ridge.Mapped(source, linear).at(np.array([0, 1])).tolist() == [[0, 1], [1, 0]]
    assert ridge.Centred(source, linear.output_mean).at(np.array([0])).tolist() == [[0, 0]]
    assert len(ridge.Mapped(source, linear)) == len(ridge.Centred(source, linear.output_mean)) == 2


def test_a_random_map_depends_on_its_seed_only():
    inputs, outputs = Plain([[-1], [1]]), Plain([[3], [7]])
    fitted = ridge.fit(inputs, outputs, pairs(2))[0]
    one, other, third = (ridge.random_map(fitted, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.weights, other.weights)
    assert not np.array_equal(one.weights, third.weights)
