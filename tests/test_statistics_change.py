"""What changed in the statistics."""

import polars as pl

from bioscan_etl.statistics.change import CHANGE, COMPARED, change
from bioscan_etl.statistics.definitions import TABLES


def partitions(**samples):
    return pl.DataFrame(
        {"split": list(samples), "samples": list(samples.values()), "samples_share": [0.5] * len(samples)}
    )


def test_numbers_that_differ_come_back_in_order_with_rows_that_came_and_went():
    before = {
        "partitions": partitions(train=5, val=2, gone=1),
        "missing": pl.DataFrame({"field": ["a"], "missing": [3]}),
    }
    after = {"partitions": partitions(train=7, val=2, new=4), "missing": pl.DataFrame({"field": ["a"], "missing": [0]})}
    assert change(before, after).rows() == [
        ("partitions", "train", "samples", 5, 7, 2),
        ("partitions", "new", "samples", None, 4, None),
        ("partitions", "gone", "samples", 1, None, None),
        ("missing", "a", "missing", 3, 0, -3),
    ]


def test_nothing_changes_if_the_same_is_compared_or_nothing_is_there():
    tables = {"partitions": partitions(train=5)}
    assert change(tables, tables).is_empty()
    assert change({}, tables).schema == CHANGE
    assert change(tables, {"partitions": partitions(train=5).drop("samples")}).is_empty()


def test_a_row_without_a_name_is_a_row():
    one, other = (pl.DataFrame({"class": [None], "order": [None], "samples": [count]}) for count in (3, 4))
    orders = [{"orders": frame.cast({"order": pl.String, "class": pl.String})} for frame in (one, other)]
    assert change(*orders).rows() == [("orders", "none", "samples", 3, 4, 1)]


def test_compared_tables_have_the_columns_that_name_their_rows():
    tables = {table.name: table for table in TABLES}
    assert all(set(key) <= set(tables[name].names()) for name, key in COMPARED.items())
