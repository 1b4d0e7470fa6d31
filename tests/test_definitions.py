"""The graph: what is in it, that no asset hides in a pickle, and that its checks can go red."""

import asyncio
import gc
import json
import signal
import threading
import warnings
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from decided import csv_of
from lake_corpus import tree

from bioscan_etl import landing, state
from bioscan_etl.assets.factory import PIN_TAG
from bioscan_etl.definitions import LogProgress, NoIOManager, benchmarks, build_defs, defs, training
from bioscan_etl.definitions.running import open_instance, run_batch, run_release
from bioscan_etl.errors import BioscanError
from bioscan_etl.lake import Lake, failures
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.lake.current import get
from bioscan_etl.lake.pins import load_pin
from bioscan_etl.lake.record import find_record
from bioscan_etl.progress import silent
from bioscan_etl.provenance.code import code_of
from bioscan_etl.resources import CorpusResource
from bioscan_etl.schema import BCDM
from bioscan_etl.sensors.training_jobs import DETECTOR_ASSETS
from bioscan_etl.stages.registry import STAGES, Scope
from bioscan_etl.stages.run import run_stage

ROOT = Path(__file__).parents[1]
GRAPH = defs.resolve_asset_graph()
KEYS = sorted(GRAPH.get_all_asset_keys())


def test_the_assets_are_the_stages():
    assert {key.to_user_string() for key in KEYS} == set(STAGES)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.to_user_string())
def test_every_asset_is_as_its_stage_says(key):
    node, stage = GRAPH.get(key), STAGES[key.to_user_string()]
    assert len(node.description) > 60
    assert node.group_name in {"extract", "curate", "partition", "release", "report"}
    assert node.owners == ["team:curation"]
    assert node.kinds
    assert node.code_version == code_of(stage.name).label
    assert {one.to_user_string() for one in node.parent_keys} == {*stage.reads, *stage.after}
    assert (node.partitions_def is not None) is (stage.scope is Scope.BATCH)
    assert (node.freshness_policy is not None) is (stage.scope is not Scope.BATCH)


