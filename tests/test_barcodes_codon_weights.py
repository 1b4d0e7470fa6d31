import numpy as np
import polars as pl

from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.codon_weights import NO_CODON, PAD, table, triples
from bioscan_etl.barcodes.columns import codes


def test_three_letters_have_one_number_at_the_last_of_them():
    numbers = triples(codes(pl.Series(["ACGTN", "AC"])))
    a, c, g, t, unknown = range(5)
    assert numbers[0].tolist() == [NO_CODON, NO_CODON, 25 * a + 5 * c + g, 25 * c + 5 * g + t, 25 * g + 5 * t + unknown]
    assert numbers[1, :2].tolist() == [NO_CODON, NO_CODON]


def test_a_codon_weighs_what_the_profile_says_in_the_column_where_it_ends():
    # Column 1 is the last base of a codon that begins before the frame: the first whole codon ends in column 4.
    assert np.array_equal(table()[PAD + 3], profile.weights()[0])
    assert np.array_equal(table()[PAD + 3 + 3 * 218], profile.weights()[218])
    assert not table()[PAD + 4 :: 3].any()
    assert not table()[:PAD].any()
    assert not table()[:, NO_CODON].any()
