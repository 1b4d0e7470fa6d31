"""CSV that a spreadsheet runs nothing from."""

import csv

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.quality.spreadsheet import read_spreadsheet, write_spreadsheet


@given(
    st.lists(
        st.one_of(
            st.text(max_size=8),
            st.builds(
                str.__add__, st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n=", "'=", "''-"]), st.text(max_size=8)
            ),
        ),
        min_size=1,
    )
)
def test_no_cell_begins_as_a_formula_and_none_is_lost(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("csv") / "list.csv"
    write_spreadsheet(path, pl.DataFrame({"processid": values}))
    with path.open(encoding="utf-8", newline="") as stream:
        cells = [row[0] if row else "" for row in csv.reader(stream)][1:]
    assert len(cells) == len(values)
    for cell, value in zip(cells, values, strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        escaped = value.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell == (f"'{value}" if escaped else value)
    read = read_spreadsheet(path, infer_schema=False)["processid"].to_list()
    assert read == values


def test_lists_are_joined_and_numbers_stay_numbers(tmp_path):
    frame = pl.DataFrame({"flags": [["A", "B"], [], ["=X"]], "n": [-1, 2, None]})
    write_spreadsheet(tmp_path / "list.csv", frame)
    assert (tmp_path / "list.csv").read_text() == 'flags,n\nA B,-1\n"",2\n\'=X,\n'