def test_training_is_a_code_location_of_its_own():
    """So that "Materialize all" means the curation."""
    keys = {key.to_user_string() for key in training.defs.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {*DETECTOR_ASSETS, "boxes_to_review", "specimen_boxes"}
    assert not keys & set(STAGES) - {"specimen_boxes"}
    assert "bioscan_etl.definitions.training" in (ROOT / "workspace.yaml").read_text()
    assert "bioscan_etl.definitions.benchmarks" in (ROOT / "workspace.yaml").read_text()


def test_places_and_executables_are_no_run_config():
    for definitions in (defs, training.defs, benchmarks.defs):
        for job in definitions.resolve_all_job_defs():
            shown = str(job.run_config_schema.config_type.fields)
            for word in ("output", "settings_file", "python", "executable"):
                assert f"'{word}'" not in shown, (job.name, word)


def test_no_asset_goes_through_the_pickle_io_manager():
    """Every asset says that it returns no value, and one that did would be refused."""
    for definition in [*defs.assets, *training.defs.assets, *benchmarks.defs.assets]:
        returned = definition.op.compute_fn.decorated_fn.__annotations__["return"]
        assert returned is dg.MaterializeResult, definition.key

    @dg.asset
    def leaks() -> int:
        return 1

    result = dg.materialize([leaks], resources={"io_manager": NoIOManager()}, raise_on_error=False)
    assert not result.success
    assert isinstance(defs.resources["io_manager"], NoIOManager)


def test_tables_show_their_columns():
    for name in ("raw_records", "specimens", "curated_taxonomy", "partitions", "release_metadata"):
        schema = GRAPH.get(dg.AssetKey(name)).metadata["dagster/column_schema"]
        assert all(column.description for column in schema.columns)


def test_blocking_checks_stand_where_the_rules_say():
    blocking = {
        (check.asset_key.to_user_string(), check.name)
        for asset in [*defs.assets, *training.defs.asset_checks, *benchmarks.defs.assets]
        for check in asset.check_specs
        if check.blocking
    }
    assert {
        ("raw_records", "rows_accounted_for"),
        ("raw_records", "few_rows_rejected"),
        ("specimens", "ledger_balances"),
        ("curated_taxonomy", "INVARIANT_BARCODE_LABELS"),
        ("partitions", "BARCODE_IN_TWO_PARTITIONS"),
        ("curated_expectations", "PROCESSID_MISSING"),
        ("tuned_detector", "not_worse"),
        ("benchmark_barcodebert", "shuffled_labels_at_chance"),
    } <= blocking


def test_the_workspace_and_the_instance_are_loadable(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSCAN_DAGSTER_STORAGE", str(tmp_path))
    instance = dg.DagsterInstance.from_config(str(ROOT))
    assert not instance.telemetry_enabled
    assert instance.run_retries_enabled
    assert not instance.get_settings("run_retries")["retry_on_asset_or_op_failure"]
    assert "bioscan_etl.definitions" in (ROOT / "workspace.yaml").read_text()


def test_progress_is_logged_at_the_end_of_a_stage(caplog):
    caplog.set_level("INFO", "bioscan_etl")
    progress = LogProgress()
    progress("images", 1, 10)
    progress("images", 10, 10)
    assert "images: 10 of 10" in caplog.text


def test_broken_settings_do_not_keep_the_graph_from_loading(tmp_path):
    (tmp_path / "settings.toml").write_text("[automation]\ntick_seconds = 0\n")
    other = build_defs(CorpusResource(str(tmp_path)), silent)
    assert {key.to_user_string() for key in other.resolve_asset_graph().get_all_asset_keys()} == set(STAGES)


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    (made.root / "settings.toml").write_text("[gates]\nrequire_image = false\n")
    return made


@pytest.fixture
def instance(lake):
    with open_instance(lake) as running:
        yield running


HEADER = ["processid", *(column.name for column in BCDM)]


def record(processid, nuc, **values):
    return dict.fromkeys(HEADER, "None") | {"processid": processid, "marker_code": "COI-5P", "nuc": nuc} | values


def land(lake, tmp_path, name, rows):
    path = tmp_path / f"{name}.tsv"
    path.write_text("\n".join("\t".join(row) for row in [HEADER, *(row.values() for row in rows)]) + "\n")
    return landing.register(lake, name, [str(path)])


def ingest(lake, name, instance):
    batch = next(one for one in state.survey(lake, read_settings(lake)) if one.name == name)
    run_batch(lake, batch, instance=instance, progress=silent)


BARCODES = ["".join("ACGT"[(n >> 2 * k) & 3] for k in range(4)) * 160 for n in range(40)]


@pytest.mark.slow
def test_a_batch_runs_alone_and_again_without_work(lake, instance, tmp_path):
    batch = land(lake, tmp_path, "b1", [record("A-1", BARCODES[1])])
    ingest(lake, "b1", instance)
    assert find_record(lake, "b1").delivery == batch.fingerprint
    before = tree(lake.home)
    ingest(lake, "b1", instance)
    assert tree(lake.home) == before


@pytest.mark.slow
def test_kill_ends_a_background_job_after_a_run_too(lake, instance, tmp_path):
    """A shell makes its background jobs ignore SIGINT; Dagster gives SIGTERM the same handler."""
    land(lake, tmp_path, "b", [record("A-1", BARCODES[1])])
    interrupt, terminate = (signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM))
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ingest(lake, "b", instance)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)


@pytest.mark.slow
def test_a_run_in_a_notebook_warns_of_nothing(lake, instance, tmp_path):
    """Jupyter's cells run within an event loop, which Dagster does not expect."""
    land(lake, tmp_path, "b", [record("A-1", BARCODES[1])])

    async def cell():
        ingest(lake, "b", instance)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        asyncio.run(cell())
        gc.collect()
    assert [str(one.message) for one in caught if one.category is RuntimeWarning] == []
    assert find_record(lake, "b")


