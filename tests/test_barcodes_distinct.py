"""Distinct barcodes as numbers: ids, places, and groups that are the same over shared columns."""

from collections import Counter

import polars as pl
from framed_barcodes import drawn, noise
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.distinct import connected, numbered
from bioscan_etl.barcodes.identities import barcode_identities
from bioscan_etl.barcodes.placement import place
from bioscan_etl.schema import BARCODE_IDS, BARCODES, PLACEMENTS

A, B = drawn(2)
NONE = PLACEMENTS.empty().lazy()


def specimens(*barcodes: str | None) -> pl.LazyFrame:
    ids = [f"P{number:03d}" for number in range(len(barcodes))]
    return pl.LazyFrame({"processid": ids, "dna_barcode": barcodes}, schema_overrides={"dna_barcode": pl.String})


def test_each_distinct_barcode_has_a_number_and_each_specimen_that_of_its_barcode():
    barcodes, ids = numbered(specimens(B, A, None, f"NN{A}N", A.replace("C", "Y", 1)), NONE, 300)
    BARCODES.check(barcodes)
    BARCODE_IDS.check(ids)
    texts = barcodes["barcode"].to_list()
    assert texts == sorted(texts)
    assert barcodes["barcode_id"].to_list() == [0, 1, 2]
    assert barcodes["records"].to_list() == [{A: 2, B: 1}.get(text, 1) for text in texts]
    number = ids["barcode_id"].to_list()
    assert [texts[number[0]], texts[number[1]], number[2]] == [B, A, None]
    assert number[3] == number[1]
    assert texts[number[4]] == A.replace("C", "N", 1)


def test_a_fragment_is_in_the_group_of_its_barcode_and_noise_in_its_own():
    fragment, stranger = A[100:500], noise(1)[0]
    barcodes, _ = numbered(specimens(A, B, fragment, stranger), NONE, 300)
    group = dict(barcodes.select("barcode", "group").iter_rows())
    assert group[A] == group[fragment]
    assert len({group[A], group[B], group[stranger]}) == 3
    assert dict(barcodes.select("barcode", "doubt").iter_rows())[stranger] == "NOT_PLACED"


def test_shared_columns_below_the_setting_make_no_group():
    barcodes, _ = numbered(specimens(A, A[100:399]), NONE, 300)
    assert barcodes["group"].n_unique() == 2
    barcodes, _ = numbered(specimens(A, A[100:400]), NONE, 300)
    assert barcodes["group"].n_unique() == 1


def test_the_batches_placements_are_taken_and_missing_ones_made():
    marked = place(pl.Series("barcode", [A])).with_columns(weight=pl.lit(7, pl.Int32))
    barcodes, _ = numbered(specimens(A, B), pl.concat([marked, marked]).lazy(), 300)
    found = dict(barcodes.select("barcode", "weight").iter_rows())
    assert found[A] == 7
    assert found[B] == place(pl.Series("barcode", [B])).item(0, "weight")


SHORT = st.text("ACGTNnaR", min_size=1, max_size=4)


@given(st.lists(st.none() | SHORT, max_size=12), st.lists(st.lists(SHORT, max_size=4), max_size=3))
def test_numbers_are_those_of_a_plain_count(texts, batches):
    """Whether a barcode is a placement's, a placement's but for N at its ends, or none's."""
    lazy = specimens(*texts)
    known = [place(pl.Series("barcode", each, pl.String).unique()) for each in map(identities, batches)]
    barcodes, ids = numbered(lazy, pl.concat([NONE, *(each.lazy() for each in known)]), 300)
    wanted = [identities([text])[0] if text and identities([text]) else None for text in texts]
    counts = Counter(filter(None, wanted))
    assert barcodes["barcode"].to_list() == sorted(counts)
    assert barcodes["records"].to_list() == [counts[text] for text in sorted(counts)]
    numbers = {text: number for number, text in enumerate(sorted(counts))}
    assert ids["processid"].is_sorted()
    assert ids["barcode_id"].to_list() == [numbers.get(text) for text in wanted]


def identities(texts):
    return barcode_identities(pl.Series("barcode", texts, pl.String)).drop_nulls().to_list()


def test_no_specimens_are_empty_tables():
    barcodes, ids = numbered(specimens(), NONE, 300)
    assert barcodes.schema == BARCODES.schema()
    assert ids.schema == BARCODE_IDS.schema()


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_what_is_connected_has_one_number(pairs):
    import numpy as np

    label = connected(12, *np.array(pairs, np.int64).reshape(-1, 2).T)
    sets = [{number} for number in range(12)]
    for one, other in pairs:
        if sets[one] is not sets[other]:
            sets[one] |= sets[other]
            for number in sets[other]:
                sets[number] = sets[one]
    assert label.tolist() == [min(sets[number]) for number in range(12)]
