"""Lists of the conditions that hold."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.flags import flags_from

ROWS = st.integers(1, 12).flatmap(
    lambda width: st.lists(st.lists(st.sampled_from([True, False, None]), min_size=width, max_size=width), min_size=1)
)


@given(ROWS, st.booleans())
def test_a_row_lists_what_holds_in_the_order_given(rows: list[list[bool | None]], streaming: bool) -> None:
    names = [f"RULE_{place:02}" for place in range(len(rows[0]))]
    frame = pl.DataFrame(rows, orient="row", schema=dict.fromkeys(names, pl.Boolean))
    conditions = {name: pl.col(name) for name in reversed(names)}
    got = (
        frame.lazy().select(flags=flags_from(conditions)).collect(engine="streaming" if streaming else "auto")["flags"]
    )
    assert got.dtype == pl.List(pl.String)
    assert got.to_list() == [[name for name in reversed(names) if row[names.index(name)]] for row in rows]


def test_no_rows_give_no_lists() -> None:
    frame = pl.DataFrame(schema={"a": pl.Boolean}).select(flags=flags_from({"A": pl.col("a")}))
    assert frame.schema == {"flags": pl.List(pl.String)}
    assert frame.height == 0


def test_the_63rd_condition_counts_and_a_64th_is_refused() -> None:
    columns = {f"C{place}": pl.col("row") > (0 if place == 62 else 9) for place in range(63)}
    assert pl.DataFrame({"row": [1, 2]}).select(flags=flags_from(columns))["flags"].to_list() == [["C62"], ["C62"]]
    with pytest.raises(ValueError, match="64 conditions"):
        flags_from({**columns, "C63": pl.lit(value=True)})