@pytest.mark.slow
def test_a_source_that_changed_after_landing_stops_the_run_in_one_line(lake, instance, tmp_path):
    land(lake, tmp_path, "b1", [])
    (tmp_path / "b1.tsv").write_text("other")
    with pytest.raises(BioscanError, match=r"raw_records: .*has changed since batch b1 landed") as caught:
        ingest(lake, "b1", instance)
    assert "\n" not in str(caught.value)
    failure = failures.find(lake, "b1")
    assert not failure.transient
    assert "has changed since batch b1 landed" in failure.sentence
    assert find_record(lake, "b1") is None


def evaluations(instance, asset):
    """The last evaluation of each check of an asset, from Dagster's own database."""
    summaries = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey(asset), check.id) for check in STAGES[asset].checks]
    )
    return {
        key.name: one.event.dagster_event.asset_check_evaluation_data for key, one in summaries.items() if one.event
    }


@pytest.mark.slow
def test_a_batch_of_rows_that_cannot_be_read_is_red_by_itself(lake, instance, tmp_path):
    land(lake, tmp_path, "good", [record("A-1", BARCODES[1])])
    land(lake, tmp_path, "bad", [record("A-2", BARCODES[2])])
    path = tmp_path / "bad.tsv"
    path.write_text(path.read_text() + "one field\n" * 9)
    landing.register(lake, "bad", [str(path)])
    ingest(lake, "good", instance)
    with pytest.raises(BioscanError, match=r"raw_records failed the check few_rows_rejected \(9\)"):
        ingest(lake, "bad", instance)
    found = evaluations(instance, "raw_records")
    assert (found["few_rows_rejected"].passed, found["rows_accounted_for"].passed) == (False, True)
    assert found["few_rows_rejected"].metadata["failing"].value == 9
    assert find_record(lake, "bad") is None
    release = run_release(lake, instance=instance, progress=silent)
    provenance = json.loads((release / "manifest.json").read_text())["provenance"]
    assert set(provenance["batches"]) == {"good"}
    assert "few_rows_rejected" in provenance["notes"]["bad"]
    assert "few_rows_rejected" in (release / "report" / "index.html").read_text()


@pytest.fixture
def corpus(lake, instance, tmp_path):
    """Four species of ten barcodes, three records each, ingested and released."""
    rows = [
        record(
            f"A{n:02}{copy}-24",
            BARCODES[n],
            phylum="Arthropoda", order="Diptera", family="Culicidae", genus="Aedes", species=f"Aedes {'abcd'[n % 4]}us",
            **{"class": "Insecta"},
        )
        for n in range(40)
        for copy in range(3)
    ]  # fmt: skip
    land(lake, tmp_path, "b1", rows)
    ingest(lake, "b1", instance)
    run_release(lake, instance=instance, progress=silent)
    return rows


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
def test_a_run_started_by_hand_works_with_the_settings_as_they_are(lake, instance):
    """In the UI a curator starts the job itself, which carries no pin; its first stage makes one."""
    (lake.root / "settings.toml").write_text("[gates]\nrequire_image = false\n[splits]\nseed = 7\n")
    job = build_defs(CorpusResource(str(lake.root)), silent).resolve_job_def("curate_and_release")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = job.execute_in_process(instance=instance, run_config=quiet, raise_on_error=False)
    assert result.success
    pin = load_pin(lake, instance.get_run_by_id(result.run_id).tags[PIN_TAG])
    assert pin.settings == read_settings(lake).digest()
    assert json.loads((lake.releases / "v2" / "manifest.json").read_text())["settings"]["splits"]["seed"] == 7


