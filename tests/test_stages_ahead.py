"""Two stages at a time: what is made ahead is ready, made once, and handed over at its turn."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.errors import LakeError
from bioscan_etl.findings import Finding
from bioscan_etl.lake import Lake
from bioscan_etl.progress import silent
from bioscan_etl.settings import Settings
from bioscan_etl.stages import ahead as module
from bioscan_etl.stages.ahead import Ahead
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.stages.run import Done
from bioscan_etl.stages.situation import Situation

LONG = 20  # seconds, for what must happen
AFTER = ("barcodes", "audit", "distances")  # the last two read the first


@pytest.fixture
def situation(tmp_path):
    return Situation(Lake(tmp_path), Settings())


def done(name, *findings):
    return Done(name, None, "", built=True, counts={}, findings=findings)


class Making:
    """Makes stages, each taking until it is let go; counts them and how many are made at a time."""

    def __init__(self, *held):
        self.made, self.most = [], 0
        self.begun = {name: threading.Event() for name in STAGES}
        self.let_go = {name: threading.Event() for name in held}
        self.errors, self.findings = {}, {}
        self._now, self._lock = 0, threading.Lock()

    def __call__(self, name, *_):
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.begun[name].set()
        if name in self.let_go:
            assert self.let_go[name].wait(LONG)
        with self._lock:
            self._now -= 1
            self.made.append(name)
        if name in self.errors:
            raise self.errors[name]
        return done(name, *self.findings.get(name, ()))


def test_a_stage_that_is_ready_is_made_beside_the_one_at_its_turn(situation):
    making = Making("audit", "distances")
    ahead = Ahead(situation, AFTER, silent, 1.0, making)
    assert ahead.make("barcodes", silent).stage == "barcodes"
    found = []
    turn = threading.Thread(target=lambda: found.append(ahead.make("audit", silent)))
    turn.start()
    assert making.begun["audit"].wait(LONG)
    assert making.begun["distances"].wait(LONG)
    for name in ("distances", "audit"):
        making.let_go[name].set()
    turn.join(LONG)
    assert [one.stage for one in (*found, ahead.make("distances", silent))] == ["audit", "distances"]
    assert sorted(making.made) == sorted(AFTER)
    assert ahead.is_over


def test_nothing_is_made_ahead_without_a_budget_or_beyond_it(situation, monkeypatch):
    needed = sum(STAGES[name].bytes_per_row for name in ("audit", "distances"))
    assert needed
    monkeypatch.setattr(module, "rows_of", lambda _: 1_000)
    for budget, most in ((0.0, 1), (1_000.0 * needed - 1, 1), (1_000.0 * needed, 2)):
        making = Making()
        ahead = Ahead(situation, AFTER, silent, budget, making)
        ahead.make("barcodes", silent)
        if most == 2:
            making.let_go["audit"] = making.begun["distances"]
            making.let_go["distances"] = making.begun["audit"]
        ahead.make("audit", silent)
        ahead.make("distances", silent)
        assert making.most == most


def test_a_stage_that_takes_all_cores_has_them_alone(situation):
    stages = ("specimen_boxes", "checked_geography")
    assert STAGES["specimen_boxes"].alone
    making = Making()
    ahead = Ahead(situation, stages, silent, 1.0, making)
    ahead.make("specimen_boxes", silent)
    ahead.close()
    ahead.make("checked_geography", silent)
    assert making.made == list(stages)
    assert making.most == 1
    making = Making()
    ahead = Ahead(situation, stages[::-1], silent, 1.0, making)
    ahead.make("checked_geography", silent)
    ahead.close()
    assert making.made == ["checked_geography"]


def test_an_error_of_a_stage_made_ahead_is_raised_at_its_turn(situation):
    making = Making("audit")
    making.errors["distances"] = LakeError("no distances")
    ahead = Ahead(situation, AFTER, silent, 1.0, making)
    ahead.make("barcodes", silent)
    making.let_go["audit"] = making.begun["distances"]
    assert ahead.make("audit", silent).stage == "audit"
    with pytest.raises(LakeError, match="no distances"):
        ahead.make("distances", silent)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_failed_blocking_check_keeps_back_what_follows(situation, blocking):
    making = Making()
    making.findings["specimen_expectations"] = (Finding("a", passed=False, count=1, statement="", blocking=blocking),)
    stages = ("specimens", "specimen_expectations", "curated_taxonomy", "proposals")
    ahead = Ahead(situation, stages, silent, 1.0, making)
    for name in stages[:2]:
        ahead.make(name, silent)
    ahead.close()
    # It waits for the check, not only for what it reads.
    assert making.made.index("specimen_expectations") < (*making.made, "curated_taxonomy").index("curated_taxonomy")
    if blocking:
        assert "curated_taxonomy" not in making.made


def test_the_thread_at_its_turn_makes_another_stage_while_its_own_is_being_made(situation):
    making = Making("audit")
    stages = ("barcodes", "audit", "distances", "curated_expectations")
    ahead = Ahead(situation, stages, silent, 1.0, making)
    making.let_go["barcodes"] = threading.Event()
    turn = threading.Thread(target=lambda: ahead.make("barcodes", silent))
    turn.start()
    assert making.begun["curated_expectations"].wait(LONG)  # the second thread, beside barcodes
    making.let_go["barcodes"].set()
    turn.join(LONG)
    making.let_go["distances"] = threading.Event()
    turn = threading.Thread(target=lambda: ahead.make("distances", silent))
    turn.start()
    assert making.begun["distances"].wait(LONG)
    assert making.begun["audit"].wait(LONG)
    waiting = threading.Thread(target=lambda: ahead.make("audit", silent))
    waiting.start()
    for name in ("distances", "audit"):
        making.let_go[name].set()
    for thread in (turn, waiting):
        thread.join(LONG)
        assert not thread.is_alive()
    assert sorted(making.made) == sorted(stages)


def test_closing_waits_for_the_stage_in_the_making_and_begins_no_other(situation):
    making = Making("audit")
    ahead = Ahead(situation, ("barcodes", "specimen_expectations", "audit"), silent, 1.0, making)
    making.let_go["barcodes"] = making.begun["specimen_expectations"]
    ahead.make("barcodes", silent)
    threading.Timer(0.05, making.let_go["audit"].set).start()
    ahead.close()
    before = list(making.made)
    time.sleep(0.05)
    assert making.made == before
    assert not any(thread.name == "stages ahead" for thread in threading.enumerate())


def test_an_interruption_ends_the_turn_at_once(situation):
    making = Making()
    making.errors["barcodes"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        Ahead(situation, AFTER, silent, 1.0, making).make("barcodes", silent)


@given(st.lists(st.sampled_from(list(STAGES)), unique=True), st.data())
def test_each_stage_is_made_once_and_after_all_that_it_reads(chosen, data):
    stages = [name for name in STAGES if name in chosen]
    lengths = {name: data.draw(st.sampled_from([0.0, 0.0, 0.001, 0.003])) for name in stages}
    lock, begun, ended = threading.Lock(), [], []

    def make(name, *_):
        with lock:
            missing = [read for read in (*STAGES[name].reads, *STAGES[name].after) if read in stages]
            assert set(missing) <= set(ended)
            begun.append(name)
        time.sleep(lengths[name])
        with lock:
            ended.append(name)
        return done(name)

    ahead = Ahead(Situation(Lake("."), Settings()), stages, silent, 1e9, make)
    assert [ahead.make(name, silent).stage for name in stages] == stages
    ahead.close()
    assert sorted(begun) == sorted(ended) == sorted(stages)
    assert ahead.is_over
