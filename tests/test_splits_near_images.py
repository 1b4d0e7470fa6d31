"""Near-duplicate images across partitions, against a comparison of all pairs."""

import numpy as np
import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import InvariantError
from bioscan_etl.splits.near_images import near_images
from bioscan_etl.vocabulary import LEAKAGE_PAIRS

SPLITS = sorted({name for pair in LEAKAGE_PAIRS for name in pair} | {"pretrain"})
SCHEMA = {"processid": pl.String, "split": pl.String, "sha256": pl.String, "dhash": pl.UInt64}


def count(rows, bits):
    """Rows of split, sha256, dhash."""
    frame = pl.DataFrame([(f"P{n}", *row) for n, row in enumerate(rows)], schema=SCHEMA, orient="row")
    return near_images(frame.drop("split").reverse(), frame.select("processid", "split"), bits)


def expected(rows, bits):
    result = []
    for known, evaluated in LEAKAGE_PAIRS:
        there = [row for row in rows if row[0] == known and row[2] is not None]
        here = [row for row in rows if row[0] == evaluated and row[2] is not None]
        near = sum(any((row[2] ^ other[2]).bit_count() <= bits for other in there) for row in here)
        same = sum(row[1] is not None and row[1] in {other[1] for other in there} for row in here)
        result.append((known, evaluated, len(here), near, same))
    return result


@st.composite
def images(draw):
    """Images whose hashes differ from a few ancestors in up to 8 bits."""
    rows = []
    for _ in range(draw(st.integers(0, 25))):
        hash_ = draw(st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]))
        for bit in draw(st.lists(st.integers(0, 63), max_size=8)):
            hash_ ^= 1 << bit
        kept = draw(st.one_of(st.none(), st.just(hash_))) if draw(st.integers(0, 9)) == 0 else hash_
        rows.append((draw(st.sampled_from(SPLITS)), draw(st.sampled_from([None, "a", "b", "c"])), kept))
    return rows


@settings(max_examples=examples(40))
@given(images(), st.integers(0, 16))
def test_they_are_those_of_all_pairs(rows, bits):
    assert count(rows, bits).rows() == expected(rows, bits)


def test_a_crowd_of_equal_images_is_counted_in_full():
    """Thousands of images of one hash: each evaluated one counts once."""
    rows = [("train", str(n), 7) for n in range(3000)] + [("test", f"t{n}", 6) for n in range(2000)]
    found = count(rows, 4).filter(pl.col("evaluated") == "test", pl.col("known") == "train")
    assert found.rows() == [("train", "test", 2000, 2000, 0)]


def test_at_the_size_of_a_release_nothing_is_missed():
    """Planted near duplicates among random hashes all come back, and no other."""
    r = np.random.default_rng(3)
    train = r.integers(0, 2**64, 40_000, dtype=np.uint64)
    test = r.integers(0, 2**64, 5_000, dtype=np.uint64)
    for n in range(700):
        bits = r.choice(64, n % 5, replace=False)
        test[n] = int(train[n * 3]) ^ sum(1 << int(bit) for bit in bits)
    rows = [("train", None, int(h)) for h in train] + [("test", None, int(h)) for h in test]
    found = count(rows, 4).filter(pl.col("evaluated") == "test", pl.col("known") == "train")
    assert found["near"].to_list() == [700]


def test_tables_must_hold_the_same_records():
    frame = pl.DataFrame(
        [("P1", "a", 1)], schema={"processid": pl.String, "sha256": pl.String, "dhash": pl.UInt64}, orient="row"
    )
    with pytest.raises(InvariantError, match="do not match"):
        near_images(frame, pl.DataFrame({"processid": ["P2"], "split": ["train"]}), 4)
