"""The files of an evaluation: what stays, what goes, and what a killed run leaves."""

import json
import threading
from pathlib import Path

import polars as pl
import pytest
from evaluated_scores import DIGEST, scores

from bioscan_etl.errors import BusyError
from bioscan_etl.evaluation import files
from bioscan_etl.evaluation.files import LEDGER, Origin, keep
from bioscan_etl.lake.locks import hold

ORIGIN = Origin(release="tiny v1", digest=DIGEST, seed=0, min_shared_columns=300)
CLUSTERING = {"benchmark": "clustering", "task": "cluster_records", "metric": "ami", "queries": "test", "keys": ""}
SHORTCUTS = {"benchmark": "shortcuts", "task": "shortcuts", "model": "country"}
DOUBTS = pl.DataFrame({"processid": ["=A-1"], "label": ["Aedes"]})


def held(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "scores.parquet")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_first_run_makes_all_files(tmp_path):
    made = keep(tmp_path / "new", ORIGIN, {"barcodebert": {"doubts": DOUBTS}}, scores({}))
    names = [path.name for path in made]
    assert names[-1] == "index.html"
    assert set(names) == {
        *("barcodebert.png", "barcodebert.svg", "doubts.csv", LEDGER, "scores.csv", "scores.parquet", "index.html")
    }
    assert {path.name for path in (tmp_path / "new").iterdir()} == {*names, ".lock"}
    assert held(tmp_path / "new").equals(scores({}))
    assert "'=A-1" in (tmp_path / "new" / "doubts.csv").read_text()  # no formula


def test_a_run_replaces_its_own_benchmark_alone(tmp_path):
    keep(tmp_path, ORIGIN, {"shortcuts": {"doubts": DOUBTS}}, scores(SHORTCUTS, {**SHORTCUTS, "model": "batch"}))
    keep(tmp_path, ORIGIN, {"barcodebert": {}}, scores({}, {"model": "5-mers"}))
    assert held(tmp_path)["model"].to_list() == ["6-mers", "5-mers", "country", "batch"]  # the order of benchmarks
    keep(tmp_path, ORIGIN, {"barcodebert": {}}, scores({"value": 0.7}))
    assert held(tmp_path).equals(scores({"value": 0.7}, SHORTCUTS, {**SHORTCUTS, "model": "batch"}))
    text = (tmp_path / "index.html").read_text()
    assert "5-mers" not in text
    assert "country" in text
    assert (tmp_path / "doubts.csv").is_file()
    assert (tmp_path / "shortcuts.svg").is_file()


def test_any_order_of_runs_ends_in_the_same_bytes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    runs = [({"barcodebert": {}}, scores({})), ({"clustering": {}}, scores(CLUSTERING))]
    for folder, order in ((one, runs), (other, runs[::-1])):
        for measured, found in order:
            keep(folder, ORIGIN, measured, found)
    keep(tmp_path / "both", ORIGIN, {"barcodebert": {}, "clustering": {}}, scores({}, CLUSTERING))
    assert content(one) == content(other) == content(tmp_path / "both")


@pytest.mark.parametrize(
    "other",
    [{"digest": "1" * 64}, {"seed": 1}, {"min_shared_columns": 200}, {"release": "tiny v2"}],
    ids=lambda change: next(iter(change)),
)
def test_scores_of_another_origin_are_discarded_with_their_files(tmp_path, other):
    keep(tmp_path, ORIGIN, {"shortcuts": {"doubts": DOUBTS}}, scores(SHORTCUTS))
    (tmp_path / "notes.csv").write_text("mine")
    keep(tmp_path, ORIGIN.model_copy(update=other), {"barcodebert": {}}, scores({}))
    assert held(tmp_path).equals(scores({}))
    left = {path.name for path in tmp_path.iterdir()}
    assert not left & {"doubts.csv", "shortcuts.svg", "shortcuts.png"}
    assert "notes.csv" in left


