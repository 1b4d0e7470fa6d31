"""Logistic regression, against its definition."""

import numpy as np
import pytest

from bioscan_etl.evaluation import logistic
from bioscan_etl.evaluation.logistic import PENALTY, Linear, fit, seconds
from bioscan_etl.evaluation.search import normalised


def clouds(rows=300, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    labels[:classes] = np.arange(classes)
    return normalised(rng.normal(size=(classes, 8))[labels] + rng.normal(scale=0.6, size=(rows, 8))), labels


def loss(model, vectors, labels):
    """The mean cross-entropy plus the penalty, written out row by row."""
    total = 0.0
    for vector, label in zip(vectors, labels, strict=True):
        scores = logistic._SCALE * (vector @ model.weights[:-1]) + model.weights[-1]
        scores = scores.astype(np.float64)
        total += np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[label]
    return total / len(labels) + PENALTY * float((model.weights[:-1].astype(np.float64) ** 2).sum())


def test_it_tells_classes_apart_and_its_weights_are_a_minimum():
    vectors, labels = clouds()
    model = fit(vectors, labels)
    assert (model.answers(vectors) == labels).mean() > 0.9
    best = loss(model, vectors, labels)
    rng = np.random.default_rng(1)
    for _ in range(5):
        moved = Linear((model.weights + rng.normal(scale=0.02, size=model.weights.shape)).astype(np.float32))
        assert loss(moved, vectors, labels) > best - 1e-4
    assert best < loss(Linear(np.zeros_like(model.weights)), vectors, labels) == pytest.approx(np.log(4), rel=1e-4)


def test_blocks_of_rows_change_little_and_the_same_input_nothing(monkeypatch):
    vectors, labels = clouds()
    whole = fit(vectors, labels)
    assert np.array_equal(fit(vectors, labels).weights, whole.weights)
    monkeypatch.setattr(logistic, "_ROWS", 50)
    assert (fit(vectors, labels).answers(vectors) == whole.answers(vectors)).mean() > 0.99


def test_shuffled_labels_teach_nothing_of_other_rows():
    vectors, labels = clouds(600)
    mixed = np.random.default_rng(2).permutation(labels[:300])
    assert (fit(vectors[:300], mixed).answers(vectors[300:]) == labels[300:]).mean() < 0.45


def test_one_class_and_no_rows():
    vectors, _ = clouds()
    model = fit(vectors, np.zeros(len(vectors), np.int64))
    assert not model.answers(vectors).any()
    assert model.answers(vectors[:0]).tolist() == []


def test_the_estimate_grows_with_rows_and_classes():
    assert seconds(2000, 100, 256) > seconds(1000, 100, 256) > seconds(1000, 10, 256) > 0
