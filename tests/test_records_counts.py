import json
from datetime import date

import pytest

from bioscan_etl.errors import InvariantError, SourceError
from bioscan_etl.records.counts import Counts, SourceCount


def test_a_ledger_that_does_not_balance_stops_the_run():
    counts = Counts(3, 1, {"other_marker": 1}, {"field_count": 0}, ())
    with pytest.raises(InvariantError, match="3 rows were read, 2 are accounted for"):
        counts.check()


def test_a_ledger_that_balances():
    Counts(4, 1, {"other_marker": 1}, {"field_count": 2}, ()).check()


def test_plain_values_for_manifests():
    sources = (
        SourceCount("a.tsv", "BCDM 2023", date(2023, 12, 18), 2, ("mood",), ("tribe",), {"excel_dates": 1}),
        SourceCount("b.zip", "unreadable", None, 1, ()),
    )
    counts = Counts(3, 2, {}, {"truncated_file": 1}, sources)
    assert counts.layouts == {"a.tsv": "BCDM 2023", "b.zip": "unreadable"}
    found = json.loads(json.dumps(counts.as_dict()))["sources"]
    assert found[0] == {
        "name": "a.tsv",
        "layout": "BCDM 2023",
        "snapshot_date": "2023-12-18",
        "rows_read": 2,
        "extra": ["mood"],
        "absent": ["tribe"],
        "damage": {"excel_dates": 1},
        "refused": None,
    }
    assert found[1]["snapshot_date"] is None


def test_a_file_without_a_usable_row_is_refused():
    sources = (
        SourceCount("a.tsv", "BCDM 2023", None, 2, ()),
        SourceCount("b.tsv", "BCDM 2023", None, 3, (), refused="no_processid (the process ID is missing)"),
    )
    Counts(2, 2, {}, {}, sources[:1]).refuse()
    with pytest.raises(SourceError, match=r"b\.tsv: all rows are rejected \(3\), the first as no_processid"):
        Counts(5, 2, {}, {"no_processid": 3}, sources).refuse()
