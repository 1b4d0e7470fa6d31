"""Benchmarks on a release, as a whole."""

import shutil
from types import MappingProxyType

import polars as pl
import pytest
import release_corpus
from framed_barcodes import drawn

from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation import run
from bioscan_etl.evaluation.estimate import ESTIMATE
from bioscan_etl.evaluation.run import available, evaluate
from bioscan_etl.settings import BarcodeSettings, Settings
from bioscan_etl.vocabulary import BENCHMARKS

SETTINGS = Settings()


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release with real reading frames: three test barcodes, of which one is a part of a train barcode."""
    folder = tmp_path_factory.mktemp("corpus")
    barcodes = drawn(32, 1)
    barcodes[18] = barcodes[9][60:]
    made = release_corpus.corpus(folder / "made", dna_barcode=barcodes, nuc=barcodes)
    return made.build(folder / "releases", Settings(splits=release_corpus.GROWN))


@pytest.fixture
def house(release, tmp_path):
    """A folder with a copy of the release, beside which an evaluation may lie."""
    shutil.copytree(release, tmp_path / "releases" / "v1")
    return tmp_path


@pytest.fixture(scope="module")
def measured(release, tmp_path_factory):
    return evaluate(str(release), tmp_path_factory.mktemp("scores"), SETTINGS, benchmarks=["barcodebert"])


def test_every_row_says_what_it_is_of(measured, release):
    assert measured.release == "bioscan5m v1"
    assert set(measured.scores["release"]) == {"bioscan5m v1"}
    assert set(measured.scores["benchmark"]) == {"barcodebert"}
    assert set(measured.scores["task"]) == {"unseen_genus", "seen_species", "left_out_species"}
    assert measured.scores["digest"].n_unique() == 1
    assert pl.read_parquet(measured.folder / "scores.parquet").equals(measured.scores)
    assert measured.files[-1] == measured.folder / "index.html"
    assert all(path.is_file() for path in measured.files)


def test_the_part_of_a_train_barcode_is_a_copy(measured):
    copies = measured.scores.filter(pl.col("task") == "seen_species", pl.col("subset") == "copies")
    assert set(copies["n"]) == {1}


def test_the_same_seed_gives_the_same_scores(measured, release, tmp_path):
    again = evaluate(str(release), tmp_path, SETTINGS, benchmarks=["barcodebert"])
    assert again.scores.drop("cpu_seconds").equals(measured.scores.drop("cpu_seconds"))
    assert again.files[-1].read_bytes().count(b"<tr>") == measured.files[-1].read_bytes().count(b"<tr>")


def test_the_scores_lie_beside_the_release_and_nothing_is_written_into_it(house):
    release = house / "releases" / "v1"
    before = {path: path.stat().st_mtime_ns for path in release.rglob("*")}
    found = evaluate("v1", None, SETTINGS, benchmarks=["barcodebert"], within=house)
    assert found.folder == house / "evaluations" / "v1"
    assert {path: path.stat().st_mtime_ns for path in release.rglob("*")} == before


def test_a_benchmark_that_does_not_exist_is_named(release, tmp_path):
    with pytest.raises(SourceError, match=r"there is no benchmark chess; they are barcodebert, "):
        evaluate(str(release), tmp_path, SETTINGS, benchmarks=["barcodebert", "chess"])


def test_benchmarks_run_in_the_order_of_the_vocabulary():
    assert list(available()) == [name for name in BENCHMARKS if name in available()]
    assert "barcodebert" in available()


def test_the_cost_is_announced_before_anything_is_measured(release, tmp_path, monkeypatch):
    told: list[object] = []
    measures = {"barcodebert": lambda *_: told.append("measured"), "shortcuts": lambda *_: None}
    monkeypatch.setattr(run, "_MEASURES", MappingProxyType(measures))
    found = evaluate(str(release), tmp_path, SETTINGS, announce=told.append)
    assert isinstance(told[0], pl.DataFrame)
    assert told[1:] == ["measured"]
    assert told[0].schema == ESTIMATE
    assert told[0]["benchmark"].to_list() == ["reading", "barcodebert", "shortcuts"]
    assert found.estimated.equals(told[0])


def test_a_dry_run_measures_and_writes_nothing(house, monkeypatch):
    monkeypatch.setattr(run, "_MEASURES", MappingProxyType({"barcodebert": lambda *_: pytest.fail("measured")}))
    found = evaluate("v1", None, SETTINGS, within=house, dry_run=True)
    assert found.estimated.height == 2
    assert found.scores.height == 0
    assert found.files == ()
    assert not (house / "evaluations").exists()


def test_a_benchmark_gives_further_tables(release, tmp_path, monkeypatch):
    doubts = pl.DataFrame({"processid": ["A-1"]})
    monkeypatch.setattr(run, "_MEASURES", MappingProxyType({"shortcuts": lambda *_: {"doubts": doubts}}))
    found = evaluate(str(release), tmp_path, SETTINGS)
    assert found.tables["doubts"].equals(doubts)
    assert (tmp_path / "doubts.csv").read_text() == "processid\nA-1\n"


def test_the_budget_is_shared_and_the_rule_of_sameness_is_that_of_the_settings(release, tmp_path, monkeypatch):
    seen = []

    def look(part):
        seen.append((part.records.least, part.sheet.seed, part.budget))

    monkeypatch.setattr(run, "_MEASURES", MappingProxyType(dict.fromkeys(("barcodebert", "clustering"), look)))
    settings = SETTINGS.model_copy(update={"barcodes": BarcodeSettings(min_shared_columns=400)})
    evaluate(str(release), tmp_path, settings, minutes=10, seed=3)
    assert [(least, seed, budget.seconds, budget.seed) for least, seed, budget in seen] == [(400, 3, 300, 3)] * 2
