"""Completeness against formulas worked out by hand, and against drawing at random."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.definitions import COMPLETENESS_TABLE, RAREFACTION_TABLE


def rows(sizes, order="Diptera"):
    """Specimens of species of these sizes; each with its own barcode."""
    species = [f"G s{number}" for number, size in enumerate(sizes) for _ in range(size)]
    return pl.DataFrame(
        {
            "order": pl.Series([order] * len(species), dtype=pl.String),
            "species": pl.Series(species, dtype=pl.String),
            "dna_bin": pl.Series([None] * len(species), dtype=pl.String),
            "barcode_id": pl.Series(range(len(species)), dtype=pl.UInt32),
        }
    )


def species(sizes):
    table = completeness(rows(sizes))["completeness"]
    return table.row(by_predicate=(pl.col("unit") == "species") & pl.col("order").is_null(), named=True)


def test_estimates_worked_out_by_hand():
    # 10 specimens: three species once, two twice, one three times.
    row = species([1, 1, 1, 2, 2, 3])
    assert {name: row[name] for name in ("samples", "observed", "once", "twice")} == {
        "samples": 10, "observed": 6, "once": 3, "twice": 2
    }  # fmt: skip
    assert row["chao1"] == pytest.approx(6 + 9 / 10 * 3 * 2 / (2 * 3))
    assert row["coverage"] == pytest.approx(1 - 3 / 10 * (9 * 3) / (9 * 3 + 2 * 2))


@pytest.mark.parametrize(
    ("sizes", "chao1", "coverage"),
    [
        ([5, 5, 2], 3, 1),  # nothing is rare
        ([1, 1, 1], 3 + 2 / 3 * 3 * 2 / 2, None),  # nothing is known of a population in which all is rare
        ([1, 1, 4], 3 + 5 / 6 * 2 * 1 / 2, 1 - 2 / 6 * (5 * 1) / (5 * 1 + 2)),  # no species twice
        ([1], 1, None),
    ],
)
def test_estimates_where_a_formula_has_no_value(sizes, chao1, coverage):
    row = species(sizes)
    assert row["chao1"] == pytest.approx(chao1)
    assert row["coverage"] == (None if coverage is None else pytest.approx(coverage))


def test_orders_and_what_has_no_order():
    table = completeness(pl.concat([rows([2, 1]), rows([1], order=None), rows([3], order="Acari")]))["completeness"]
    found = table.filter(pl.col("unit") == "species").select("order", "samples", "observed").rows()
    assert found == [(None, 7, 2), ("Acari", 3, 1), ("Diptera", 3, 2)]
    assert table["unit"].unique().to_list().count("dna_bin") == 0


def test_nothing_to_estimate():
    tables = completeness(rows([]))
    assert tables["completeness"].schema == COMPLETENESS_TABLE.schema()
    assert tables["rarefaction"].schema == RAREFACTION_TABLE.schema()
    assert tables["completeness"].is_empty()
    assert tables["rarefaction"].is_empty()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_rarefaction_is_the_mean_of_all_draws(sizes):
    total = sum(sizes)
    curve = completeness(rows(sizes))["rarefaction"].filter(pl.col("unit") == "species")
    assert curve["samples"][-1] == total
    for drawn, expected in curve.select("samples", "expected").iter_rows():
        missed = sum(math.comb(total - size, drawn) / math.comb(total, drawn) for size in sizes)
        assert expected == pytest.approx(len(sizes) - missed)


def test_estimates_come_near_the_truth():
    """Of 300 species, of which some are rare, a sample sees a part. Chao1 is a lower bound; coverage is unbiased."""
    rng = np.random.default_rng(0)
    estimated, true = [], []
    for _ in range(20):
        weight = rng.lognormal(0, 1, 300)
        sizes = np.bincount(rng.choice(300, 800, p=weight / weight.sum()), minlength=300)
        row = species(sizes[sizes > 0].tolist())
        assert row["observed"] + 10 < row["chao1"] < 320
        estimated.append(row["coverage"])
        true.append(weight[sizes > 0].sum() / weight.sum())
    assert np.mean(estimated) == pytest.approx(np.mean(true), abs=0.01)
