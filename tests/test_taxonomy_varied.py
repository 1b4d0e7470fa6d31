"""Groups in which labels differ, against a plain way."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.taxonomy.varied import varied

TEXT = st.sampled_from([None, "", "Aus", "Bus"])


@given(st.lists(st.tuples(st.sampled_from([None, 1, 2]), TEXT, TEXT), max_size=12))
def test_the_rows_of_groups_with_several_labels_are_found(rows):
    table = pl.DataFrame(
        [(at, *row) for at, row in enumerate(rows)],
        schema={"row": pl.UInt32, "group": pl.UInt32, "genus": pl.String, "species": pl.String},
        orient="row",
    )
    labels = {group: {row[1:] for row in rows if row[0] == group} for group, _, _ in rows}
    expected = [row for row in table.rows() if row[1] is not None and len(labels[row[1]]) > 1]
    assert sorted(varied(table, "group", ["genus", "species"]).rows()) == expected
    only = {group: {row[1] for row in rows if row[0] == group} for group, _, _ in rows}
    expected = [row for row in table.rows() if row[1] is not None and len(only[row[1]]) > 1]
    assert sorted(varied(table, "group", ["genus"]).rows()) == expected
