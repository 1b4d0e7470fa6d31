"""The benchmarks of a release as assets: what a run shows, and that its checks go red."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import dagster as dg
import numpy as np
import polars as pl
import pytest
import release_corpus

from bioscan_etl.assets import benchmarks
from bioscan_etl.assets.benchmarks import BENCHMARK_ASSETS, asset_name
from bioscan_etl.definitions.benchmarks import build_defs, defs
from bioscan_etl.evaluation import run
from bioscan_etl.evaluation.checks import COPIES, FALLEN, LEAKS
from bioscan_etl.evaluation.measured import Question
from bioscan_etl.evaluation.run import available
from bioscan_etl.progress import silent
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.benchmark_jobs import BENCHMARKS_JOB
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.vocabulary import BENCHMARKS

ASSET = asset_name("barcodebert")
ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "how-to" / "benchmarks.md").read_text(encoding="utf-8")
TEST = Question("barcodebert", "seen_species", "6-mers", ("test",), ("train",))
LEFT_OUT = Question("barcodebert", "left_out_species", "6-mers", ("labelled",), ("labelled",))


@pytest.fixture(scope="module")
def two_releases(tmp_path_factory):
    """A folder with v1 and v2."""
    folder = tmp_path_factory.mktemp("corpus")
    made = release_corpus.corpus(folder / "made")
    for digest in (release_corpus.DIGEST, "f" * 64):
        made.build(folder / "out" / "releases", Settings(splits=release_corpus.GROWN), digest)
    return folder / "out"


@pytest.fixture
def output(two_releases, tmp_path):
    """A copy of both, and of the pointer to the last one."""
    shutil.copytree(two_releases, tmp_path / "out", symlinks=True)
    return tmp_path / "out"


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as held:
        yield held


def materialised(output, instance, *, fails=False, names=("barcodebert",), **config):
    """Run the job for some benchmarks, with one configuration for all of them."""
    job = build_defs(CorpusResource(str(output)), silent).resolve_job_def(BENCHMARKS_JOB)
    ops = {asset_name(name): {"config": config} for name in names}
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(asset_name(name)) for name in names],
        run_config={"ops": ops, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    assert result.success is not fails
    return result


def checks(result):
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def metadata(result):
    [made] = result.asset_materializations_for_node(ASSET)
    return made.metadata


def measures(monkeypatch, measure):
    """Let this function measure, and no other."""

    def alone(part):
        labelled = np.flatnonzero(part.records.codes("species") >= 0)
        measure(part.records, part.sheet, part.records.codes("genus")[labelled])

    monkeypatch.setattr(run, "_MEASURES", MappingProxyType({"barcodebert": alone}))


def answer(sheet, labels, answers, **more):
    sheet.answered(LEFT_OUT, "genus", labels, answers[:, None], labels, **more)


def right(_, sheet, labels):
    answer(sheet, labels, labels)


def test_there_is_an_asset_for_each_benchmark_and_none_of_the_curation():
    graph = defs.resolve_asset_graph()
    made = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert made == {f"benchmark_{name}" for name in available()}
    assert not made & set(STAGES)
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} - made == {"release_manifest"}
    job = defs.resolve_job_def(BENCHMARKS_JOB)
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == made
    for asset in BENCHMARK_ASSETS:
        assert {spec.name: spec.blocking for spec in asset.check_specs} == {COPIES: False, LEAKS: True, FALLEN: False}
        assert asset.op.compute_fn.decorated_fn.__annotations__["return"] is dg.MaterializeResult
        assert len(graph.get(asset.key).description) > 60
        assert graph.get(asset.key).owners == ["team:curation"]


def test_a_run_measures_the_last_release_and_shows_it(output, instance):
    result = materialised(output, instance)
    folder = output / "evaluations" / "v2"
    assert {path.name for path in folder.iterdir()} >= {"index.html", "scores.csv", "scores.parquet"}
    shown = metadata(result)
    assert shown["release"].value == "bioscan5m v2"
    assert shown["page"].value == str(folder / "index.html")
    assert shown["evaluations"].data == ["v2"]
    assert shown["dagster/row_count"].value == pl.read_parquet(folder / "scores.parquet").height
    numbers = {name: value.value for name, value in shown.items() if isinstance(value, dg.FloatMetadataValue)}
    assert {"left_out_species_6mers_genus", "seen_species_6mers_species"} <= numbers.keys()
    assert all(0 <= number <= 1 for number in numbers.values())
    table = shown["scores"].value.splitlines()
    assert len(table) == 2 + len(numbers)
    assert len({line.count("|") for line in table}) == 1
    assert {name: check.passed for name, check in checks(result).items()} == {COPIES: True, LEAKS: True, FALLEN: True}


def test_all_benchmarks_run_one_after_the_other_into_one_folder(output, instance):
    materialised(output, instance, names=available())
    held = pl.read_parquet(output / "evaluations" / "v2" / "scores.parquet")
    assert held["benchmark"].unique(maintain_order=True).to_list() == list(BENCHMARKS)
    page = (output / "evaluations" / "v2" / "index.html").read_text()
    assert all(f'id="{name}"' in page for name in BENCHMARKS)


def test_the_cost_is_logged_before_it_starts(output, instance, monkeypatch):
    said = []

    def look(records, sheet, labels):
        said.append("measured")
        right(records, sheet, labels)

    measures(monkeypatch, look)
    result = materialised(output, instance)
    logged = [entry.user_message for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event]
    [line] = [line for line in logged if "processor minutes" in line]
    assert "queries" in line
    assert "keys" in line
    assert metadata(result)["cost"].data == line.split("; ")
    assert said == ["measured"]


def test_a_version_a_time_and_a_seed_can_be_chosen(output, instance):
    materialised(output, instance, version="v1", minutes=1e-9, seed=7)
    scores = pl.read_parquet(output / "evaluations" / "v1" / "scores.parquet")
    assert set(scores["release"]) == {"bioscan5m v1"}
    assert set(scores["seed"]) == {7}
    assert scores["note"].str.contains("drawn to fit").any()


@pytest.mark.parametrize("version", ["../v1", "/etc", "v0", ""])
def test_a_configuration_names_a_version_and_no_place(output, instance, version):
    result = materialised(output, instance, fails=True, version=version)
    [failed] = [event for event in result.all_events if event.is_step_failure and event.step_key == ASSET]
    said = failed.step_failure_data.user_failure_data.description
    assert said == f"{version} is no version; give latest, or one such as v3"


def test_a_corpus_without_a_release_says_so(tmp_path, instance):
    result = materialised(tmp_path, instance, fails=True)
    [failed] = [event for event in result.all_events if event.is_step_failure and event.step_key == ASSET]
    assert "has no release yet; run curate_and_release first" in failed.step_failure_data.user_failure_data.description


def test_a_planted_leak_is_an_error(output, instance, monkeypatch):
    """A model that was trained on shuffled labels, and still knows the right ones."""
    measures(monkeypatch, lambda _, sheet, labels: answer(sheet, labels, labels, shuffled=labels[:, None]))
    found = checks(materialised(output, instance, fails=True))
    assert {name for name, check in found.items() if not check.passed} == {LEAKS}
    assert found[LEAKS].severity is dg.AssetCheckSeverity.ERROR
    assert found[LEAKS].metadata["failing"].value == 1
    assert found[LEAKS].metadata["sample"].data[0].startswith("left_out_species_6mers_genus (all): 100.0, at most ")


def test_copies_are_a_warning_with_their_count(output, instance, monkeypatch):
    def copied(records, sheet, labels):
        known = np.arange(3)
        flags = np.array([True, False, True])
        sheet.answered(TEST, "species", known, known[:, None], known, copies=flags)

    measures(monkeypatch, copied)
    found = checks(materialised(output, instance))
    assert {name for name, check in found.items() if not check.passed} == {COPIES}
    assert found[COPIES].severity is dg.AssetCheckSeverity.WARN
    assert found[COPIES].metadata["failing"].value == 2
    assert found[COPIES].metadata["sample"].data == ["test in train: 2"]


def test_fallen_scores_are_a_warning_that_names_them(output, instance, monkeypatch):
    def better_before(records, sheet, labels):
        shift = 0 if records.release.endswith("v1") else 1
        answer(sheet, labels, np.roll(labels, shift))

    measures(monkeypatch, better_before)
    assert checks(materialised(output, instance, version="v1"))[FALLEN].passed
    result = materialised(output, instance)
    found = checks(result)
    assert {name for name, check in found.items() if not check.passed} == {FALLEN}
    assert found[FALLEN].severity is dg.AssetCheckSeverity.WARN
    [sample] = found[FALLEN].metadata["sample"].data
    assert sample.startswith("left_out_species_6mers_genus: ")
    assert "v1 had 100.0" in sample
    assert metadata(result)["evaluations"].data == ["v1", "v2"]
    page = (output / "evaluations" / "v2" / "index.html").read_text()
    assert "over_releases.svg" in page
    assert 'href="../v1/index.html"' in page


def test_numbers_keep_their_names_over_releases(output, instance, monkeypatch):
    measures(monkeypatch, right)
    names = []
    for version in ("v1", "v2"):
        shown = metadata(materialised(output, instance, version=version))
        names.append([name for name, value in shown.items() if isinstance(value, dg.FloatMetadataValue)])
    assert names == [["left_out_species_6mers_genus"]] * 2


def test_names_of_the_data_are_no_markup():
    assert benchmarks._cell("a|b <i> [x](y)\x1b") == r"a\|b \<i> \[x](y)\\x1b"


def test_a_run_without_changes_is_a_run_of_the_same_numbers(output, instance, monkeypatch):
    measures(monkeypatch, right)
    folder = output / "evaluations" / "v2"
    held = []
    for _ in range(2):
        materialised(output, instance)
        held.append(json.loads((folder / "evaluation.json").read_text())["scores"])
    assert held[0] == held[1]


@pytest.mark.slow
def test_the_commands_of_the_page_run(output, tmp_path):
    """As in a fresh checkout: its Makefile, and what it installs as links."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("dagster", "bioscan-etl"):
        (tmp_path / ".venv" / "bin" / name).symlink_to(Path(sys.executable).with_name(name))
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for path in (*map(ROOT.joinpath, ("Makefile", "dagster.yaml", "pyproject.toml")), *ROOT.glob("requirements*.lock")):
        shutil.copy(path, tmp_path)
    (tmp_path / ".venv" / ".base").touch()  # what the Makefile installs is there
    (tmp_path / "benchmarks.yaml").write_text(DOCS.split("```yaml\n")[1].split("```")[0])
    lines = [line.strip() for line in DOCS.splitlines() if line.startswith(("    make", "    bioscan-etl"))]
    assert [line.split()[0] for line in lines] == ["bioscan-etl", "bioscan-etl", "make", "make"]
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    environment |= {"DAGSTER_DISABLE_TELEMETRY": "yes"}
    environment["PATH"] = f"{tmp_path / '.venv' / 'bin'}{os.pathsep}{environment['PATH']}"
    for line in lines:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in (output / "evaluations").iterdir()} == {"v1", "v2"}
    assert set(pl.read_parquet(output / "evaluations" / "v1" / "scores.parquet")["seed"]) == {1}
