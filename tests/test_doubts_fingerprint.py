import hashlib

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.doubts.fingerprint import fingerprint

CELLS = st.lists(st.tuples(st.none() | st.text(max_size=5), st.none() | st.text(max_size=5)), max_size=20)


@given(CELLS)
def test_rows_have_one_fingerprint_exactly_if_their_values_are_the_same(rows):
    clean = [tuple(None if one is None else one.replace("\x1f", "").replace("\x00", "") for one in row) for row in rows]
    frame = pl.DataFrame(clean, schema={"a": pl.String, "b": pl.String}, orient="row")
    found = fingerprint(frame, ("a", "b")).to_list()
    assert len(set(found)) == len(set(clean))
    assert len(set(zip(clean, found, strict=True))) == len(set(clean))


def test_it_is_sha256_so_that_other_versions_of_the_libraries_give_the_same():
    frame = pl.DataFrame({"a": ["Costa Rica"], "n": [9.5]})
    expected = hashlib.sha256(b"Costa Rica\x1f9.5").hexdigest()[:16]
    assert fingerprint(frame, ("a", "n")).to_list() == [expected]
