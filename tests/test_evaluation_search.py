"""Exact search in blocks, against a comparison of all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.evaluation import search
from bioscan_etl.evaluation.search import Held, Stored, nearest, normalised


def slowly(vectors, queries, keys, k, apart=None):
    found = vectors[queries] @ vectors[keys].T
    if apart is not None:
        found[apart] = -np.inf
    order = np.argsort(-found, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(found, order, axis=1)
    wide = np.full((len(queries), k), -1)
    wide[:, : order.shape[1]] = np.where(np.isinf(values), -1, order)
    return wide


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 6), st.integers(0, 3))
@settings(deadline=None)
def test_the_nearest_are_those_of_all_pairs_in_any_block(queries, keys, k, seed):
    rng = np.random.default_rng(seed)
    # Few different vectors of whole numbers: many keys are as near as each other, and products are exact.
    vectors = rng.integers(0, 3, (50, 2)).astype(np.float32)
    asked, held = rng.integers(0, 50, queries), rng.integers(0, 50, keys)

    class Plain:
        def __len__(self):
            return len(vectors)

        def at(self, positions):
            return vectors[positions]

    apart = rng.random((queries, keys)) < 0.2
    blocks = (search._QUERIES, search._KEYS)
    search._QUERIES, search._KEYS = 7, 11
    try:
        seen = {"q": 0}
        plain, _ = nearest(Plain(), asked, held, k)
    finally:
        search._QUERIES, search._KEYS = blocks
    assert seen
    assert plain.tolist() == slowly(vectors, asked, held, k).tolist()
    one, similar = nearest(Plain(), asked, held, k, apart=lambda q, h: apart[: len(q), : len(h)])
    assert one.tolist() == slowly(vectors, asked, held, k, apart).tolist()
    assert np.isneginf(similar[one < 0]).all()


def test_keys_may_be_other_vectors():
    found, similar = nearest(
        Stored(np.eye(3, dtype=np.float32)), np.arange(3), np.arange(2), 1, keyed=Stored(np.eye(3)[[2, 0]])
    )
    assert found[:, 0].tolist() == [1, 0, 0]
    assert similar[:, 0].tolist() == [1, 0, 1]


def test_vectors_are_of_length_1_or_zero():
    assert normalised(np.array([[3, 4], [0, 0]])).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_queries_are_reported():
    reports = []
    nearest(
        Stored(np.eye(4)),
        np.arange(4),
        np.arange(4),
        2,
        progress=lambda *report: reports.append(report),
        label="asking",
    )
    assert reports == [("asking", 4, 4)]


def test_some_of_many_things_have_vectors():
    held = Held(np.array([4, 1]), np.array([[0, 2], [3, 4]], np.float32), 6)
    assert len(held) == 6
    np.testing.assert_allclose(held.at(np.array([1, 4, 1])), [[0.6, 0.8], [0, 1], [0.6, 0.8]], rtol=1e-6)
    which, _ = nearest(held, np.array([1]), np.array([4, 1]), 2)
    assert which.tolist() == [[1, 0]]
