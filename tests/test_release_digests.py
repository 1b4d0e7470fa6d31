"""MD5 of texts, beside hashlib."""

import hashlib

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.release.digests import md5


@given(st.lists(st.text(max_size=20), max_size=20))
def test_digests_are_those_of_hashlib_in_order(texts):
    texts = [text.replace("\0", "") for text in texts if text.encode("utf-8", "ignore").decode() == text]
    expected = [hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() for text in texts]
    assert md5(pl.Series(texts, dtype=pl.String)).to_list() == expected
