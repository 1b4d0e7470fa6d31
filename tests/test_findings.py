import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.findings import SAMPLES, Finding

FINDINGS = st.builds(
    Finding,
    check=st.text(),
    passed=st.booleans(),
    count=st.integers(0, 10**9),
    statement=st.text(),
    samples=st.lists(st.text(), max_size=20).map(tuple),
    blocking=st.booleans(),
    detail=st.text(),
)


@given(FINDINGS)
def test_a_finding_survives_a_manifest(finding):
    assert Finding.from_dict(json.loads(json.dumps(finding.as_dict()))) == finding
    assert len(finding.samples) <= SAMPLES


def test_a_finding_blocks_unless_it_says_otherwise():
    finding = Finding.from_dict({"check": "ledger_balances", "passed": True, "count": 0, "statement": "It adds up."})
    assert (finding.blocking, finding.samples, finding.detail) == (True, (), "")


def test_unknown_and_missing_keys_are_errors():
    with pytest.raises(TypeError, match="severity"):
        Finding.from_dict({"check": "a", "passed": True, "count": 0, "statement": "b", "severity": "warning"})
    with pytest.raises(TypeError, match="statement"):
        Finding.from_dict({"check": "a", "passed": True, "count": 0})
