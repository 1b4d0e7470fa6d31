"""Barcodes beside each other: every base stays in its column, and only bases that are known differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.desk.aligned import beside, differing, place_on

BASES = st.text("ACGT", min_size=1, max_size=40)
LONG = "ACGTTGCAACCGTTAGGCTAACGATTACGGCATTACGACC"


@pytest.mark.parametrize(
    ("reference", "other", "placed", "columns"),
    [
        ("ACGT", "ACGT", "ACGT", []),
        ("ACGT", "AGGT", "AGGT", [1]),
        ("ACGTACGT", "GTACGT", "--GTACGT", []),
        ("ACGTACGT", "ACGTAC", "ACGTAC--", []),
        ("ACGTACGT", "ACGACGT", "ACG-ACGT", []),
        # A base that the reference has no column for is left out.
        ("ACGACGT", "ACGTACGT", "ACGACGT", []),
        ("ACNT", "ACGT", "ACGT", []),
        ("ACGT", "ANGT", "ANGT", []),
        ("ACGT", "", "----", []),
        ("", "ACGT", "", []),
    ],
)
def test_a_barcode_is_placed_on_the_columns_of_another(reference, other, placed, columns):
    assert place_on(reference, other) == placed
    assert differing(reference, placed) == columns


@given(BASES, BASES)
def test_what_is_placed_is_as_long_as_the_reference_and_its_bases_are_in_their_order(reference, other):
    placed = place_on(reference, other)
    assert len(placed) == len(reference)
    rest = iter(other)
    assert all(base in rest for base in placed.replace("-", ""))
    assert all(placed[at] not in (reference[at], "-") for at in differing(reference, placed))
    assert place_on(reference, reference) == reference


@given(st.lists(st.tuples(*[st.sampled_from("ACGTN-É")] * 2)))
def test_columns_that_differ_are_those_of_known_bases(pairs):
    one, two = ("".join(letters) for letters in (zip(*pairs, strict=True) if pairs else ("", "")))
    plain = [at for at, (a, b) in enumerate(pairs) if a != b and not {a, b} & {"N", "-"}]
    assert differing(one, two) == plain


def test_a_barcode_of_another_length_is_not_placed():
    with pytest.raises(ValueError, match="of 3 columns is not placed on one of 4"):
        differing("ACGT", "ACG")


def test_beside_adds_columns_to_the_rows():
    rows = [{"barcode": "ACGT", "processid": "A-1"}, {"barcode": "AGGT", "processid": "A-2"}]
    assert beside("ACGT", rows) == [
        {"barcode": "ACGT", "processid": "A-1", "placed": "ACGT", "differing": []},
        {"barcode": "AGGT", "processid": "A-2", "placed": "AGGT", "differing": [1]},
    ]
