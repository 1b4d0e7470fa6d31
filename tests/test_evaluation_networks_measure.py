"""What a transformer is asked about a release. Needs torch, which the base install lacks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from evaluated_records import records
from test_evaluation_barcodebert import specimens

pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.networks import measure as module
from bioscan_etl.evaluation.networks.measure import measure

pytestmark = pytest.mark.clients
WITH_VAL = [*specimens(), *({**row, "split": "val"} for row in specimens()[:20:5])]


def measured(rows=WITH_VAL, **more):
    found = records(rows)
    sheet = Sheet(found, 0)
    trained = measure(found, sheet, **{"steps": 3, "device": "cpu", **more})
    return sheet.table(), trained


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    return folder, *measured(checkpoints=folder)


def numbers(table):
    return table.drop("cpu_seconds", "model", "note")


def test_each_model_is_asked_all_it_can_answer(kept):
    _, table, trained = kept
    asked = table.filter(pl.col("metric") == "top1_micro", pl.col("subset") == "all").select("model", "task").rows()
    tasks = ("unseen_genus", "seen_species", "left_out_species")
    expected = {
        *((f"transformer tiny, {name}", task) for name in ("pretrained", "random weights") for task in tasks),
        ("transformer tiny, pretrained, linear probe", "seen_species"),
        ("transformer tiny, pretrained, fine-tuned", "seen_species"),
        ("transformer tiny, random weights, linear probe", "seen_species"),
    }
    assert set(asked) == expected
    assert len(asked) == len(expected)
    assert table["versions"].str.contains("torch ").all()
    seen = table.filter(pl.col("task") == "seen_species", pl.col("value").is_not_null())
    assert seen["shuffled"].is_not_null().all()
    assert seen["majority"].is_not_null().all()
    scores = table.filter(pl.col("model") == "transformer tiny, pretrained", pl.col("value").is_not_null())
    [note] = scores["note"].unique().to_list()
    assert note.startswith("3 steps of 20 on 20 barcodes; names ")
    assert [one.label for one in trained] == [
        "barcodebert: transformer tiny, pretrained",
        "barcodebert: transformer tiny, pretrained, linear probe",
        "barcodebert: transformer tiny, pretrained, fine-tuned",
        "barcodebert: transformer tiny, random weights, linear probe",
    ]
    assert all(one.peak and one.throughput for one in trained)


def test_the_same_seed_gives_the_same_numbers(kept):
    folder, table, _ = kept
    again, trained = measured(checkpoints=folder)
    assert trained[0].done == 0  # the pretraining is there
    assert again.drop("cpu_seconds").equals(table.drop("cpu_seconds"))
    fresh, trained = measured()
    assert trained[0].done == 3
    assert fresh.drop("cpu_seconds").equals(table.drop("cpu_seconds"))


def test_kept_weights_score_the_same(kept):
    folder, table, _ = kept
    read, _ = measured(weights=folder / "transformer-tiny.pt")
    ours = table.filter(
        pl.col("model").str.starts_with("transformer tiny, pretrained"), ~pl.col("model").str.contains("tuned")
    )
    theirs = read.filter(
        pl.col("model").str.starts_with("transformer of transformer-tiny.pt"), ~pl.col("model").str.contains("tuned")
    )
    assert numbers(ours).equals(numbers(theirs))
    assert "transformer shaped as transformer-tiny.pt, random weights" in read["model"].to_list()


def test_steps_and_seeds_are_kept_apart(kept):
    folder, _, _ = kept
    _, trained = measured(checkpoints=folder, steps=2)
    assert trained[0].done == 2


def test_an_emptied_partition_is_a_row_and_no_crash():
    for gone in ("train", "test", "test_unseen"):
        table, _ = measured([row for row in WITH_VAL if row["split"] != gone])
        missing = table.filter(pl.col("value").is_null(), pl.col("subset") == "all")
        assert missing["note"].str.contains("not applicable, because").all()
        if gone == "train":
            assert set(missing["task"]) >= {"unseen_genus", "seen_species"}
    table, trained = measured([{**row, "dna_barcode": None} for row in WITH_VAL])
    assert table["value"].is_null().all()
    assert trained == []


def test_what_is_wrong_is_named_before_work_starts(tmp_path):
    with pytest.raises(SettingsError, match="size 'huge'"):
        measured(size="huge")
    with pytest.raises(SourceError, match="there is no file"):
        measured(weights=tmp_path / "none.pt")


def test_missing_torch_is_one_line(monkeypatch):
    from bioscan_etl import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(extras.MissingExtraError, match="bench"):
        measured()


def test_the_budget_is_shared():
    assert 0 < module._PRETRAINING < 1
    assert np.isclose(module.Options().budget_minutes, 10)


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_on_a_cpu():
    script = Path(__file__).parents[1] / "benchmarks" / "networks.py"
    done = subprocess.run(
        [sys.executable, script, "--tiny", "--device", "cpu"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "masked k-mers of other barcodes named" in done.stdout
    assert done.stdout.count("  on shuffled pairs: ") == 2
