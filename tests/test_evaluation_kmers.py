"""k-mers of barcodes, against a slow count."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.columns import codes
from bioscan_etl.evaluation import kmers
from bioscan_etl.evaluation.kmers import KmerVectors, kmer_numbers

BARCODES = st.lists(st.text("ACGTN", min_size=1, max_size=12), min_size=1, max_size=6)


@given(BARCODES, st.integers(1, 3))
def test_every_kmer_of_bases_counts(barcodes, k):
    found = KmerVectors(pl.Series(barcodes), k).counts
    for row, barcode in zip(found, barcodes, strict=True):
        expected = np.zeros(4**k, np.int64)
        for at in range(len(barcode) - k + 1):
            word = barcode[at : at + k]
            if "N" not in word:
                expected[int("".join(str("ACGT".index(base)) for base in word), 4)] += 1
        assert row.tolist() == expected.tolist()


def test_blocks_of_barcodes_change_nothing(monkeypatch):
    barcodes = pl.Series(["ACGTACGT", "A", "NNNN", "GGGGGG", "TTTTA"])
    whole = KmerVectors(barcodes, 2).counts
    monkeypatch.setattr(kmers, "_ROWS", 2)
    assert KmerVectors(barcodes, 2).counts.tolist() == whole.tolist()


def test_vectors_have_length_1_and_a_barcode_without_kmers_has_none():
    vectors = KmerVectors(pl.Series(["ACGTT", "NN", ""]), 2)
    lengths = np.linalg.norm(vectors.at(np.arange(3)), axis=1)
    assert np.allclose(lengths, [1, 0, 0])
    assert len(vectors) == 3
    assert len(KmerVectors(pl.Series([], dtype=pl.String), 4)) == 0


def test_a_count_that_does_not_fit_a_byte_is_the_largest_that_does():
    assert KmerVectors(pl.Series(["A" * 600]), 2).counts[0, 0] == 255


def test_numbers_are_in_lexical_order():
    letters = codes(pl.Series(["AAACGTN"])).astype(np.int64)
    number, known = kmer_numbers(letters, 2)
    assert number[0, :5].tolist() == [0, 0, 1, 6, 11]
    assert known[0].tolist() == [True] * 5 + [False]
