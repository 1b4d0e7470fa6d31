"""The ledger: what is new, what waits, what is over, and what a damaged file says."""

import pytest

from bioscan_etl.alerts.event import alert
from bioscan_etl.alerts.ledger import Ledger, ledger_file, observe, read_ledger, told, write_ledger
from bioscan_etl.errors import LakeError
from bioscan_etl.lake import Lake

BOTH = ("mail", "webhook")
FAILED = alert("batch_failed", "batch b", ("k",), "b failed", ("why", "ünïcode"))
CHECK = alert("check_failed", "batch b", ("c",), "a check failed")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def test_an_event_waits_for_each_channel_until_that_one_was_told(lake):
    ledger = observe(Ledger(), [FAILED], BOTH, "t1")
    assert [one.id for one in ledger.waiting_for("mail")] == [FAILED.id]
    ledger = told(ledger, "webhook", [FAILED.id], "t2")
    write_ledger(lake, ledger)
    ledger = observe(read_ledger(lake), [FAILED], BOTH, "t3")
    assert ledger.waiting_for("webhook") == []
    assert [one.id for one in ledger.waiting_for("mail")] == [FAILED.id]
    ledger = told(ledger, "mail", [FAILED.id], "t4")
    [entry] = observe(ledger, [FAILED], BOTH, "t5").entries.values()
    assert (entry.since, entry.waiting, dict(entry.sent)) == ("t1", (), {"webhook": "t2", "mail": "t4"})


def test_what_is_over_is_forgotten_and_may_come_back():
    ledger = told(observe(Ledger(), [FAILED], ["mail"], "t1"), "mail", [FAILED.id], "t1")
    ledger = observe(ledger, [], ["mail"], "t2")
    assert ledger == Ledger()
    assert observe(ledger, [FAILED], ["mail"], "t3").waiting_for("mail")


def test_what_is_over_before_it_was_told_is_told_all_the_same():
    ledger = observe(observe(Ledger(), [FAILED], ["mail"], "t1"), [], ["mail"], "t2")
    [entry] = ledger.waiting_for("mail")
    assert entry.over
    assert told(ledger, "mail", [FAILED.id], "t3") == Ledger()


def test_what_could_not_be_looked_at_is_not_over():
    ledger = told(observe(Ledger(), [FAILED, CHECK], ["mail"], "t1"), "mail", [FAILED.id, CHECK.id], "t1")
    assert set(observe(ledger, [], ["mail"], "t2", unread=["batch b"]).entries) == {FAILED.id, CHECK.id}
    assert set(observe(ledger, [], ["mail"], "t2", lasting=[CHECK.id]).entries) == {CHECK.id}


def test_nothing_waits_for_a_channel_that_is_not_set_up_any_more():
    ledger = observe(Ledger(), [FAILED], BOTH, "t1")
    ledger = observe(ledger, [FAILED], ["mail"], "t2")
    assert ledger.waiting_for("webhook") == []
    assert ledger.waiting_for("mail")
    # A channel that is added later is told of what is new then.
    assert observe(ledger, [FAILED], BOTH, "t3").waiting_for("webhook") == []


def test_it_is_read_as_it_was_written(lake):
    ledger = observe(Ledger(compared={"b": "f"}), [CHECK, FAILED], BOTH, "t1")
    write_ledger(lake, ledger)
    again = read_ledger(lake)
    assert dict(again.entries) == dict(ledger.entries)
    assert again.compared == {"b": "f"}
    assert not list(ledger_file(lake).parent.glob(".part*"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "not json", '{"format": 9, "alerts": {}, "compared": {}}', '{"format": 1, "alerts": {"a": {}}}',
     '{"format": 1, "alerts": [], "compared": {}}'],
)  # fmt: skip
def test_a_damaged_one_names_itself_and_the_way_out(lake, text):
    ledger_file(lake).parent.mkdir()
    ledger_file(lake).write_text(text)
    with pytest.raises(LakeError, match=r"alerts\.json is damaged .*restore it, or delete it"):
        read_ledger(lake)
