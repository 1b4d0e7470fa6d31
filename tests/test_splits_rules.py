from test_splits_checks import SOUND, tables

from bioscan_etl.rules import Severity
from bioscan_etl.splits.checks import check
from bioscan_etl.splits.rules import RULES


def test_every_blocking_rule_is_checked():
    blocking = [rule.id for rule in RULES if rule.severity is Severity.BLOCKING]
    assert [finding.name for finding in check(*tables(SOUND))] == blocking
    assert [rule.id for rule in RULES if rule.severity is not Severity.BLOCKING] == ["NEAR_DUPLICATE_ACROSS_PARTITIONS"]


def test_rules_are_written_for_a_curator():
    for rule in RULES:
        assert all((rule.statement.endswith("."), rule.reason.endswith("."), rule.source, rule.example)), rule.id
