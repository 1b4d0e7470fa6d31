from bioscan_etl.records.rules import RULES
from bioscan_etl.rules import Severity
from bioscan_etl.schema import REJECT_REASONS, SET_ASIDE_REASONS
from bioscan_etl.settings import Settings


def test_every_reason_has_a_rule():
    found = {rule.id for rule in RULES if rule.severity is Severity.REJECT}
    assert found == {reason.upper() for reason in (*REJECT_REASONS, *SET_ASIDE_REASONS)}


def test_rules_are_filled_in_and_name_real_settings():
    for rule in RULES:
        assert rule.statement.endswith(".")
        assert rule.reason
        assert rule.source
        assert rule.example
        if rule.setting is not None:
            section, name = rule.setting.split(".")
            assert hasattr(getattr(Settings(), section), name)
