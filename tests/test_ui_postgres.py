"""A team's UI: a whole `bioscan-etl ui` with its runs in PostgreSQL, which also forgets what is old."""

import datetime as dt
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from postgres_server import PASSWORD, postgres
from ui_process import deliver, ui, until

from bioscan_etl.cli import main
from bioscan_etl.definitions.running import open_instance
from bioscan_etl.lake import Lake
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.sensors.history import tidy_history
from bioscan_etl.state import survey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[1]
PACE = "[automation]\ntick_seconds = 5\nrelease_when_settled = false\nnightly_release = ''\n"
RUNS = "{ runsOrError { ... on Runs { results { jobName status } } } }"


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deliveries")
    assert main(["demo", "--output", str(folder), "--specimens", "40"]) == 0
    return folder / "landing"


def runs(running):
    return [(one["jobName"], one["status"]) for one in running.query(RUNS)["runsOrError"]["results"]]


def status(output):
    lake = Lake(output)
    return {one.name: one.status for one in survey(lake, read_settings(lake))}


def never_written(secret: str, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_a_batch_is_ingested_with_the_runs_in_postgresql_and_the_terminal_shares_them(
    tmp_path, deliveries, monkeypatch
):
    first, second = sorted(path.name for path in deliveries.iterdir() if (path / "batch.json").is_file())[:2]
    output = tmp_path / "out"
    output.mkdir()
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with postgres() as server:
        monkeypatch.setenv("PGPASSFILE", str(server.password_file(tmp_path)))
        address = server.database("bioscan")
        (output / "settings.toml").write_text(f'{PACE}database = "{address}"\n')
        with ui(output) as running:
            deliver(deliveries / first, output / "landing", first)
            until(lambda: status(output).get(first) == "current", 240, running, "the batch is not ingested")
            until(lambda: ("ingest_batch", "SUCCESS") in runs(running), 60, running, "the run is not finished")
            # The database restarts; the UI does not.
            server.stop()
            time.sleep(3)
            server.start()
            deliver(deliveries / second, output / "landing", second)
            until(lambda: status(output).get(second) == "current", 240, running, "nothing goes on after a restart")
            # A run of the terminal shows in the UI.
            assert main(["run", "--output", str(output)]) == 0
            assert runs(running)[0] == ("curate_and_release", "SUCCESS")
        assert server.sql("SELECT count(*) FROM runs WHERE status = 'SUCCESS'", "bioscan") == "3"
        assert int(server.sql("SELECT count(*) FROM job_ticks", "bioscan")) > 3
        assert server.sql("SELECT count(DISTINCT run_id) FROM event_logs WHERE run_id != ''", "bioscan") == "3"
        home = output / ".dagster"
        assert not (home / "history").exists()
        assert not (home / "schedules").exists()
        never_written(PASSWORD, output)

        tick_logs = [path for path in (home / "__repository__").rglob("*") if path.is_file()]
        outputs = list(home.glob("*/compute_logs/*.out"))
        assert tick_logs
        assert outputs
        # The first ingest is superseded, so that only the last success of each batch is left in ten years.
        with ui(output) as running:
            (output / "settings.toml").write_text(
                (output / "settings.toml").read_text() + "[barcodes]\nmin_length = 640\n"
            )
            until(lambda: runs(running).count(("ingest_batch", "SUCCESS")) == 4, 300, running, "no second ingest")
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=3650)
        with open_instance(Lake(output)) as instance:
            ticks = int(server.sql("SELECT count(*) FROM job_ticks", "bioscan"))
            removed = tidy_history(instance, read_settings(Lake(output)).automation, later)
            assert removed.runs == 2
            assert removed.ticks == ticks > 0
            assert removed.database_bytes > 10_000
            assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        assert server.sql("SELECT count(*) FROM job_ticks", "bioscan") == "0"
        assert server.sql("SELECT count(DISTINCT run_id) FROM event_logs WHERE run_id != ''", "bioscan") == "3"
        assert not any(path.exists() for path in tick_logs)
        assert removed.files > len(tick_logs)
        assert not any(path.exists() for path in outputs)
        # `make job` finds the database in the file that the UI wrote.
        made = [
            "make",
            "-C",
            ROOT,
            f"VENV={sys.prefix}",
            "-o",
            f"{sys.prefix}/.base",
            f"OUTPUT={output}",
            "job",
            "JOB=tidy_up",
        ]
        subprocess.run(made, check=True, capture_output=True)
        finished = server.sql("SELECT status FROM runs WHERE pipeline_name = 'tidy_up'", "bioscan")
        assert finished == "SUCCESS"
