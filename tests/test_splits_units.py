import numpy as np
import polars as pl
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.splits import units
from bioscan_etl.splits.units import identities, identity, number_units

SCHEMA = {"processid": pl.String, "dna_barcode": pl.String, "dna_bin": pl.String}


def table(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def groups(codes):
    """Each row's first row of the same number."""
    return [list(codes).index(code) for code in codes]


def test_barcodes_are_one_without_the_n_at_their_ends_and_records_without_one_are_alone():
    rows = table([("a", "NACGT", None), ("b", "ACGTNN", None), ("c", "ACNGT", None), ("d", None, None),
                  ("e", None, None), ("f", "NN", None), ("g", "", None)])  # fmt: skip
    earlier = table([("x", "ACGT", None), ("d", None, None), ("y", "\0d", None)])
    numbered = number_units(identities(rows), identities(earlier))
    together = groups([*numbered.barcodes, *numbered.earlier_barcodes])
    assert together[:8] == [0, 0, 2, 3, 4, 5, 5, 0]
    assert together[8] == 3
    assert numbered.count == len(set(together))
    assert numbered.units is numbered.barcodes


def test_parts_and_streams_give_one_identity(monkeypatch):
    rows = table([(f"p{i}", f"N{'ACGT'[i % 4]}{i % 7}", None) for i in range(50)])
    whole = identities(rows)
    monkeypatch.setattr(units, "_CHUNK", 7)
    assert identities(rows).equals(whole)
    streamed = rows.lazy().select("processid", *identity()).collect(engine="streaming").sort("processid")
    assert streamed.drop("processid").equals(rows.select("processid", *identity()).sort("processid").drop("processid"))
    assert len(identities(rows.clear())) == 0


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
    numbered = number_units(identities(now), identities(then), now["dna_bin"], then["dna_bin"])
    # By the book: join rows until nothing changes.
    label = list(range(len(pairs)))
    for _ in pairs:
        for i, one in enumerate(pairs):
            for j, other in enumerate(pairs):
                if any(a is not None and a == b for a, b in zip(one, other, strict=True)):
                    label[i] = label[j] = min(label[i], label[j])
    assert groups([*numbered.earlier_units, *numbered.units]) == groups(label)
    assert numbered.count == len(set(label))