@pytest.mark.slow
def test_two_stages_at_a_time_make_the_same_release_as_one(tmp_path, monkeypatch):
    """The second thread changes no byte of a release; the settings that it states do not name the memory."""
    rows = [record(f"A{n:02}{copy}-24", BARCODES[n], species=f"Aedes {'abcd'[n % 4]}us", genus="Aedes")
            for n in range(40) for copy in range(3)]  # fmt: skip
    made, threads = {}, {}

    def noted(name, *rest):
        threads[name] = threading.current_thread().name
        return run_stage(name, *rest)

    monkeypatch.setattr("bioscan_etl.assets.factory.run_stage", noted)
    for memory in (0, 4):
        threads.clear()
        lake = Lake(tmp_path / str(memory))
        lake.root.mkdir()
        given = f"[gates]\nrequire_image = false\n[automation]\nmemory_gb = {memory}\n"
        (lake.root / "settings.toml").write_text(given)
        land(lake, tmp_path, "b1", rows)
        with open_instance(lake) as instance:
            ingest(lake, "b1", instance)
            made[memory] = tree(run_release(lake, instance=instance, progress=silent))
        assert set(threads) >= set(STAGES) - {"release_mirror"}
        assert ("stages ahead" in threads.values()) is bool(memory)
    assert made[0] == made[4]


def red(lake, instance, asset, check):
    """Run the corpus, which must stop at a check; the failed evaluation."""
    versions = sorted(path.name for path in lake.releases.glob("v*"))
    with pytest.raises(BioscanError, match=f"{asset} failed the check {check}"):
        run_release(lake, instance=instance, progress=silent)
    assert sorted(path.name for path in lake.releases.glob("v*")) == versions, "nothing may be released"
    assert check in failures.find(lake, corpus=True).sentence
    found = evaluations(instance, asset)[check]
    assert not found.passed
    assert found.blocking
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
def test_a_lost_row_makes_the_ledger_red(lake, instance):
    path = get(lake, "raw_records", "b1").path("records.parquet")
    pl.read_parquet(path).head(100).write_parquet(path)
    (lake.root / "settings.toml").write_text(
        "[gates]\nrequire_image = false\nrequire_bin = false\nmin_unambiguous_run = 150\n"
    )
    found = red(lake, instance, "specimens", "ledger_balances")
    assert found.metadata["failing"].value == 20
    # What is unsound is not built upon, also where a stage is run alone.
    state_now = state.corpus(lake, read_settings(lake))
    from bioscan_etl.errors import LakeError
    from bioscan_etl.stages.run import run_stage
    from bioscan_etl.stages.situation import Situation

    with pytest.raises(LakeError, match="specimens failed ledger_balances"):
        run_stage("curated_taxonomy", Situation(lake, read_settings(lake), pin=state_now.pin))


@pytest.mark.slow
def test_a_decision_that_would_split_a_barcode_is_left_out_and_told(lake, instance, corpus):
    first = corpus[0]["processid"]
    (lake.root / "decisions").mkdir()
    (lake.root / "decisions" / "anna.csv").write_text(
        csv_of(
            [
                {"processid": first, "action": "relabel", "field": "species", "value": "Aedes novus"},
                {"processid": "NOBODY-24", "action": "promote"},
            ]
        )
    )
    (lake.root / "settings.toml").write_text("[gates]\nrequire_image = false\n")
    # The line is left out; it stops nothing.
    run_release(lake, instance=instance, progress=silent)
    found = evaluations(instance, "curated_taxonomy")["decisions_consistent"]
    assert (found.passed, found.blocking) == (False, False)
    assert first in str(found.metadata["sample"].data)
    read = evaluations(instance, "decisions")["decisions_readable"]
    assert (read.passed, read.blocking) == (False, False)
    assert "anna.csv, line 3: unknown action 'promote'" in str(read.metadata["sample"].data)


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
def test_a_barcode_of_two_species_makes_the_partitions_red(lake, instance):
    path = get(lake, "curated_taxonomy").path("curated.parquet")
    table = pl.read_parquet(path)
    # Records of one barcode belong to described and undescribed species.
    names = ("Aedes aus", "Aedes sp. 1ABC", "Aedes bus", "Aedes sp. 2ABC")
    species = [names[(n + n // 3 + n // 7) % 4] for n in range(table.height)]
    table.with_columns(species=pl.Series(species)).write_parquet(path)
    (lake.root / "settings.toml").write_text("[gates]\nrequire_image = false\n[images]\nnear_duplicate_bits = 3\n")
    red(lake, instance, "partitions", "BARCODE_IN_TWO_PARTITIONS")
