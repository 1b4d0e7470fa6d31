"""Making a stage: others are waited for, and what fails for a moment is tried again."""

import threading

import pytest
from lake_corpus import land

from bioscan_etl.errors import BusyError, LakeError, UnavailableError
from bioscan_etl.lake import Lake
from bioscan_etl.schema import BCDM
from bioscan_etl.settings import Settings
from bioscan_etl.stages import run as module
from bioscan_etl.stages.run import run_stage
from bioscan_etl.stages.situation import Situation

COLUMNS = ["processid", *(column.name for column in BCDM)]
ROW = dict.fromkeys(COLUMNS, "None") | {"processid": "A-1", "marker_code": "COI-5P", "nuc": "ACGT"}
ROWS = "".join("\t".join(row) + "\n" for row in (COLUMNS, ROW.values()))


@pytest.fixture
def situation(tmp_path):
    lake = Lake(tmp_path)
    return Situation(lake, Settings(), batch=land(lake, "b1", ROWS))


@pytest.fixture
def failing(monkeypatch):
    """Makes `_make_output` fail; the waits between are short."""
    monkeypatch.setattr(module, "_EXPONENTIAL", lambda _: 0.001)
    tries = []

    def fail_with(*errors):
        def make(*_):
            tries.append(1)
            raise errors[min(len(tries), len(errors)) - 1]

        monkeypatch.setattr(module, "_make_output", make)
        return tries

    return fail_with


def test_another_run_is_waited_for(situation, caplog):
    held, let_go = threading.Event(), threading.Event()

    def other():
        with situation.lake.lock("raw_records", "b1"):
            held.set()
            assert let_go.wait(20)

    thread = threading.Thread(target=other)
    thread.start()
    assert held.wait(20)
    threading.Timer(1.2, let_go.set).start()
    done = run_stage("raw_records", situation)
    thread.join()
    assert done.built
    assert [record.message[:8] for record in caplog.records if record.levelname == "WARNING"] == ["waiting:"]


def test_another_run_is_not_waited_for_without_end(situation, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)
    with (
        situation.lake.lock("raw_records", "b1"),
        pytest.raises(BusyError, match="written by another run; wait for it"),
    ):
        run_stage("raw_records", situation)


def test_a_moment_without_network_is_no_failure_and_a_longer_one_is(situation, failing):
    tries = failing(UnavailableError("no answer"))
    with pytest.raises(UnavailableError):
        run_stage("raw_records", situation)
    assert len(tries) == 3


def test_what_stays_wrong_is_tried_once(situation, failing):
    tries = failing(LakeError("damaged"))
    with pytest.raises(LakeError):
        run_stage("raw_records", situation)
    assert len(tries) == 1
