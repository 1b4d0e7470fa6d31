"""A round: each event is told once to each channel, and what could not be sent is sent later."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from alert_corpus import ingest_figures
from alert_servers import free_port, hook, mail_server
from lake_corpus import ingest, land

from bioscan_etl import alerts, state
from bioscan_etl.alerts.event import alert
from bioscan_etl.alerts.ledger import ledger_file
from bioscan_etl.alerts.webhook import ADDRESS
from bioscan_etl.errors import BusyError, LakeError
from bioscan_etl.lake import Lake, failures
from bioscan_etl.lake.failures import Failure
from bioscan_etl.lake.locks import hold
from bioscan_etl.settings import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (ADDRESS, "BIOSCAN_ALERTS_TOKEN", "BIOSCAN_SMTP_USER", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    return made


def settings(hook_port=None, mail_port=None, **values):
    if hook_port is not None:
        values["webhook"] = f"http://127.0.0.1:{hook_port}/hook"
    if mail_port is not None:
        values |= {"mail_to": ["curator@lab.example"], "mail_from": "etl@lab.example", "smtp_host": "127.0.0.1",
                   "smtp_port": mail_port, "smtp_security": "none"}  # fmt: skip
    return Settings.model_validate({"alerts": values})


def fail(lake, name, stage="raw_records", sentence="raw_records: bad\n\x1b[2J"):
    key = next(one.key for one in state.survey(lake, Settings()) if one.name == name)
    failures.note(lake, Failure(key, stage, sentence, False, "d"), name)


def test_without_a_channel_nothing_is_done(lake):
    land(lake, "b")
    fail(lake, "b")
    assert not alerts.is_on(Settings().alerts)
    assert alerts.take_round(lake, Settings()) == alerts.Outcome()
    assert not (lake.root / "alerts").exists()


def test_the_same_failure_twice_is_one_alert(lake):
    land(lake, "b")
    fail(lake, "b")
    with hook() as server:
        chosen = settings(server.server_port)
        outcome = alerts.take_round(lake, chosen)
        assert (outcome.open, outcome.sent, outcome.problems) == (1, {"webhook": 1}, [])
        fail(lake, "b")  # the run was repeated and failed again
        assert alerts.take_round(lake, chosen).sent == {}
        assert server.titles == ["batch b failed at raw_records"]
        failures.forget(lake, "b")
        assert alerts.take_round(lake, chosen).open == 0
        fail(lake, "b", "specimen_boxes", "specimen_boxes: bad")
        alerts.take_round(lake, chosen)
    assert server.titles == ["batch b failed at raw_records", "batch b failed at specimen_boxes"]


def test_a_server_that_was_down_is_told_once_when_it_is_up(lake):
    land(lake, "b")
    fail(lake, "b")
    port = free_port()
    for _ in range(2):
        outcome = alerts.take_round(lake, settings(port))
        assert (outcome.sent, outcome.waiting) == ({}, {"webhook": 1})
        assert "cannot be reached" in outcome.problems[0]
    with hook(port) as server:
        assert alerts.take_round(lake, settings(port)).sent == {"webhook": 1}
        assert alerts.take_round(lake, settings(port)).sent == {}
    assert server.titles == ["batch b failed at raw_records"]


def test_a_channel_that_is_down_holds_up_no_other(lake):
    land(lake, "b")
    fail(lake, "b")
    port = free_port()
    with mail_server() as box:
        assert alerts.take_round(lake, settings(port, box.port)).sent == {"mail": 1}
        with hook(port) as server:
            assert alerts.take_round(lake, settings(port, box.port)).sent == {"webhook": 1}
            assert alerts.take_round(lake, settings(port, box.port)).sent == {}
    assert len(box.mails) == len(server.got) == 1


def test_what_is_over_before_it_could_be_told_is_told_as_over(lake):
    land(lake, "b")
    fail(lake, "b")
    port = free_port()
    alerts.take_round(lake, settings(port))
    failures.forget(lake, "b")
    with hook(port) as server:
        assert alerts.take_round(lake, settings(port)).open == 0
        assert alerts.take_round(lake, settings(port)).sent == {}
    [one] = server.alerts
    assert one["over"]


def test_many_events_are_several_messages_and_none_is_lost(lake):
    with hook() as server:
        many = [alert("old_doubts", "open doubts", (str(n),), f"day {n}") for n in range(60)]
        outcome = alerts.take_round(lake, settings(server.server_port), doubts=many)
        assert (outcome.sent, outcome.waiting) == ({"webhook": 50}, {"webhook": 10})
        # In a round that does not look at doubts, those that were told are not over.
        assert alerts.take_round(lake, settings(server.server_port)).open == 60
        assert alerts.take_round(lake, settings(server.server_port), doubts=many).sent == {}
    assert sorted(server.titles) == sorted(f"day {n}" for n in range(60))
    assert len(server.got) == 2


def test_every_kind_is_told_once_in_one_message(lake):
    for n in range(6):
        ingest_figures(lake, f"usual-{n}")
    ingest_figures(lake, "odd", empty=0.6)
    land(lake, "bad")
    fail(lake, "bad")
    ingest(lake, land(lake, "poor"), checked_barcodes={"checked_barcodes": 10, "with_barcode": 2})
    failures.note(lake, Failure("k", "partitions", "partitions: bad", False), corpus=True)
    runs = [alerts.FailedRun(alerts.Work("tidy_up"), "run-1", "disk full")]
    old = [alert("old_doubts", "open doubts", ("2026-01-01",), "3 doubts are open")]
    with hook() as server:
        for _ in range(3):
            alerts.take_round(lake, settings(server.server_port), runs, doubts=old)
    assert sorted(one["kind"] for one in server.alerts) == [
        "batch_deviates", "batch_failed", "check_failed", "old_doubts", "release_failed", "run_failed"
    ]  # fmt: skip
    assert len(server.got) == 1


def test_damage_is_named_and_hides_nothing_else(lake):
    for n in range(6):
        ingest_figures(lake, f"usual-{n}")
    ingest_figures(lake, "odd", empty=0.6)
    ingest(lake, land(lake, "no-tables"))
    with hook() as server:
        outcome = alerts.take_round(lake, settings(server.server_port))
    assert server.titles == ["batch odd is far from its predecessors"]
    [problem] = outcome.problems
    assert "the figures of batch no-tables cannot be read" in problem


def test_a_damaged_ledger_sends_nothing_and_says_so(lake):
    land(lake, "b")
    fail(lake, "b")
    with hook() as server:
        alerts.take_round(lake, settings(server.server_port))
        ledger_file(lake).write_text("{")
        with pytest.raises(LakeError, match="restore it, or delete it"):
            alerts.take_round(lake, settings(server.server_port))
    assert len(server.got) == 1


def test_two_rounds_at_the_same_time_do_not_tell_twice(lake):
    with hold(lake.root / "alerts" / ".lock", "x"), pytest.raises(BusyError, match="another process sends the alerts"):
        alerts.take_round(lake, settings(free_port()))


@pytest.mark.slow
def test_a_killed_round_loses_nothing(lake, tmp_path):
    """Killed while the server keeps it waiting, in a process of its own; the ledger already has what waits."""
    land(lake, "b")
    fail(lake, "b")
    (lake.root / "settings.toml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        code = (
            "import sys; from pathlib import Path; from bioscan_etl import alerts; from bioscan_etl.lake import Lake;"
            "from bioscan_etl.settings import Settings;"
            "alerts.take_round(Lake(Path(sys.argv[1])), Settings.model_validate({'alerts': {'webhook': sys.argv[2]}}))"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(lake.root), f"http://127.0.0.1:{port}/hook"], cwd=Path(__file__).parents[1]
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(1024)
            process.kill()
            process.wait()
    [entry] = json.loads(ledger_file(lake).read_text())["alerts"].values()
    assert entry["waiting"] == ["webhook"]
    with hook(port) as server:
        alerts.take_round(lake, settings(port))
        alerts.take_round(lake, settings(port))
    assert server.titles == ["batch b failed at raw_records"]
