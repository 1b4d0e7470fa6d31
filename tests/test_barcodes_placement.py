"""Places on the frame: whole barcodes, fragments, planted gaps, noise, and real barcodes."""

import polars as pl
import pytest
from framed_barcodes import drawn, noise
from hypothesis import given
from hypothesis import strategies as st
from test_barcodes_check import real_barcodes

from bioscan_etl.barcodes.placement import MOST_LETTERS, place
from bioscan_etl.schema import PLACEMENTS

WHOLE = drawn(40)


def placed(*barcodes: str) -> pl.DataFrame:
    return place(pl.Series("barcode", list(barcodes), pl.String))


def described(barcode: str) -> tuple[int, int, int, list[int], list[int]]:
    row = placed(barcode).row(0, named=True)
    return row["start"], row["first"], row["last"], row["missing_columns"], row["inserted_bases"]


def columns(row: dict) -> dict[int, int]:
    """The column of each letter that has one, from what the row says."""
    missing, beside = set(row["missing_columns"]), set(row["inserted_bases"])
    free = [column for column in range(row["first"], row["last"] + 1) if column not in missing]
    letters = [at for at in range(row["start"], len(row["barcode"])) if at not in beside]
    return dict(zip(letters, free, strict=False))


def test_whole_barcodes_fill_the_frame():
    found = placed(*WHOLE)
    assert found.select("start", "first", "last").unique().rows() == [(0, 1, 658)]
    assert found["missing_columns"].list.len().sum() == found["inserted_bases"].list.len().sum() == 0
    assert found["doubt"].null_count() == len(WHOLE)
    PLACEMENTS.check(found)


@given(st.sampled_from(WHOLE), st.integers(0, 350), st.integers(300, 658))
def test_a_fragment_lies_where_the_whole_barcode_has_it(barcode, begin, length):
    end = min(begin + length, 658)
    assert described(barcode[begin:end]) == (0, begin + 1, end, [], [])


@given(st.lists(st.sampled_from(WHOLE + [barcode[90:500] for barcode in WHOLE]), min_size=2, max_size=12, unique=True))
def test_order_repetition_and_neighbours_decide_nothing(barcodes):
    alone = [placed(barcode).row(0) for barcode in barcodes]
    assert placed(*barcodes).rows() == alone


@given(st.sampled_from(WHOLE), st.integers(15, 200), st.integers(1, 3))
def test_lacking_codons_are_found_near_their_place_and_the_rest_is_not_moved(barcode, codon, count):
    at = 3 * codon + 1
    row = placed(barcode[:at] + barcode[at + 3 * count :]).row(0, named=True)
    assert len(row["missing_columns"]) == 3 * count
    assert not row["inserted_bases"]
    assert row["doubt"] is None
    found = columns(row)
    moved = [letter for letter, column in found.items() if column != letter + 1 + (3 * count if letter >= at else 0)]
    assert len(moved) <= 60, "codons beside a gap can be like those that are missing"


def test_most_planted_gaps_are_found_exactly_or_within_a_codon():
    """The measure of the specification, on 300 drawn barcodes (real ones: benchmarks/placement.py)."""
    barcodes = drawn(300, seed=1)
    at = [3 * (10 + 7 * number % 195) + 1 for number in range(300)]
    found = placed(*(barcode[:where] + barcode[where + 3 :] for barcode, where in zip(barcodes, at, strict=True)))
    gaps = found["missing_columns"].to_list()
    near = sum(len(gap) == 3 and abs(gap[0] - 1 - where) <= 3 for gap, where in zip(gaps, at, strict=True))
    assert near >= 0.97 * 300


@given(st.sampled_from(WHOLE), st.integers(15, 200), st.sampled_from(["GCA", "TTTGCA"]))
def test_codons_too_many_lie_in_no_column(barcode, codon, more):
    at = 3 * codon + 1
    row = placed(barcode[:at] + more + barcode[at:]).row(0, named=True)
    assert len(row["inserted_bases"]) == len(more)
    assert not row["missing_columns"]
    assert (row["first"], row["last"], row["doubt"]) == (1, 658, None)


@pytest.mark.parametrize("change", [lambda text: text[:300] + text[301:], lambda text: text[:300] + "A" + text[300:]])
def test_a_base_that_is_missing_or_too_many_shifts_the_codons(change):
    assert set(placed(*map(change, WHOLE))["doubt"]) == {"SHIFTED"}


@pytest.mark.parametrize("more", ["", "CA"])
def test_an_end_that_a_base_shifts_is_not_placed(more):
    """A base missing, or one too many, two codons from an end. Without the rule, 3 of the letters there are wrong."""
    wrong, kept = [], []
    for barcode in WHOLE:
        for at in (6, 651):
            row = placed(barcode[:at] + more + barcode[at + 1 :]).row(0, named=True)
            found = columns(row)
            wrong.append(sum(row["barcode"][one] != barcode[column - 1] for one, column in found.items()))
            kept.append(len(found))
    assert sum(wrong) / len(wrong) < 2
    assert min(kept) >= 648


def test_what_lies_beside_the_frame_has_no_column():
    """A primer before the barcode, and the gene behind it."""
    barcode = "GGTCAACAAATCATAAAGATATTGG" + WHOLE[0] + "TGATTTTTTGGTCACCCTGAAGTTTA"
    assert described(barcode) == (25, 1, 658, [], [])


def test_noise_and_the_other_strand_are_not_placed():
    complement = str.maketrans("ACGT", "TGCA")
    found = placed(*noise(50), *(barcode[::-1].translate(complement) for barcode in WHOLE))
    assert set(found["doubt"]) == {"NOT_PLACED"}
    assert found.select("start", "first", "last", "missing_columns", "inserted_bases").null_count().row(0) == (90,) * 5


@pytest.mark.parametrize("text", ["", "A", "N" * 50, "ACGT" * 10, WHOLE[0][:90], "A" * (MOST_LETTERS + 1)])
def test_what_is_too_short_too_long_or_says_nothing_is_not_placed(text):
    assert placed(text).item(0, "doubt") == "NOT_PLACED"


def test_no_barcode_is_an_empty_table():
    assert placed().schema == PLACEMENTS.schema()
    assert placed().is_empty()


@given(st.sampled_from(WHOLE), st.integers(100, 500), st.integers(1, 40))
def test_n_is_a_column_like_another(barcode, at, count):
    assert described(barcode[:at] + "N" * count + barcode[at + count :]) == (0, 1, 658, [], [])


@given(st.text("ACGTN", max_size=700))
def test_any_letters_are_a_row(text):
    found = placed(text, WHOLE[0])
    PLACEMENTS.check(found)
    assert found.row(1) == placed(WHOLE[0]).row(0)


def test_real_barcodes_are_placed(shared_data):
    found = place(real_barcodes(shared_data))
    refused = found["doubt"].eq_missing(pl.Series(["NOT_PLACED"])).sum()
    assert found.height == 2482
    assert refused == 4
    # Known losses of codons: 6 columns in parasitoid wasps, 9 and 6 in Scelionidae.
    lost = found["missing_columns"].list.len()
    assert (lost == 6).sum() >= 100
    assert (lost == 15).sum() >= 25


def test_whole_real_barcodes_are_not_moved(shared_data):
    whole = real_barcodes(shared_data)
    whole = whole.filter(whole.str.len_bytes() == 658)
    found = place(whole)
    # Some sequences of 658 bp begin before or behind the frame; they are moved as a whole, and rightly.
    straight = found.filter((pl.col("missing_columns").list.len() + pl.col("inserted_bases").list.len()) == 0)
    assert straight.height >= 0.995 * len(whole)
