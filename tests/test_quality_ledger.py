"""The ledger adds up, or says by how much it does not."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.quality.ledger import Ledger

COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10**6))
GATES = st.dictionaries(st.sampled_from(["NO_IMAGE", "NO_BARCODE", "NO_IMAGE + NO_BARCODE"]), st.integers(0, 10**6))


@given(COUNTS, COUNTS, GATES, st.integers(0, 10**7), st.integers(-3, 3))
def test_balance_holds_exactly_when_the_parts_add_up(rejected, set_aside, quarantined, specimens, difference):
    parts = sum(rejected.values()) + sum(set_aside.values()) + sum(quarantined.values()) + specimens
    ledger = Ledger(parts + difference, rejected, set_aside, quarantined, specimens)
    finding = ledger.finding()
    assert (finding.check, finding.blocking) == ("ledger_balances", True)
    assert (finding.passed, finding.count) == (difference == 0, abs(difference))
    assert sum(ledger.by_first_gate().values()) == sum(quarantined.values())
    assert sum(ledger.totals().values()) == parts


def test_the_finding_has_the_numbers():
    def detail(rows_read):
        return Ledger(rows_read, {"field_count": 1}, {"other_marker": 2}, {"NO_IMAGE": 3}, 3).finding().detail

    parts = "3 specimens + 3 quarantined + 2 set aside + 1 rejected = 9"
    assert detail(9) == f"9 rows read; {parts}"
    assert detail(10) == f"10 rows read; {parts}: 1 row lost"
    assert detail(7) == f"7 rows read; {parts}: 2 rows counted twice"


def test_a_row_that_stands_in_no_table_is_found():
    rejects, set_aside = pl.DataFrame({"reason": ["field_count"]}), pl.DataFrame({"reason": ["other_marker"]})
    quarantine = pl.DataFrame({"gates": [["NO_IMAGE"], ["NO_IMAGE", "NO_BARCODE"]]})
    assert Ledger.from_tables(9, rejects, set_aside, quarantine, 5).finding().passed
    lost = Ledger.from_tables(9, rejects.clear(), set_aside, quarantine, 5).finding()
    assert (lost.passed, lost.count) == (False, 1)
    twice = Ledger.from_tables(9, rejects, set_aside, pl.concat([quarantine, quarantine]), 5).finding()
    assert (twice.passed, twice.count) == (False, 2)


def test_tables_are_counted_by_reason_and_gate_combination():
    rejects = pl.DataFrame({"reason": ["field_count", "undecodable", "field_count"]})
    set_aside = schema.SET_ASIDE.empty()
    quarantine = pl.DataFrame({"gates": [["NO_IMAGE"], ["NO_IMAGE", "NO_BARCODE"], ["NO_BARCODE"], ["NO_IMAGE"]]})
    ledger = Ledger.from_tables(12, rejects, set_aside, quarantine, 5)
    assert ledger.finding().passed
    assert ledger.rejected == {"field_count": 2, "undecodable": 1}
    assert ledger.set_aside == {}
    assert ledger.quarantined == {"NO_BARCODE": 1, "NO_IMAGE": 2, "NO_IMAGE + NO_BARCODE": 1}
    assert ledger.by_first_gate() == {"NO_BARCODE": 1, "NO_IMAGE": 3}
    assert ledger.by_gate() == {"NO_BARCODE": 2, "NO_IMAGE": 3}
    assert ledger.as_dict()["rows_read"] == 12
