import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from bioscan_etl.splits.near_duplicates import near_duplicates, near_pairs
from bioscan_etl.vocabulary import LEAKAGE_PAIRS


def found(known, evaluated):
    batches = list(near_pairs(pl.Series(known, dtype=pl.String), pl.Series(evaluated, dtype=pl.String)))
    return [row for batch in batches for row in batch.select("known", "evaluated", "edits").iter_rows()]


def brute_force(known, evaluated):
    return [
        (i, j, Levenshtein.distance(a, b))
        for j, b in enumerate(evaluated)
        for i, a in enumerate(known)
        if Levenshtein.distance(a, b) <= 2
    ]


SHORT = st.lists(st.text("AC", max_size=9), max_size=12, unique=True)


@settings(max_examples=examples(80), deadline=None)
@given(SHORT, SHORT)
def test_short_barcodes_are_compared_as_by_brute_force(known, evaluated):
    assert found(known, evaluated) == brute_force(known, evaluated)


EDIT = st.tuples(st.sampled_from("ids"), st.integers(0, 60), st.sampled_from("ACGT"))


@settings(max_examples=examples(80), deadline=None)
@given(st.text("ACGT", min_size=20, max_size=60), st.lists(st.lists(EDIT, max_size=4), min_size=1, max_size=6))
def test_edited_barcodes_are_found_wherever_the_edits_lie(origin, edits):
    copies = []
    for changes in edits:
        text = origin
        for kind, where, base in changes:
            at = where % (len(text) + 1)
            text = text[:at] + ("" if kind == "d" else base) + text[at + (kind != "i") :]
        copies.append(text)
    known, evaluated = sorted({origin, *copies[::2]}), sorted(set(copies))
    assert found(known, evaluated) == brute_force(known, evaluated)


@pytest.mark.parametrize(
    ("first", "second"),
    [("", ""), ("", "AC"), ("A", "AC"), ("ACGT", "ACGTNN"), ("CATCATCAT", "ATCATCATG"), ("AACCGG", "CAACCGGA")],
)
def test_edges(first, second):
    assert found([first], [second]) == [(0, 0, Levenshtein.distance(first, second))]
    assert found([second], [first]) == [(0, 0, Levenshtein.distance(first, second))]


def test_many_batches_keep_their_positions():
    evaluated = [f"{'ACGT' * 10}{number:05}" for number in range(4500)]
    pairs = found([evaluated[4321]], evaluated)
    assert (0, 4321, 0) in pairs
    assert pairs == brute_force([evaluated[4321]], evaluated)


def test_counts_per_pair_of_partitions():
    base = "ACGTACGTTGCATGCAACCGGTTA"
    rows = [
        ("train", base),
        ("train", base),
        ("train", f"T{base[1:]}"),
        ("test", f"{base[:-1]}C"),
        ("test", f"{base[:-1]}C"),
        ("test", base[::-1]),
        ("key_unseen", base[::-1]),
        ("test_unseen", f"{base[::-1]}GG"),
        ("test_unseen", None),
        ("pretrain", base),
    ]
    frame = pl.DataFrame(rows, schema=["split", "dna_barcode"], orient="row").with_columns(
        processid=pl.format("P{}-20", pl.int_range(pl.len()))
    )
    table = near_duplicates(frame.drop("split"), frame.select("processid", "split"))
    assert list(table.select("known", "evaluated").iter_rows()) == list(LEAKAGE_PAIRS)
    numbers = {row[:2]: row[2:] for row in table.iter_rows()}
    assert numbers["train", "test"] == (2, 1, 2)
    assert numbers["train", "test_unseen"] == (1, 0, 0)
    assert numbers["key_unseen", "test_unseen"] == (1, 1, 1)
    assert numbers["train", "val"] == (0, 0, 0)
