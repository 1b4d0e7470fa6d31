"""When values may be computed again, and what the change log restores."""

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.recomputed import all_stated, first_before, restored
from bioscan_etl.release.check.settings import read_stated
from bioscan_etl.settings import Settings


def test_a_section_is_stated_if_every_setting_of_it_is():
    document = Settings().choices()
    assert all_stated(read_stated(document)[0], "taxonomy")
    del document["taxonomy"]["typo_fix"]
    assert not all_stated(read_stated(document)[0], "taxonomy")


def test_the_log_restores_earlier_values():
    rows = [("A-1", 0, "a", "b", "NAME_CASE"), ("A-1", 1, "b", "c", "LINEAGE_ONE_PARENT"), ("B-1", 0, None, "d", "X")]
    names = ("processid", "step", "before", "after", "rule")
    log = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        field=pl.lit("genus"), evidence=pl.lit(None, pl.String), ruleset=pl.lit("1")
    )
    log = schema.CHANGES.conform(log)
    values = pl.DataFrame({"processid": ["B-1", "C-1", "A-1"], "genus": ["d", "e", "c"]})
    assert restored(values, first_before(log, "genus"), "genus").to_list() == [None, "e", "a"]
    later = first_before(log, "genus", pl.col("rule") == "LINEAGE_ONE_PARENT")
    assert restored(values, later, "genus").to_list() == ["d", "e", "b"]
    assert restored(values, first_before(log, "family"), "genus").to_list() == ["d", "e", "c"]
