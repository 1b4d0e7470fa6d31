"""Gates and invariants as rules."""

from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.quality.rules import GATES, INVARIANTS, RULES
from bioscan_etl.rules import Severity
from bioscan_etl.schema import CURATED, METADATA_EXTENDED
from bioscan_etl.settings import Settings
from bioscan_etl.specimens.gates import gates


def test_the_gates_are_those_that_hold_specimens():
    everything = Settings.model_validate({"gates": {"require_bin": True}})
    assert [expression.meta.output_name() for expression in gates(everything)] == [gate.id for gate in GATES]
    assert {gate.severity for gate in GATES} == {Severity.GATE}


def test_settings_that_rules_name_exist():
    defaults = Settings()
    for rule in RULES:
        if rule.setting:
            section, name = rule.setting.split(".")
            assert name in type(getattr(defaults, section)).model_fields


def test_every_invariant_is_an_expectation_on_a_table():
    used = {rule.id for table in (CURATED, METADATA_EXTENDED) for rule in expectation_rules(table)}
    assert {rule.id for rule in INVARIANTS} <= used


def test_rules_are_worded_for_curators():
    for rule in RULES:
        assert rule.statement.endswith(".")
        assert rule.reason
        assert rule.source
        assert rule.example
