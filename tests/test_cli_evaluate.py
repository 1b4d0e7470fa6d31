"""The command `evaluate`."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import polars as pl
import pytest
import release_corpus

from bioscan_etl.cli import main
from bioscan_etl.settings import Settings


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    release_corpus.corpus(folder / "made").build(folder / "out" / "releases", Settings(splits=release_corpus.GROWN))
    return folder / "out"


@pytest.fixture(scope="module")
def said(output):
    """What the command prints, and the folder that it writes."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert main(["evaluate", "latest", "--in", str(output), "--benchmark", "barcodebert"]) == 0
    return out.getvalue(), err.getvalue()


def test_scores_and_places_are_printed(said, output):
    out, _ = said
    assert "6-mers, best 20 by edit distance" in out
    assert f"page: {output}/evaluations/v1/index.html" in out
    assert f"not applicable: {output}/evaluations/v1/scores.csv" in out


def test_the_cost_is_told_on_stderr_before_the_progress(said):
    _, err = said
    lines = err.splitlines()
    [first] = [number for number, line in enumerate(lines) if line.startswith("barcodebert: about ")]
    [last] = [number for number, line in enumerate(lines) if line.startswith("all: about ")]
    progress = [number for number, line in enumerate(lines) if line.startswith("barcodebert: unseen_genus")]
    assert first < last < min(progress)


def test_a_dry_run_says_only_what_it_costs(output, tmp_path, capsys):
    place = tmp_path / "scores"
    command = ["evaluate", "v1", "--in", str(output), "--output", str(place), "--benchmark", "barcodebert", "--dry-run"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    reading, benchmark, total = out.splitlines()
    assert reading.startswith("reading ")
    assert "queries" in benchmark
    assert "keys" in benchmark
    assert total.startswith("all: about ")
    assert "processor minutes" not in err
    assert not place.exists()


def test_the_answer_as_json(output, tmp_path, capsys):
    command = ["evaluate", str(output / "releases" / "v1"), "--output", str(tmp_path / "scores"), "--seed", "5"]
    assert main([*command, "--benchmark", "barcodebert", "--budget", "0.001", "--json", "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    assert found["release"] == "bioscan5m v1"
    assert found["dry_run"] is False
    assert found["output"] == str(tmp_path / "scores")
    assert [row["benchmark"] for row in found["estimated"]] == ["reading", "barcodebert"]
    assert {row["task"] for row in found["scores"]} == {"left_out_species", "seen_species"}
    assert all(0 <= row["value"] <= 1 for row in found["scores"])
    table = pl.read_parquet(tmp_path / "scores" / "scores.parquet")
    assert found["count"] == table.height
    assert set(table["seed"]) == {5}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--benchmark", "chess"], "chess"),
        (["--budget", "0"], "0.0 minutes are too few; give more than 0"),
        (["--seed", "-1"], "-1 is no seed; give a number from 0 on"),
    ],
)
def test_what_cannot_be_done_is_one_line(output, words, reason, capsys):
    assert main(["evaluate", "v1", "--in", str(output), *words]) == 2
    assert reason in capsys.readouterr().err


def test_a_release_that_is_not_there_is_named(output, capsys):
    assert main(["evaluate", "v7", "--in", str(output)]) == 2
    assert "has no release v7; it has v1" in capsys.readouterr().err
