"""Expressions on sequences, held against plain Python."""

from itertools import product

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes import sequences

LETTERS = st.text("ACGTN", max_size=60)


def value(expression) -> object:
    return pl.select(expression).item()


def repeat_share(sequence: str) -> float:
    most = max(sequence.count("".join(each)) for each in product("ACGT", repeat=3))
    return 3 * most / len(sequence)


@given(st.text(sequences.IUPAC, max_size=60))
def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence(sequence):
    once = sequences.reverse_complement(pl.lit(sequence))
    assert value(sequences.reverse_complement(once)) == sequence
    assert len(value(once)) == len(sequence)


def test_the_reverse_complement_of_every_letter():
    assert value(sequences.reverse_complement(pl.lit("ACGTRYSWKMBDHVN"))) == "NBDHVKMWSRYACGT"


@given(LETTERS)
def test_runs_and_counts(sequence):
    assert value(sequences.longest_unambiguous_run(pl.lit(sequence))) == max(map(len, sequence.split("N")))
    assert value(sequences.unambiguous_bases(pl.lit(sequence))) == len(sequence) - sequence.count("N")


@given(st.lists(st.one_of(st.none(), st.text("ACGTN", min_size=1, max_size=30)), max_size=6))
def test_repeats_are_exact_where_they_matter_and_never_understated(found):
    shares = sequences.repeat_share(pl.Series("barcode", found, dtype=pl.String), 0.5)
    assert len(shares) == len(found)
    for sequence, share in zip(found, shares, strict=True):
        if sequence is None:
            assert share is None
        elif share >= 0.5 or repeat_share(sequence) >= 0.5:
            assert share == pytest.approx(repeat_share(sequence))
        else:
            assert share >= repeat_share(sequence)


def test_repeats_over_many_blocks_stay_with_their_barcode(monkeypatch):
    monkeypatch.setattr(sequences, "_BLOCK", 2)
    shares = sequences.repeat_share(pl.Series(["A" * 9, "ACGTTGCA", "ATATATAT", None, "CAGCAGCAG"]), 0.5)
    assert shares.to_list() == [1.0, pytest.approx(3 / 8), pytest.approx(6 / 8), None, 1.0]


@pytest.mark.parametrize(
    ("nuc", "aligned", "invalid"),
    [
        ("--acg-t--", "ACG-T", False),
        (" -ACGT- ", "ACGT", False),
        ("AC*GT", "ACNGT", True),
        ("ACUGT", "ACNGT", True),
        ("ACéGT", "ACNGT", True),
        ("", "", False),
    ],
)
def test_letters_as_delivered(nuc, aligned, invalid):
    assert value(sequences.without_end_gaps(pl.lit(nuc))) == aligned
    assert value(sequences.has_invalid_letters(pl.lit(nuc))) is invalid


@given(st.text("ACGTNRac-7 ", max_size=30))
def test_the_stretch_of_a_final_sequence_is_what_is_left_of_it(nuc):
    frame = pl.DataFrame({"nuc": [nuc]}).select(
        final=sequences.is_final(pl.col("nuc")),
        stretch=sequences.within_end_gaps(pl.col("nuc")),
        letters=sequences.without_gaps(sequences.without_end_gaps(pl.col("nuc"))),
        invalid=sequences.has_invalid_letters(pl.col("nuc")),
    )
    final, stretch, letters, invalid = frame.row(0)
    assert stretch == nuc.strip("-")
    if final:
        assert stretch == letters
        assert not invalid
        assert "-" not in stretch
