"""The graph: what is in it, how it is told, and that no asset hides in a pickle."""

from pathlib import Path

import dagster as dg
import pytest

from bioscan_etl import batches
from bioscan_etl.definitions import LogProgress, NoIOManager, build_defs, defs, open_instance, run_batch, run_release
from bioscan_etl.errors import BioscanError
from bioscan_etl.lake import Lake
from bioscan_etl.progress import silent
from bioscan_etl.schema import BCDM
from sensors.jobs import CORPUS_ASSETS, DETECTOR_ASSETS

ROOT = Path(__file__).parents[1]
ASSETS = {
    "raw_records",
    "specimen_images",
    "specimen_boxes",
    "checked_barcodes",
    "checked_geography",
    "normalised_names",
    "specimens",
    "curated_taxonomy",
    "partitions",
    "release_metadata",
    "metadata_jsonld",
    "partitioned_metadata",
    "split_manifests",
    "barcodebert_tables",
    "image_packages",
    "image_tables",
    "image_hdf5",
    "clibd_hdf5",
    "image_archives",
    "release_manifest",
    "release_mirror",
    "statistics",
    "figures",
    "quality_report",
    "boxes_to_review",
    "reviewed_boxes",
    "tuned_detector",
    "promoted_detector",
}
GRAPH = defs.resolve_asset_graph()
KEYS = sorted(GRAPH.get_all_asset_keys())


def test_the_assets_are_those_of_the_design():
    assert {key.to_user_string() for key in KEYS} == ASSETS
    assert set(batches.BATCH_ASSETS) | set(CORPUS_ASSETS) | set(DETECTOR_ASSETS) | {"boxes_to_review"} == ASSETS


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.to_user_string())
def test_every_asset_is_told_to_its_reader(key):
    node = GRAPH.get(key)
    assert len(node.description) > 60
    assert node.group_name in {"extract", "curate", "partition", "release", "report", "detector"}
    assert node.owners == ["team:curation"]
    assert node.kinds
    partitioned = key.to_user_string() in batches.BATCH_ASSETS
    assert (node.partitions_def is not None) is partitioned


def test_no_asset_goes_through_the_pickle_io_manager():
    """Every asset says that it returns no value, and one that did would be refused."""
    for definition in defs.assets:
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
        for checks in [*defs.asset_checks, *defs.assets]
        for check in checks.check_specs
        if check.blocking
    }
    assert {
        ("specimens", "ledger_balances"),
        ("curated_taxonomy", "taxonomy_invariants"),
        ("partitions", "partitions_do_not_leak"),
        ("curated_taxonomy", "PROCESSID_MISSING"),
        ("tuned_detector", "not_worse"),
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


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


@pytest.fixture
def instance(lake):
    with open_instance(lake) as running:
        yield running


def land(lake, tmp_path, name, text):
    path = tmp_path / f"{name}.tsv"
    path.write_text(text)
    return batches.register(lake, name, [str(path)])


HEADER = "\t".join(["processid", *(column.name for column in BCDM)])


@pytest.mark.slow
def test_a_batch_runs_alone_and_again_without_work(lake, instance, tmp_path):
    values = dict.fromkeys(HEADER.split("\t"), "None") | {
        "processid": "A-1",
        "marker_code": "COI-5P",
        "nuc": "ACGT" * 160,
    }
    batch = land(lake, tmp_path, "b1", HEADER + "\n" + "\t".join(values.values()) + "\n")
    run_batch(lake, "b1", instance=instance, progress=silent)
    assert batches.is_ingested(lake, batch)
    folders = {asset: lake.get(asset, "b1").folder.stat().st_mtime_ns for asset in batches.BATCH_ASSETS}
    run_batch(lake, "b1", instance=instance, progress=silent)
    assert {asset: lake.get(asset, "b1").folder.stat().st_mtime_ns for asset in batches.BATCH_ASSETS} == folders


@pytest.mark.slow
def test_a_source_that_changed_after_landing_stops_the_run_in_one_line(lake, instance, tmp_path):
    land(lake, tmp_path, "b1", HEADER + "\n")
    (tmp_path / "b1.tsv").write_text("other")
    with pytest.raises(BioscanError, match=r"raw_records: .*has changed since batch b1 landed") as caught:
        run_batch(lake, "b1", instance=instance, progress=silent)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_damaged_corpus_releases_nothing(lake, instance, monkeypatch):
    """An invariant that is violated breaks the run, and no release appears."""
    from bioscan_etl.errors import InvariantError
    from bioscan_etl.quality.ledger import Ledger

    def lost(self):
        raise InvariantError("the ledger does not add up")

    monkeypatch.setattr(Ledger, "balance", lost)
    with pytest.raises(BioscanError, match="specimens: the ledger does not add up"):
        run_release(lake, instance=instance, progress=silent)
    assert not (lake.releases / "latest").exists()


def test_the_graph_can_be_built_over_other_resources(tmp_path):
    from bioscan_etl.resources import LakeResource

    other = build_defs({"lake": LakeResource(output=str(tmp_path)), "progress": silent})
    assert {key.to_user_string() for key in other.resolve_asset_graph().get_all_asset_keys()} == ASSETS


@pytest.mark.parametrize(
    "setting", ["[barcodes]\nneighbour_votes = 9", "[gates]\nrequire_bin = true", "[images]\nnear_duplicate_bits = 2"]
)
def test_specimens_are_made_anew_when_a_setting_they_read_changes(lake, tmp_path, setting):
    from assets.specimens import specimens
    from bioscan_etl.resources import LakeResource

    file = tmp_path / "settings.toml"
    made = []
    for text in ("", setting):
        file.write_text(text)
        resources = {"lake": LakeResource(output=str(lake.root), settings_file=str(file))}
        assert dg.materialize([specimens], resources=resources).success
        made.append(lake.get("specimens").fingerprint)
    assert made[0] != made[1]
