import polars as pl
import pytest
from examples import examples
from framed_barcodes import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein
from test_statistics_distances import changed

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.schema import PLACEMENTS
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
    numbers = counted(rows)
    assert numbers["train", "test"] == (2, 1, 2)
    assert numbers["train", "test_unseen"] == (1, 0, 0)
    assert numbers["key_unseen", "test_unseen"] == (1, 1, 1)
    assert numbers["train", "val"] == (0, 0, 0)


def counted(rows):
    """Barcodes, near ones and pairs by pair of partitions, of specimens given as (partition, barcode)."""
    frame = pl.DataFrame(rows, schema=["split", "dna_barcode"], orient="row").with_columns(
        processid=pl.format("P{}-20", pl.int_range(pl.len()))
    )
    barcodes, ids = numbered(frame.lazy(), PLACEMENTS.empty().lazy(), 300)
    table = near_duplicates(barcodes, ids, frame.select("processid", "split"), 300)
    assert list(table.select("known", "evaluated").iter_rows()) == list(LEAKAGE_PAIRS)
    return {row[:2]: row[2:] for row in table.iter_rows()}


def test_missing_ends_are_no_difference():
    one, other = drawn(2)
    near, far = changed(one, 300, 303), changed(one, 300, 303, 306)
    assert counted([("train", one), ("test", one[60:500])])["train", "test"] == (1, 1, 1)
    assert counted([("train", one), ("test", near[60:500])])["train", "test"] == (1, 1, 1)
    assert counted([("train", one), ("test", far[60:500])])["train", "test"] == (1, 0, 0)
    assert counted([("train", one), ("test", one[:250])])["train", "test"] == (1, 0, 0), "too few columns are shared"
    assert counted([("train", one), ("train", other), ("test", near)])["train", "test"] == (1, 1, 1)


def test_a_pair_that_both_ways_find_counts_once():
    [one] = drawn(1)
    assert counted([("train", one), ("train", one[1:]), ("test", changed(one, 300))])["train", "test"] == (1, 1, 2)


def test_a_lost_base_puts_the_place_in_doubt_and_is_found_by_edits():
    [one] = drawn(1)
    assert counted([("train", one), ("test", one[:200] + one[201:])])["train", "test"] == (1, 1, 1)
