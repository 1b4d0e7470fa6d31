import numpy as np
import polars as pl
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.splits import units
from bioscan_etl.splits.units import barcode_keys, number_units

SCHEMA = {"processid": pl.String, "dna_barcode": pl.String, "dna_bin": pl.String}


def table(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def keys(rows):
    return rows.select(barcode_keys())


def groups(codes):
    """Each row's first row of the same number."""
    return [list(codes).index(code) for code in codes]


def test_records_without_a_barcode_are_alone():
    rows = table([("a", "ACGT", None), ("b", "ACGT", None), ("c", "ACNGT", None), ("d", None, None), ("e", None, None)])
    earlier = table([("x", "ACGT", None), ("d", None, None), ("y", "\0d", None), ("z", "d", None)])
    numbered = number_units(keys(rows), keys(earlier))
    together = groups([*numbered.barcodes, *numbered.earlier_barcodes])
    assert together == [0, 0, 2, 3, 4, 0, 3, 7, 8]
    assert numbered.count == len(set(together))
    assert numbered.units is numbered.barcodes


def test_streams_give_the_same_keys():
    rows = table([(f"p{i}", f"{'ACGT'[i % 4]}{i % 7}" if i % 5 else None, None) for i in range(50)])
    streamed = rows.lazy().select("processid", *barcode_keys()).collect(engine="streaming").sort("processid")
    assert streamed.equals(rows.select("processid", *barcode_keys()).sort("processid"))
    assert len(keys(rows.clear())) == 0


def test_barcodes_of_one_first_hash_stay_apart():
    first = np.array([1, 1, 1, 2, 1], dtype=np.uint64)
    second = np.array([5, 6, 5, 5, 6], dtype=np.uint64)
    codes, count = units._codes(first, second)
    assert (groups(codes), count) == ([0, 1, 0, 3, 1], 3)
    codes, count = units._codes(first[:0], second[:0])
    assert (codes.tolist(), count) == ([], 0)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*"ABCDEFGH", None]), st.sampled_from([*"stuvwxyz", None])), max_size=14))
def test_bins_chain_barcodes(pairs):
    rows = table([(f"p{i}", barcode, dna_bin) for i, (barcode, dna_bin) in enumerate(pairs)])
    half = len(rows) // 2
    now, then = rows[half:], rows[:half]
    numbered = number_units(keys(now), keys(then), now["dna_bin"], then["dna_bin"])
    # By the book: join rows until nothing changes.
    label = list(range(len(pairs)))
    for _ in pairs:
        for i, one in enumerate(pairs):
            for j, other in enumerate(pairs):
                if any(a is not None and a == b for a, b in zip(one, other, strict=True)):
                    label[i] = label[j] = min(label[i], label[j])
    assert groups([*numbered.earlier_units, *numbered.units]) == groups(label)
    assert numbered.count == len(set(label))
