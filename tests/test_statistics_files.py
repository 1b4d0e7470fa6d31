"""Tables of statistics as files."""

import polars as pl

from bioscan_etl.statistics.files import write_tables


def test_a_name_is_no_formula_in_csv_and_stays_as_it_is_in_parquet(tmp_path):
    table = pl.DataFrame({"species": ["=1+1", "Aus bus"], "gap": [-0.5, None]})
    paths = write_tables({"x": table}, tmp_path)
    assert [path.name for path in paths] == ["x.csv", "x.parquet"]
    assert paths[0].read_text() == "species,gap\n'=1+1,-0.5\nAus bus,\n"
    assert pl.read_parquet(paths[1]).equals(table)
