from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.records.choose import MEASURES, prefer

OLD, NEW = date(2023, 12, 18), date(2024, 6, 21)
SCHEMA = {
    "processid": pl.String,
    "record_id": pl.String,
    "snapshot_date": pl.Date,
    "ungapped": pl.Int64,
    "ambiguous": pl.Int64,
    "batch": pl.String,
    "line": pl.Int64,
}


def rows(*given):
    return pl.DataFrame(given, SCHEMA, orient="row")


@pytest.mark.parametrize(
    ("nuc", "ungapped", "ambiguous"),
    [("ACGT", 4, 0), ("acgt", 4, 0), ("--AC-GT--", 4, 0), ("ACNNRY", 6, 4), ("", 0, 0), (None, 0, 0), ("---", 0, 0)],
)
def test_measures(nuc, ungapped, ambiguous):
    found = pl.DataFrame({"nuc": [nuc]}, {"nuc": pl.String}).select(MEASURES)
    assert found.row(0) == (ungapped, ambiguous)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (("A", "r", NEW, 1, 9, "b", 1), ("A", "r", OLD, 658, 0, "b", 2)),
        (("A", "r", OLD, 1, 9, "b", 1), ("A", "r", None, 658, 0, "b", 2)),
        (("A", "r", NEW, 1, 9, "b", 1), ("A", "r", NEW, 658, 0, "a", 2)),
        (("A", "r", NEW, 658, 9, "b", 1), ("A", "r", NEW, 657, 0, "b", 2)),
        (("A", "s", NEW, 658, 0, "b", 1), ("A", "r", NEW, 658, 1, "b", 2)),
        (("A", "r", NEW, 658, 0, "b", 2), ("A", "s", NEW, 658, 0, "b", 1)),
        (("A", "r", NEW, 658, 0, "b", 1), ("A", "r", NEW, 658, 0, "b", 2)),
    ],
    ids=[
        "later snapshot",
        "unknown is earliest",
        "named before",
        "longer",
        "less ambiguous",
        "record_id",
        "named after",
    ],
)
def test_the_order_of_preference(better, worse):
    for given_rows in ((better, worse), (worse, better)):
        ordered = prefer(rows(*given_rows), before=("batch",), after=("line",))
        assert ordered.row(0)[:7] == better
        assert ordered["selected"].to_list() == [True, False]


some_rows = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.sampled_from("rs"),
        st.sampled_from([OLD, NEW, None]),
        st.integers(0, 2),
        st.integers(0, 1),
        st.sampled_from("xy"),
    ),
    max_size=12,
)


@given(some_rows, st.randoms(use_true_random=False))
def test_one_row_stands_per_process_id_whatever_the_order(given_rows, random):
    numbered = [(*row, line) for line, row in enumerate(given_rows)]
    ordered = prefer(rows(*numbered), before=("batch",), after=("line",))
    shuffled = random.sample(numbered, len(numbered))
    assert ordered.equals(prefer(rows(*shuffled), before=("batch",), after=("line",)))
    assert ordered.filter("selected")["processid"].to_list() == sorted({row[0] for row in given_rows})
