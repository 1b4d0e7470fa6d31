"""Numbers of equal barcodes."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.barcodes.numbering import identity_keys, same_barcode, same_identity


@given(st.lists(st.sampled_from([None, "", "A", "AC", "ACG"]), max_size=12))
def test_equal_barcodes_have_the_number_of_the_first(barcodes):
    numbers = same_barcode(pl.Series("barcode", barcodes, dtype=pl.String))
    assert numbers.to_list() == [None if one is None else barcodes.index(one) for one in barcodes]


def test_barcodes_of_one_hash_are_told_apart(monkeypatch):
    barcodes = pl.Series(["A", "C", "A", None, "C"])
    monkeypatch.setattr(pl.Series, "hash", lambda self: pl.Series([7] * len(self), dtype=pl.UInt64))
    assert same_barcode(barcodes).to_list() == [0, 1, 0, None, 1]


@given(
    st.lists(
        st.sampled_from([None, "", "N", "NN-", "A", "NA", "a", "ACR", "ACRT", "ACNT", "-ACGT", "ACGT"]), max_size=12
    )
)
def test_sequences_of_one_identity_have_the_number_of_the_first(texts):
    sequences = pl.Series("dna_barcode", texts, dtype=pl.String)
    identities = sequences.to_frame().select(barcode_identity(pl.col("dna_barcode"))).to_series().to_list()
    numbers = same_identity(sequences)
    assert numbers.dtype == pl.UInt32
    assert numbers.to_list() == [None if one is None else identities.index(one) for one in identities]


@given(
    st.lists(
        st.sampled_from([None, "", "N", "NN-", "A", "NA", "a", "ACR", "ACRT", "ACNT", "-ACGT", "ACGT"]), max_size=9
    )
)
def test_sequences_of_one_identity_have_the_same_keys(texts):
    table = pl.LazyFrame({"dna_barcode": texts}, schema={"dna_barcode": pl.String})
    identities = table.select(barcode_identity(pl.col("dna_barcode"))).collect().to_series().to_list()
    keys = table.select(keys=identity_keys(pl.col("dna_barcode"))).unnest("keys").collect(engine="streaming").rows()
    assert [key == (None, None) for key in keys] == [one is None for one in identities]
    assert [[a == b for a in keys] for b in keys] == [[a == b for a in identities] for b in identities]