def test_a_ledger_is_not_trusted(tmp_path):
    """It names files that are removed; one that was changed names nothing."""
    folder = tmp_path / "scores"
    (tmp_path / "secret.csv").write_text("mine")
    keep(folder, ORIGIN, {"shortcuts": {"doubts": DOUBTS}}, scores(SHORTCUTS))
    ledger = json.loads((folder / LEDGER).read_text())
    ledger["tables"]["shortcuts"] = ["../secret"]
    (folder / LEDGER).write_text(json.dumps(ledger))
    keep(folder, ORIGIN, {"barcodebert": {}}, scores({}))
    assert (tmp_path / "secret.csv").read_text() == "mine"
    assert held(folder).equals(scores({}))


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"origin": 1}'])
def test_scores_that_nobody_vouches_for_are_discarded(tmp_path, damage):
    keep(tmp_path, ORIGIN, {"shortcuts": {}}, scores(SHORTCUTS))
    (tmp_path / LEDGER).write_bytes(damage)
    keep(tmp_path, ORIGIN, {"barcodebert": {}}, scores({}))
    assert held(tmp_path).equals(scores({}))


def test_scores_that_were_changed_are_discarded(tmp_path):
    keep(tmp_path, ORIGIN, {"shortcuts": {}}, scores(SHORTCUTS))
    scores({**SHORTCUTS, "value": 0.99}).write_parquet(tmp_path / "scores.parquet")
    keep(tmp_path, ORIGIN, {"barcodebert": {}}, scores({}))
    assert held(tmp_path).equals(scores({}))


@pytest.mark.parametrize("at", ["write_spreadsheet", "write_page", "_moved"])
def test_a_killed_run_leaves_everything_as_it_was_and_the_next_one_ends_it(tmp_path, monkeypatch, at):
    keep(tmp_path, ORIGIN, {"barcodebert": {}}, scores({}))
    before = content(tmp_path)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, at, killed)
        with pytest.raises(KeyboardInterrupt):
            keep(tmp_path, ORIGIN, {"clustering": {}}, scores(CLUSTERING))
    assert content(tmp_path) == before
    keep(tmp_path, ORIGIN, {"clustering": {}}, scores(CLUSTERING))
    assert held(tmp_path).equals(scores({}, CLUSTERING))
    assert not (tmp_path / ".staged").exists()


def test_a_run_killed_between_two_files_leaves_the_page_and_the_next_one_mixes_nothing(tmp_path, monkeypatch):
    keep(tmp_path, ORIGIN, {"barcodebert": {}}, scores({}))
    page = (tmp_path / "index.html").read_bytes()
    replace, moved = Path.replace, []

    def until_the_ledger(path, target):
        if moved and moved[-1] == LEDGER:
            raise KeyboardInterrupt
        moved.append(path.name)
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", until_the_ledger)
        with pytest.raises(KeyboardInterrupt):
            keep(tmp_path, ORIGIN, {"clustering": {}}, scores(CLUSTERING))
    assert (tmp_path / "index.html").read_bytes() == page
    keep(tmp_path, ORIGIN, {"clustering": {}}, scores(CLUSTERING))
    assert held(tmp_path).equals(scores(CLUSTERING))  # the ledger is of other scores than those that are there


def test_two_runs_at_once_keep_what_the_other_wrote(tmp_path):
    runs = [
        ({"barcodebert": {}}, scores({})),
        ({"clustering": {}}, scores(CLUSTERING)),
        ({"shortcuts": {}}, scores(SHORTCUTS)),
    ]
    threads = [threading.Thread(target=keep, args=(tmp_path, ORIGIN, *run)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(tmp_path).equals(scores({}, CLUSTERING, SHORTCUTS))


def test_a_folder_that_stays_locked_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PATIENCE", 0.2)
    with hold(tmp_path / ".lock", "busy"), pytest.raises(BusyError, match="another run writes to"):
        keep(tmp_path, ORIGIN, {"barcodebert": {}}, scores({}))
    assert not (tmp_path / "scores.parquet").exists()
