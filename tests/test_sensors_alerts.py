"""The sensor of the alerts, on real Dagster instances, real lakes and real servers: also over a whole day."""

import datetime as dt

import dagster as dg
import pytest
import time_machine
from alert_corpus import ingest_figures
from alert_servers import free_port, hook, mail_server
from lake_corpus import land

from bioscan_etl import landing, state
from bioscan_etl.alerts.webhook import ADDRESS
from bioscan_etl.definitions import build_defs
from bioscan_etl.definitions.running import open_instance, run_batch
from bioscan_etl.errors import BioscanError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.progress import silent
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.alerts import alerts_sensor
from bioscan_etl.settings import AlertSettings, AutomationSettings
from bioscan_etl.ui.plan import READ_ONLY, environment

MIDNIGHT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name in (ADDRESS, "BIOSCAN_ALERTS_TOKEN", "BIOSCAN_SMTP_USER", READ_ONLY, "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    return made


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as running:
        yield running


def configure(lake, hook_port, mail_port=None):
    text = f'[alerts]\nwebhook = "http://127.0.0.1:{hook_port}/hook"\n'
    if mail_port is not None:
        text += (
            'mail_to = ["curator@lab.example"]\nmail_from = "etl@lab.example"\n'
            f'smtp_host = "127.0.0.1"\nsmtp_port = {mail_port}\nsmtp_security = "none"\n'
        )
    (lake.root / "settings.toml").write_text(text)


def tick(lake, instance):
    sensor = alerts_sensor(AlertSettings(), AutomationSettings())
    resources = {"corpus": CorpusResource(str(lake.root))}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        answer = sensor(context)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message.isprintable()
    return answer.skip_message


def run(lake, instance, job):
    """A real run of a job of the graph."""
    definitions = build_defs(CorpusResource(str(lake.root)), silent)
    return definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)


def test_it_is_on_if_somebody_is_to_be_told_and_the_ui_is_not_read_only(monkeypatch):
    def status(settings):
        return alerts_sensor(settings, AutomationSettings()).default_status

    on = AlertSettings(webhook="https://chat.example/x")
    assert status(AlertSettings()) is dg.DefaultSensorStatus.STOPPED
    assert status(on) is dg.DefaultSensorStatus.RUNNING
    monkeypatch.setenv(READ_ONLY, "1")
    assert status(on) is dg.DefaultSensorStatus.STOPPED
    monkeypatch.setenv(READ_ONLY, "")
    monkeypatch.setenv(ADDRESS, "https://chat.example/secret")
    assert status(AlertSettings()) is dg.DefaultSensorStatus.RUNNING


def test_the_ui_tells_its_processes_whether_it_is_read_only(tmp_path):
    assert environment(tmp_path, tmp_path)[READ_ONLY] == ""
    assert environment(tmp_path, tmp_path, read_only=True)[READ_ONLY] == "1"


def test_the_graph_has_it(lake):
    [sensor] = [one for one in build_defs(CorpusResource(str(lake.root)), silent).sensors if one.name == "alerts"]
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    configure(lake, 80)
    [sensor] = [one for one in build_defs(CorpusResource(str(lake.root)), silent).sensors if one.name == "alerts"]
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_without_settings_nothing_is_sent_and_nothing_written(lake, instance):
    assert "alerts are off" in tick(lake, instance)
    assert not (lake.root / "alerts").exists()


def test_a_read_only_ui_sends_nothing(lake, instance, monkeypatch):
    monkeypatch.setenv(READ_ONLY, "1")
    with hook() as server:
        configure(lake, server.server_port)
        run(lake, instance, "check_release")
        assert "read-only" in tick(lake, instance)
    assert server.got == []


@pytest.mark.parametrize("text", ["[alerts]\nwebhook = 'ftp://x'\n", "[alerts]\nmail_to = ['a@b']\n", "not toml"])
def test_broken_settings_do_not_fail_the_tick(lake, instance, text):
    (lake.root / "settings.toml").write_text(text)
    assert "settings.toml" in tick(lake, instance)


