"""Queries that fit a budget."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.evaluation.budget import PRODUCTS, Budget, search_seconds


@given(st.integers(0, 50), st.floats(0.1, 100), st.integers(0, 3))
def test_as_many_queries_as_fit_are_drawn_by_the_seed(count, seconds, seed):
    queries = np.arange(count) * 3
    budget = Budget(seconds, seed)
    drawn = budget.drawn(queries, 1.0)
    assert len(drawn) == min(count, max(int(seconds), 1))
    assert np.isin(drawn, queries).all()
    assert (np.diff(drawn) > 0).all()
    assert drawn.tolist() == budget.drawn(queries, 1.0).tolist()


def test_another_seed_draws_others():
    queries = np.arange(1000)
    assert Budget(10, 1).drawn(queries, 1.0).tolist() != Budget(10, 2).drawn(queries, 1.0).tolist()


def test_parts_share_the_time():
    assert Budget(60, 7).part(3) == Budget(20, 7)
    assert Budget(60).part(0) == Budget(60)
    assert Budget(60).fits(60)
    assert not Budget(60).fits(61)


def test_a_search_takes_two_operations_for_each_number_of_each_pair():
    assert search_seconds(10, int(PRODUCTS), 5) == 100
