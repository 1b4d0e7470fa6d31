"""Categories of attributes."""

import polars as pl
import pytest

from bioscan_etl.statistics.categories import group_sizes

ROWS = pl.DataFrame(
    {
        "order": ["B", "A", "A", "B", None],
        "barcode_id": [3, 3, None, 1, 3],
        "coord-lat": [1.0, 1.0, None, 2.0, 1.0],
        "coord-lon": [5.0, 5.0, 5.0, None, 6.0],
    }
)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("order", [("A", 2), ("B", 2)]),
        ("dna_barcode", [(3, 3), (1, 1)]),
        ("site", [({"lat": 1.0, "lon": 5.0}, 2), ({"lat": 1.0, "lon": 6.0}, 1)]),
    ],
)
def test_the_largest_category_comes_first_and_then_the_first_by_name(attribute, expected):
    assert group_sizes(ROWS, attribute).rows() == expected


def test_nothing_has_no_category():
    assert group_sizes(ROWS.clear(), "order").is_empty()
