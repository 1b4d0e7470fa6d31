import polars as pl
import pytest

from bioscan_etl.records.values import number, whole_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("658", 658),
        ("658.0", 658),
        (" 658 ", 658),
        ("6.58E+02", 658),
        ("1,658", 1658),
        ("-3", -3),
        ("1,65", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        ("x", None),
        (None, None),
    ],
)
def test_one_count_however_it_is_written(text, value):
    frame = pl.DataFrame({"n": [text]}, {"n": pl.String})
    assert frame.select(number(pl.col("n"))).item() == value
    assert frame.select(whole_number(pl.col("n"))).item() == value


def test_a_number_beyond_all_integers_is_none():
    assert pl.select(whole_number(pl.lit("1e300"))).item() is None
