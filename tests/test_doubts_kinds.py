from bioscan_etl.decisions.vocabulary import ACTIONS, LIFTABLE
from bioscan_etl.doubts.kinds import COVERS, KINDS, OF_GROUPS, kind_of
from bioscan_etl.quality.rules import GATES
from bioscan_etl.rules import registry
from bioscan_etl.schema import DOUBT_KINDS, SPECIMENS


def test_every_rule_is_known_and_of_one_kind():
    listed = [rule for kind in KINDS.values() for rule in kind.rules]
    assert sorted(listed) == sorted(set(listed))
    assert not set(listed) - set(registry())
    assert tuple(KINDS) == DOUBT_KINDS


def test_every_gate_is_a_doubt_so_that_nothing_is_held_back_unseen():
    assert {gate.id for gate in GATES} | set(LIFTABLE) <= set(kind_of())


def test_facts_are_columns_and_the_actions_are_known():
    for name, kind in KINDS.items():
        assert set(kind.facts) <= set(SPECIMENS.names())
        assert set(kind.settled_by) <= set(ACTIONS)
        assert bool(kind.facts) != (name in OF_GROUPS)


def test_a_rule_covers_rules_of_its_own_kind():
    kinds = kind_of()
    assert all(kinds[rule] == kinds[one] for rule, covered in COVERS.items() for one in covered)
