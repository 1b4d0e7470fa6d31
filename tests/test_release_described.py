"""The text that describes a specimen."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import vocabulary
from bioscan_etl.release.described import described

NAMES = st.one_of(st.none(), st.sampled_from(["Diptera", "Aedes", "Aedes vexans", "Apis sp. 3ON"]))


@given(st.lists(st.tuples(*(NAMES for _ in vocabulary.RANKS)), min_size=1, max_size=5))
def test_four_ranks_and_not_classified_for_a_missing_one(lineages):
    rows = pl.DataFrame(lineages, dict.fromkeys(vocabulary.RANKS, pl.String), orient="row")
    found = rows.select(described()).to_series().to_list()
    for row, text in zip(rows.iter_rows(named=True), found, strict=True):
        assert text == " ".join(row[rank] or "not_classified" for rank in ("order", "family", "genus", "species"))
