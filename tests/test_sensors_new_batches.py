"""The sensor of new batches, on a real Dagster instance and a real lake."""

import dagster as dg
import pytest
from lake_corpus import ingest, land

from bioscan_etl import landing, state
from bioscan_etl.automation import MOST_REQUESTS
from bioscan_etl.lake import Lake, failures
from bioscan_etl.lake.failures import Failure
from bioscan_etl.resources import CorpusResource
from bioscan_etl.schema import BCDM
from bioscan_etl.sensors.jobs import INGEST_JOB, WORK_TAG
from bioscan_etl.sensors.new_batches import new_batches_sensor
from bioscan_etl.sensors.runs import attempts
from bioscan_etl.settings import AutomationSettings, Settings

SENSOR = new_batches_sensor(AutomationSettings())


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as running:
        yield running


def tick(lake, instance):
    resources = {"corpus": CorpusResource(str(lake.root))}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return SENSOR(context)


def test_it_runs_from_the_start_at_the_pace_of_the_settings():
    assert SENSOR.default_status == dg.DefaultSensorStatus.RUNNING
    assert new_batches_sensor(AutomationSettings(tick_seconds=7)).minimum_interval_seconds == 7


def test_nothing_landed_is_nothing_to_do(lake, instance):
    assert tick(lake, instance).skip_message == "0 batches are current"


def test_a_new_batch_is_added_and_requested_with_what_is_to_be_made_of_it(lake, instance):
    land(lake, "plate-1")
    found = tick(lake, instance)
    (request,) = found.run_requests
    key = state.survey(lake, Settings())[0].key
    assert (request.partition_key, request.run_key) == ("plate-1", f"plate-1:{key[:16]}:0")
    assert request.tags[WORK_TAG] == key[:32]
    assert request.tags["bioscan/why"] == "not ingested yet"
    assert request.tags["bioscan/settings"] == Settings().digest()[:16]
    assert found.dynamic_partitions_requests[0].partition_keys == ["plate-1"]
    assert found.cursor is None


def test_changed_settings_are_work_to_do(lake, instance):
    ingest(lake, land(lake, "plate-1"))
    assert isinstance(tick(lake, instance), dg.SkipReason)
    (lake.root / "settings.toml").write_text("[barcodes]\nmin_length = 400\n")
    (request,) = tick(lake, instance).run_requests
    assert request.tags["bioscan/why"] == "setting barcodes.min_length: 500 -> 400"


def test_broken_settings_are_said_and_nothing_is_asked_for(lake, instance):
    land(lake, "plate-1")
    (lake.root / "settings.toml").write_text("[barcodes]\nmin_lenght = 400\n")
    assert "min_lenght" in tick(lake, instance).skip_message


def test_a_lake_of_an_earlier_version_is_refused_with_the_way_out(lake, instance):
    (lake.home / "raw_records" / "b1").mkdir(parents=True)
    (lake.home / "raw_records" / "b1" / "current.json").write_text("{}")
    assert "move it away" in tick(lake, instance).skip_message


def test_damaged_markers_and_failures_are_listed_and_hide_nothing(lake, instance):
    (lake.landing / "folder" / "batch.json").mkdir(parents=True)
    (lake.landing / "bad name").mkdir()
    (lake.landing / "bad name" / "batch.json").write_text('{"name": "bad name"}')
    land(lake, "broken")
    key = next(one.key for one in state.survey(lake, Settings()) if one.name == "broken")
    failures.note(lake, Failure(key, "raw_records", "raw_records: no table in it", transient=False), "broken")
    land(lake, "good")
    found = tick(lake, instance)
    assert [request.partition_key for request in found.run_requests] == ["good"]
    ingest(lake, landing.load(lake, "good"))
    message = tick(lake, instance).skip_message
    for part in ("broken: raw_records: no table in it", "batch name 'bad name' cannot be used", "folder: "):
        assert part in message


def test_a_plain_folder_is_landed_when_it_is_complete(lake, instance):
    folder = lake.landing / "plate-1"
    folder.mkdir(parents=True)
    header = ["processid", *(column.name for column in BCDM)]
    (folder / "records.tsv").write_text("\t".join(header) + "\n" + "\t".join(["A-1", *["None"] * len(BCDM)]) + "\n")
    assert "plate-1" in tick(lake, instance).skip_message
    (folder / "DONE").touch()
    found = tick(lake, instance)
    assert [request.partition_key for request in found.run_requests] == ["plate-1"]


def test_a_tick_asks_for_no_more_than_it_can_launch(lake, instance):
    for number in range(MOST_REQUESTS + 5):
        land(lake, f"plate-{number:03}")
    assert len(tick(lake, instance).run_requests) == MOST_REQUESTS


def add_run(instance, status, name, key):
    tags = {WORK_TAG: key[:32], "dagster/partition": name}
    instance.add_run(dg.DagsterRun(job_name=INGEST_JOB, status=status, tags=tags))


def test_runs_of_the_same_work_are_counted(lake, instance):
    land(lake, "plate-1")
    key = state.survey(lake, Settings())[0].key
    add_run(instance, dg.DagsterRunStatus.STARTED, "plate-1", key)
    assert "1 being ingested: plate-1" in tick(lake, instance).skip_message
    past = attempts(instance, INGEST_JOB, {WORK_TAG: key[:32]})
    assert (past.going, past.failed, past.total) == (True, 0, 1)


def test_a_killed_run_is_asked_for_again_after_a_while(lake, instance):
    land(lake, "plate-1")
    (lake.root / "settings.toml").write_text("[automation]\nretry_minutes = 0\n")
    key = state.survey(lake, Settings())[0].key
    add_run(instance, dg.DagsterRunStatus.FAILURE, "plate-1", key)
    (request,) = tick(lake, instance).run_requests
    assert request.run_key.endswith(":1")
    (lake.root / "settings.toml").write_text("[automation]\nretry_minutes = 60\n")
    assert "its run was stopped externally; attempt 2 in" in tick(lake, instance).skip_message