@pytest.mark.slow
def test_the_same_failed_run_twice_is_one_alert_also_in_a_new_database(lake, instance, tmp_path):
    with hook() as server:
        configure(lake, server.server_port)
        assert not run(lake, instance, "check_release").success
        assert tick(lake, instance) == "1 events are open; 1 sent by webhook"
        assert not run(lake, instance, "check_release").success
        assert tick(lake, instance) == "1 events are open"
        (tmp_path / "other").mkdir()
        with dg.DagsterInstance.local_temp(str(tmp_path / "other")) as lost:
            assert not run(lake, lost, "check_release").success
            assert tick(lake, lost) == "1 events are open"
    [one] = server.alerts
    assert one["title"] == "check_release failed"
    assert one["lines"][0] == "check_latest: there is no release to check"


@pytest.mark.slow
def test_a_batch_that_fails_in_a_terminal_is_one_alert(lake):
    """A real ingest of a real file that changed: the failure is in the lake and in Dagster's database."""
    path = lake.root / "b1.tsv"
    path.write_text("processid\nA-1\n")
    landing.register(lake, "b1", [str(path)])
    path.write_text("other")
    with hook() as server, open_instance(lake) as instance:
        configure(lake, server.server_port)
        for _ in range(2):
            [batch] = state.survey(lake, read_settings(lake))
            with pytest.raises(BioscanError):
                run_batch(lake, batch, instance=instance, progress=silent)
            tick(lake, instance)
    assert server.titles == ["batch b1 failed at raw_records"]
    assert "has changed since batch b1 landed" in server.alerts[0]["lines"][0]


def test_names_of_jobs_and_batches_from_the_database_are_never_markup(lake, instance):
    hostile = "plate\r\nBcc: x@evil.example\x1b[2J<!channel>"
    bad = dg.DagsterRun(
        job_name="ingest_batch", status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": hostile}
    )
    instance.add_run(bad)
    instance.report_run_failed(bad, f"{hostile}\n{hostile}")
    with hook() as server, mail_server() as box:
        configure(lake, server.server_port, box.port)
        tick(lake, instance)
    [mail] = box.mails
    assert mail["Bcc"] is None
    assert box.got[0].rcpt_tos == ["curator@lab.example"]
    [(_, _, document)] = server.got
    assert "<" not in document["text"]
    assert "\x1b" not in document["text"]


@pytest.mark.slow
def test_a_day(lake, instance, tmp_path):
    """Every hour: things break, are repaired and break again, and servers come and go; each event is told once."""
    hook_port, mail_port = free_port(), free_port()
    hooked, mailed, opened = [], [], {}

    def change(hour):
        if hour == 1:  # the first night's check finds no release, and does so three times
            run(lake, instance, "check_release")
        if hour in (4, 9):
            run(lake, instance, "check_release")
        if hour == 3:
            for n in range(6):
                ingest_figures(lake, f"usual-{n}")
        if hour == 6:
            ingest_figures(lake, "odd", empty=0.6)
        if hour == 8:
            land(lake, "damaged")
            (lake.landing / "damaged" / "batch.json").write_text("{")
        if hour == 15:
            land(lake, "damaged", "processid\nA-2\n")  # repaired
        if hour == 18:
            (lake.landing / "damaged" / "batch.json").write_text("{")  # and broken anew
        if hour == 20:  # Dagster's database is lost
            (tmp_path / "new").mkdir()
            opened["new"] = dg.DagsterInstance.local_temp(str(tmp_path / "new"))

    with time_machine.travel(MIDNIGHT, tick=True) as clock:
        configure(lake, hook_port, mail_port)
        for hour in range(24):
            clock.move_to(MIDNIGHT + dt.timedelta(hours=hour))
            change(hour)
            database = opened.get("new", instance)
            if 6 <= hour < 11:  # the webhook is down
                with mail_server(port=mail_port) as box:
                    tick(lake, database)
            elif 11 <= hour < 14:  # everything is down
                tick(lake, database)
            else:
                with hook(hook_port) as server, mail_server(port=mail_port) as box:
                    tick(lake, database)
                    hooked += server.titles
            if not 11 <= hour < 14:
                mailed += [line for mail in box.mails for line in mail.get_content().splitlines()]
    opened["new"].dispose()
    expected = [
        "check_release failed",
        "batch odd is far from its predecessors",
        "batch damaged cannot be ingested",
        "batch damaged cannot be ingested",
    ]
    assert sorted(hooked) == sorted(expected)
    assert sorted(line for line in mailed if line in expected) == sorted(expected)
