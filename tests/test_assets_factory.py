"""What Dagster shows of a stage: its progress while it runs, and why it failed."""

import re

import dagster as dg
import polars as pl
import pytest
from lake_corpus import land

from bioscan_etl import state
from bioscan_etl.assets.factory import failed_sentence, observed
from bioscan_etl.definitions import running
from bioscan_etl.errors import BioscanError, SourceError
from bioscan_etl.findings import Finding
from bioscan_etl.lake import Lake, failures
from bioscan_etl.progress import silent
from bioscan_etl.settings import Settings

PARTITIONS = dg.StaticPartitionsDefinition(["b1"])


def test_progress_becomes_observations_of_the_asset() -> None:
    reports: list[tuple] = []

    @dg.asset(partitions_def=PARTITIONS)
    def boxes(context: dg.AssetExecutionContext) -> None:
        tell = observed(context, lambda *report: reports.append(report))
        tell("images", 0, 1000)
        for done in range(50, 1001, 50):
            tell("images", done - 1, 1000)
            tell("images", done, 1000)
        tell("images", 1000, 1000)

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([boxes], partition_key="b1", instance=instance)
        seen = [event.asset_observation_data.asset_observation for event in result.get_asset_observation_events()]
    assert len(reports) == 42
    assert 15 <= len(seen) <= 25
    assert {one.partition for one in seen} == {"b1"}
    done = [one.metadata["done"].value for one in seen]
    assert done == sorted(done)
    assert (done[-1], seen[-1].metadata["total"].value) == (1000, 1000)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SourceError("file \x1b[2J has no table; fetch it again"), r"file \\x1b\[2J has no table; fetch it again$"),
        (
            KeyError("bin_uri"),
            r"an error that bioscan-etl does not know: KeyError: 'bin_uri'; the details are in .*\.log",
        ),
        (pl.exceptions.PanicException("index out of bounds"), "does not know: PanicException: index out of bounds"),
    ],
)
def test_a_stage_that_fails_says_so_in_a_sentence(tmp_path, monkeypatch, error, words):
    """What `run` lists, what the UI shows at the step, and what `status` reads are one line."""

    def fail(*_):
        raise error

    monkeypatch.setattr("bioscan_etl.assets.factory.run_stage", fail)
    lake = Lake(tmp_path)
    land(lake, "b1")
    (batch,) = state.survey(lake, Settings())
    with running.open_instance(lake) as instance, pytest.raises(BioscanError, match=words) as caught:
        running.run_batch(lake, batch, instance=instance, progress=silent)
    assert str(caught.value).isprintable()
    noted = failures.find(lake, "b1")
    assert noted is not None
    assert re.search(words, noted.sentence)
    logs = list((tmp_path / ".dagster" / "logs").glob("bioscan-etl-*.log"))
    assert len(logs) == (not isinstance(error, SourceError))
    assert all("Traceback" in log.read_text() for log in logs)


def test_an_interrupted_stage_is_no_failure_of_it(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bioscan_etl.assets.factory.run_stage", stop)
    lake = Lake(tmp_path)
    land(lake, "b1")
    (batch,) = state.survey(lake, Settings())
    with running.open_instance(lake) as instance, pytest.raises(KeyboardInterrupt):
        running.run_batch(lake, batch, instance=instance, progress=silent)
    assert failures.find(lake, "b1") is None


def test_a_failed_check_quotes_its_samples_visibly():
    finding = Finding("a_check", passed=False, blocking=True, count=1, samples=("x\x1b[2J\ny",), statement="no x")
    assert failed_sentence(finding) == r"failed check a_check (1, such as x\x1b[2J\ny); required: no x"
