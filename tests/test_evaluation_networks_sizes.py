"""Sizes of the transformer by name."""

from dataclasses import replace

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.evaluation.networks.sizes import SIZES, Size, size_of


def test_published_names_are_k_layers_heads():
    for name, size in SIZES.items():
        assert size_of(name) is size
        assert size.width % size.heads == 0
        if name != "tiny":
            assert name == f"{size.k}-{size.layers}-{size.heads}"
            assert (size.width, size.inner, size.positions) == (768, 3072, 512)


def test_a_name_that_is_none_is_an_error_with_the_names():
    with pytest.raises(SettingsError, match="tiny, 4-4-4, 8-4-4, 4-12-12"):
        size_of("4-4")


def test_the_products_of_a_step_by_hand():
    size = Size(k=220, layers=2, heads=1, width=5, inner=7, positions=9)
    # Three tokens. A layer: four maps of 5 x 5, two of 5 x 7, and two products of each token with three others.
    layer = 4 * 25 + 2 * 35 + 2 * 3 * 5
    assert size.products(10) == 3 * 2 * (10 * 3) * 2 * layer
    assert replace(size, k=4).products(1, headed=True) - replace(size, k=4).products(1) == 3 * 2 * 165 * 5 * 256
