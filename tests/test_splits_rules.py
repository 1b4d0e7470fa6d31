from test_splits_checks import SOUND, tables

from bioscan_etl.rules import Severity
from bioscan_etl.splits.checks import check
from bioscan_etl.splits.rules import MOVES, RULES


def test_every_blocking_rule_is_checked():
    blocking = [rule.id for rule in RULES if rule.severity is Severity.BLOCKING]
    assert [finding.check for finding in check(*tables(SOUND))] == blocking
    assert [rule.id for rule in RULES if rule.severity is Severity.FLAG] == [
        "NEAR_DUPLICATE_ACROSS_PARTITIONS",
        "UNSEEN_SPECIES_ALSO_HELD_OUT",
    ]
    assert [rule for rule in RULES if rule.severity is Severity.CHANGE] == list(MOVES)


def test_rules_are_written_for_a_curator():
    for rule in RULES:
        assert all((rule.statement.endswith("."), rule.reason.endswith("."), rule.source, rule.example)), rule.id
