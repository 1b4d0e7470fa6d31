"""The identity of a barcode: the expression, the SQL and the definition in plain Python agree on any text."""

import duckdb
import polars as pl
import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bioscan_etl.barcodes.identity import (
    as_released,
    barcode_identity,
    barcode_identity_sql,
)

LETTERS = st.text(alphabet="ACGTNacgtnRYKMSWBDHVry-. \n\tß\u0131İſµ'\\", max_size=12)


def by_the_book(text: str | None) -> str | None:
    if text is None:
        return None
    letters = [letter.upper() if letter in "ACGTNacgtn" else "N" for letter in text]
    return "".join(letters).strip("N") or None


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.one_of(st.none(), LETTERS, st.text(max_size=6).filter(lambda text: "\0" not in text)), max_size=20))
@example([None, "", "N", "nn", "-", "--ACGT--", "acgt", "ACGRACGT", "ACGNACGT", "NNacRT-GN", "\n", "İA", "ßC"])
def test_expression_and_sql_and_the_definition_agree(texts):
    table = pl.DataFrame({"row": range(len(texts)), "nuc": texts}, schema={"row": pl.Int64, "nuc": pl.String})
    expected = [by_the_book(text) for text in texts]
    assert table.select(barcode_identity(pl.col("nuc"))).to_series().to_list() == expected
    with duckdb.connect() as connection:
        connection.register("t", table.to_arrow())
        found = connection.sql(f"SELECT {barcode_identity_sql('nuc')} FROM t ORDER BY row").fetchall()
    assert [value for (value,) in found] == expected


@settings(max_examples=examples(100), deadline=None)
@given(LETTERS)
def test_the_identity_of_what_is_released_and_of_an_identity_is_the_same(text):
    released = pl.select(as_released(pl.lit(text))).item()
    assert set(released) <= set("ACGTN")
    assert len(released) == len(text)
    identity = pl.select(barcode_identity(pl.lit(text))).item()
    assert pl.select(barcode_identity(pl.lit(released))).item() == identity
    assert pl.select(barcode_identity(pl.lit(identity, dtype=pl.String))).item() == identity


@pytest.mark.parametrize(("text", "identity"), [("ACGT", "ACGT"), ("ACGRACGT", "ACGNACGT"), ("NNN", None), ("", None)])
def test_examples(text, identity):
    assert pl.select(barcode_identity(pl.lit(text))).item() == identity
