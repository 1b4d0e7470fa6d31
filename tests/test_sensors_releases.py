"""The sensor of releases and the schedules, on a real Dagster instance and a real lake."""

import dagster as dg
import pytest
from lake_corpus import ingest, land

from bioscan_etl import state
from bioscan_etl.assets.factory import PIN_TAG
from bioscan_etl.lake import Lake, pins
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.jobs import CORPUS_JOB, INGEST_JOB, WORK_TAG
from bioscan_etl.sensors.releases import schedules, settled_sensor
from bioscan_etl.settings import AutomationSettings, Settings

SENSOR = settled_sensor(AutomationSettings())
NIGHTLY, *_ = schedules(AutomationSettings())


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    (made.root / "settings.toml").write_text("[automation]\nsettle_minutes = 0\n")
    return made


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as running:
        yield running


def tick(lake, instance):
    resources = {"corpus": CorpusResource(str(lake.root))}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return SENSOR(context)


def night(lake, instance):
    resources = {"corpus": CorpusResource(str(lake.root))}
    with dg.build_schedule_context(instance=instance, resources=resources) as context:
        return NIGHTLY(context)


def add_run(instance, job, status, **tags):
    instance.add_run(dg.DagsterRun(job_name=job, status=status, tags=tags))


def test_sensor_and_schedules_run_from_the_start_as_the_settings_say():
    assert SENSOR.default_status == dg.DefaultSensorStatus.RUNNING
    assert settled_sensor(AutomationSettings(release_when_settled=False)).default_status == (
        dg.DefaultSensorStatus.STOPPED
    )
    found = schedules(AutomationSettings(weekly_check="0 5 * * 0", monthly_tidy="0 6 1 * *"))
    assert {(one.name, one.cron_schedule, one.default_status) for one in found} == {
        ("nightly_release", "0 2 * * *", dg.DefaultScheduleStatus.RUNNING),
        ("weekly_check", "0 5 * * 0", dg.DefaultScheduleStatus.RUNNING),
        ("monthly_tidy", "0 6 1 * *", dg.DefaultScheduleStatus.RUNNING),
    }
    assert schedules(AutomationSettings(nightly_release="")) == []


def test_it_waits_for_batches(lake, instance):
    assert tick(lake, instance).skip_message == "no batch is ingested yet"
    ingest(lake, land(lake, "plate-1"))
    land(lake, "plate-2")
    assert "1 batches are being ingested: plate-2" in tick(lake, instance).skip_message


def test_it_pins_what_is_current_and_asks_once(lake, instance):
    ingest(lake, land(lake, "plate-1"))
    request = tick(lake, instance)
    assert list(pins.load_pin(lake, request.tags[PIN_TAG]).records) == ["plate-1"]
    assert request.tags["bioscan/why"] == "there is no release yet"
    key = state.corpus(lake, Settings()).key
    assert request.tags[WORK_TAG] == key[:32]
    add_run(instance, CORPUS_JOB, dg.DagsterRunStatus.STARTED, **request.tags)
    assert tick(lake, instance).skip_message == "a release is being made"


def test_a_release_run_that_was_killed_is_asked_for_again(lake, instance):
    ingest(lake, land(lake, "plate-1"))
    first = tick(lake, instance)
    add_run(instance, CORPUS_JOB, dg.DagsterRunStatus.FAILURE, **first.tags)
    assert "stopped externally" in tick(lake, instance).skip_message
    (lake.root / "settings.toml").write_text("[automation]\nsettle_minutes = 0\nretry_minutes = 0\n")
    assert tick(lake, instance).run_key == first.run_key.removesuffix("0") + "1"


def test_stale_batches_are_never_released(lake, instance):
    ingest(lake, land(lake, "plate-1"))
    (lake.root / "settings.toml").write_text("[automation]\nsettle_minutes = 0\n[images]\ncrop_margin = 1.0\n")
    assert "being ingested" in tick(lake, instance).skip_message
    assert "batches are not current" in night(lake, instance).skip_message


def test_the_night_goes_through_the_corpus_whether_anything_changed_or_not(lake, instance):
    assert night(lake, instance).skip_message == "no batch is ingested yet"
    ingest(lake, land(lake, "plate-1"))
    request = night(lake, instance)
    assert list(pins.load_pin(lake, request.tags[PIN_TAG]).records) == ["plate-1"]
    # A batch that is being ingested waits for its own release; the others are not held up.
    land(lake, "plate-2")
    add_run(instance, INGEST_JOB, dg.DagsterRunStatus.STARTED)
    assert isinstance(night(lake, instance), dg.RunRequest)
    add_run(instance, CORPUS_JOB, dg.DagsterRunStatus.STARTED)
    assert night(lake, instance).skip_message == "a release is being made"
