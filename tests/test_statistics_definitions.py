"""The tables of statistics as they are defined."""

from bioscan_etl import schema
from bioscan_etl.statistics import definitions
from bioscan_etl.statistics.definitions import ON_DEMAND
from bioscan_etl.statistics.definitions import TABLES as RELEASED

TABLES = (*RELEASED, *ON_DEMAND)


def test_every_table_is_listed_once_and_explains_its_columns():
    made = [value for value in vars(definitions).values() if isinstance(value, schema.Table)]
    assert sorted(table.name for table in made) == sorted(table.name for table in TABLES)
    assert len({table.name for table in TABLES}) == len(TABLES)
    for table in TABLES:
        assert len(set(table.names())) == len(table.columns)
        assert set(table.key) <= set(table.names())
        assert all(column.meaning for column in table.columns)
        table.check(table.empty())


def test_a_key_is_never_missing():
    """A data package allows no missing value in a primary key."""
    assert all(not table[name].nullable for table in TABLES for name in table.key)
