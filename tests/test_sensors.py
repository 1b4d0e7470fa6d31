"""The sensor and the schedule, on a real Dagster instance and a real lake."""

import dagster as dg
import pytest

from bioscan_etl import batches
from bioscan_etl.lake import Lake
from bioscan_etl.resources import LakeResource
from sensors.jobs import CORPUS_JOB, INGEST_JOB
from sensors.new_batches import MOST_REQUESTS, new_batches
from sensors.release_schedule import PIN_TAG, release_when_changed


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as running:
        yield running


def land(lake, name, text="processid\nA-1\n"):
    path = lake.root / "deliveries" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return batches.register(lake, name, [str(path)])


def ingest(lake, batch):
    for asset in batches.BATCH_ASSETS:
        with lake.writing(asset, batch.name, "1" * 64, inputs={}, delivery=batch.fingerprint) as draft:
            (draft.folder / "file").write_text(asset + batch.fingerprint)


def tick(lake, instance):
    with dg.build_sensor_context(instance=instance, resources={"lake": LakeResource(output=str(lake.root))}) as context:
        return new_batches(context)


def test_nothing_landed_is_nothing_to_do(lake, instance):
    assert "every landed batch is ingested" in tick(lake, instance).skip_message


def test_a_new_batch_is_added_and_requested_with_its_fingerprint(lake, instance):
    batch = land(lake, "plate-1")
    found = tick(lake, instance)
    assert [(r.partition_key, r.run_key) for r in found.run_requests] == [("plate-1", f"plate-1:{batch.fingerprint}")]
    assert found.dynamic_partitions_requests[0].partition_keys == ["plate-1"]
    assert found.cursor is None


def test_an_ingested_batch_is_left_and_one_that_lands_again_is_requested(lake, instance):
    first = land(lake, "plate-1")
    ingest(lake, first)
    assert isinstance(tick(lake, instance), dg.SkipReason)
    second = land(lake, "plate-1", "processid\nA-2\n")
    assert [r.run_key for r in tick(lake, instance).run_requests] == [f"plate-1:{second.fingerprint}"]


def test_a_name_that_cannot_be_a_partition_is_refused_with_its_reason(lake, instance):
    land(lake, "good")
    bad = lake.landing / "bad name"
    bad.mkdir(parents=True)
    (bad / "batch.json").write_text('{"name": "bad name"}')
    found = tick(lake, instance)
    assert [r.partition_key for r in found.run_requests] == ["good"]
    ingest(lake, batches.load(lake, "good"))
    assert "batch name 'bad name' cannot be used" in tick(lake, instance).skip_message


def test_a_half_landed_batch_is_not_seen(lake, instance):
    (lake.landing / "plate-1").mkdir(parents=True)
    (lake.landing / "plate-1" / "records.tsv").write_text("processid\n")
    assert isinstance(tick(lake, instance), dg.SkipReason)


def test_a_tick_asks_for_no_more_than_it_can_launch(lake, instance):
    for number in range(MOST_REQUESTS + 5):
        land(lake, f"plate-{number:03}")
    assert len(tick(lake, instance).run_requests) == MOST_REQUESTS


def evaluate(lake, instance):
    with dg.build_schedule_context(
        instance=instance, resources={"lake": LakeResource(output=str(lake.root))}
    ) as context:
        return release_when_changed(context)


def add_run(instance, job, status, **tags):
    run = dg.DagsterRun(job_name=job, status=status, tags=tags)
    instance.add_run(run)


def test_the_schedule_waits_for_batches(lake, instance):
    assert "no batch is ingested" in evaluate(lake, instance).skip_message
    ingest(lake, land(lake, "plate-1"))
    add_run(instance, INGEST_JOB, dg.DagsterRunStatus.STARTED)
    assert "being ingested" in evaluate(lake, instance).skip_message


def test_the_schedule_pins_what_is_ingested_and_releases_it_once(lake, instance):
    ingest(lake, land(lake, "plate-1"))
    request = evaluate(lake, instance)
    pin = batches.load_pin(lake, request.tags[PIN_TAG])
    assert list(pin.batches) == ["plate-1"]
    add_run(instance, CORPUS_JOB, dg.DagsterRunStatus.FAILURE, **request.tags)
    assert evaluate(lake, instance).tags == request.tags, "a failed run is tried again"
    add_run(instance, CORPUS_JOB, dg.DagsterRunStatus.SUCCESS, **request.tags)
    assert "released or being released" in evaluate(lake, instance).skip_message
    ingest(lake, land(lake, "plate-2"))
    assert evaluate(lake, instance).tags != request.tags
