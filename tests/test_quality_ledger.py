"""The ledger adds up, or stops the run."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.quality.ledger import Ledger

COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10**6))
GATES = st.dictionaries(st.sampled_from(["NO_IMAGE", "NO_BARCODE", "NO_IMAGE + NO_BARCODE"]), st.integers(0, 10**6))


@given(COUNTS, COUNTS, GATES, st.integers(0, 10**7), st.integers(-3, 3))
def test_balance_holds_exactly_when_the_parts_add_up(rejected, set_aside, quarantined, specimens, difference):
    parts = sum(rejected.values()) + sum(set_aside.values()) + sum(quarantined.values()) + specimens
    ledger = Ledger(parts + difference, rejected, set_aside, quarantined, specimens)
    if difference:
        with pytest.raises(InvariantError, match="does not add up"):
            ledger.balance()
    else:
        ledger.balance()
    assert sum(ledger.by_first_gate().values()) == sum(quarantined.values())
    assert sum(ledger.totals().values()) == parts


def test_the_error_has_the_numbers():
    with pytest.raises(InvariantError) as error:
        Ledger(10, {"field_count": 1}, {"other_marker": 2}, {"NO_IMAGE": 3}, 3).balance()
    assert "10 rows read, but 3 specimens + 3 quarantined + 2 set aside + 1 rejected = 9; 1 rows are lost" in str(
        error.value
    )


def test_tables_are_counted_by_reason_and_gate_combination():
    rejects = pl.DataFrame({"reason": ["field_count", "undecodable", "field_count"]})
    set_aside = schema.SET_ASIDE.empty()
    quarantine = pl.DataFrame({"gates": [["NO_IMAGE"], ["NO_IMAGE", "NO_BARCODE"], ["NO_BARCODE"], ["NO_IMAGE"]]})
    ledger = Ledger.from_tables(12, rejects, set_aside, quarantine, 5)
    ledger.balance()
    assert ledger.rejected == {"field_count": 2, "undecodable": 1}
    assert ledger.set_aside == {}
    assert ledger.quarantined == {"NO_BARCODE": 1, "NO_IMAGE": 2, "NO_IMAGE + NO_BARCODE": 1}
    assert ledger.by_first_gate() == {"NO_BARCODE": 1, "NO_IMAGE": 3}
    assert ledger.by_gate() == {"NO_BARCODE": 2, "NO_IMAGE": 3}
    assert ledger.as_dict()["rows_read"] == 12
