"""The registry of expectations."""

import re

import pytest

from bioscan_etl import schema
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.rules import registry


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_ids_are_unique_and_can_name_a_check(table):
    ids = [rule.id for rule in expectation_rules(table)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", rule_id) for rule_id in ids)


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_every_promise_of_the_schema_is_expected(table):
    rules = expectation_rules(table)
    by_kind = {
        "_MISSING": {c.name for c in table.columns if not c.nullable},
        "_OUTSIDE_VOCABULARY": {c.name for c in table.columns if c.allowed},
        "_OUTSIDE_PATTERN": {c.name for c in table.columns if c.pattern},
        "_OUT_OF_RANGE": {c.name for c in table.columns if (c.minimum, c.maximum) != (None, None)},
        "_NOT_UNIQUE": {table.key[0]} if table.key else set(),
    }
    for ending, columns in by_kind.items():
        assert {rule.columns[0] for rule in rules if rule.id.endswith(ending)} == columns
    assert [rule.id for rule in rules if rule.condition is None] == ["COLUMNS_IN_ORDER"]


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_a_rule_asks_for_and_shows_its_own_columns(table):
    for rule in expectation_rules(table):
        assert set(rule.columns) <= set(table.names())
        for sql in filter(None, (rule.condition, rule.value, rule.in_keys)):
            code = re.sub(r"'[^']*'|\{batch\}", "", sql)
            asked = {name for name in table.names() if re.search(rf"(?<![\w-]){name}(?![\w-])", code)}
            assert asked <= set(rule.columns)


def test_a_value_of_a_column_that_may_be_missing_warns_and_of_one_that_may_not_blocks():
    severity = {rule.id: rule.severity for rule in expectation_rules(schema.METADATA_EXTENDED)}
    assert severity["DNA_BIN_OUTSIDE_PATTERN"] == "warning"
    assert severity["COORD_LAT_OUT_OF_RANGE"] == "warning"
    assert severity["PROCESSID_OUTSIDE_PATTERN"] == "blocking"
    assert severity["SPLIT_OUTSIDE_VOCABULARY"] == "blocking"
    assert severity["SPECIES_OUTSIDE_GENUS"] == "warning"
    assert severity["BARCODE_IN_TWO_PARTITIONS"] == "blocking"


def test_invariants_are_declared_as_rules_and_used():
    declared = registry()
    curated, released = (
        {rule.id for rule in expectation_rules(table) if rule.id in declared}
        for table in (schema.CURATED, schema.METADATA_EXTENDED)
    )
    assert {"INVARIANT_LINEAGE", "INVARIANT_BARCODE_LABELS", "BOX_OUTSIDE_IMAGE", "TAXON_IS_DEEPEST_LABEL"} <= curated
    assert {"BARCODE_IN_TWO_PARTITIONS", "SPECIES_IN_SEEN_AND_UNSEEN", "UNSEEN_SPECIES_WITHOUT_KEY"} <= released
    assert not curated & {"BARCODE_IN_TWO_PARTITIONS"}
