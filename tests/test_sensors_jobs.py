"""The jobs that maintain a corpus: the check of the last release, and the clean-up."""

from dataclasses import asdict

import pytest
from lake_corpus import ingest, land

from bioscan_etl.definitions import build_defs
from bioscan_etl.definitions.running import open_instance
from bioscan_etl.lake import Lake
from bioscan_etl.progress import silent
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.history import Removed

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Lake(tmp_path / "out")


def execute(lake, job):
    with open_instance(lake) as instance:
        definitions = build_defs(CorpusResource(str(lake.root)), silent)
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False, run_config=QUIET
        )


def failure(result):
    return next(event for event in result.all_events if event.is_step_failure).step_failure_data.user_failure_data


def test_a_release_that_is_damaged_or_absent_fails_the_weekly_check(lake):
    assert failure(execute(lake, "check_release")).description == "there is no release to check"
    (lake.releases / "v1").mkdir(parents=True)
    (lake.releases / "v1" / "manifest.json").write_text("{}")
    (lake.releases / "latest").symlink_to("v1")
    assert (
        "release v1 has 1 faults; the first: no valid manifest" in failure(execute(lake, "check_release")).description
    )


def test_the_monthly_clean_up_removes_what_nothing_refers_to(lake):
    ingest(lake, land(lake, "b1"))
    with lake.writing("raw_records", "3" * 64, "b1", made_from={}) as draft:
        (draft.folder / "file").write_text("of a delivery that failed")
    result = execute(lake, "tidy_up")
    assert result.success
    assert lake.find("raw_records", "3" * 64, "b1") is None
    output = next(
        event for event in result.all_events if (event.step_key, event.event_type_value) == ("tidy_runs", "STEP_OUTPUT")
    ).event_specific_data
    assert {name: value.value for name, value in output.metadata.items()} == asdict(Removed())
