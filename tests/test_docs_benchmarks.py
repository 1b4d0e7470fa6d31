"""The commands of docs/benchmarks.md, on a smaller demo corpus."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from bioscan_etl.cli import main

TEXT = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4}bioscan-etl (.*)$", TEXT, re.MULTILINE)
MAKING = [line for line in COMMANDS if line.startswith(("demo ", "run "))]
NETWORKS = [line for line in COMMANDS if "--network" in line]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder where the demo corpus of the page has a release; `output` of other commands is the same corpus."""
    folder = tmp_path_factory.mktemp("page")
    for line in MAKING:
        words = shlex.split(line.replace("--specimens 2000", "--specimens 150"))
        # In a process of its own: with PySpark at hand, Great Expectations ends a process that is run by pytest.
        subprocess.run([sys.executable, "-m", "bioscan_etl.cli", *words, "--quiet"], check=True, cwd=folder)
    (folder / "output").symlink_to("demo")
    return folder


@pytest.mark.slow
def test_the_commands_do_what_the_page_says(made, monkeypatch):
    monkeypatch.chdir(made)
    rest = [line for line in COMMANDS if line not in [*MAKING, *NETWORKS]]
    assert [line.split()[0] for line in rest] == ["evaluate", "evaluate", "propose"]
    for line in rest:
        assert main([*shlex.split(line), "--quiet"]) == 0
    folder = made / "demo" / "evaluations" / "v1"
    named = set(re.findall(r"^\| (`[^|]*`) \| (?=figures|a row per|specimens whose|the same as)", TEXT, re.MULTILINE))
    files = {name for cell in named for name in re.findall(r"`([^`]+)`", cell)}
    assert files == {"index.html", "scores.csv", "scores.parquet", "label_doubts.csv", "label_reports.csv"}
    # Images that cannot be read are listed if there are any; the demo's can all be read.
    assert files <= {path.name for path in folder.iterdir()}


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs .venv-clients: torch is not installed")
def test_the_command_with_a_network_does_what_the_page_says(made, monkeypatch):
    monkeypatch.chdir(made)
    [line] = NETWORKS
    assert main([*shlex.split(line.replace("--minutes 5", "--minutes 0.05 --text")), "--quiet"]) == 0
    scores = pl.read_parquet(made / "demo" / "evaluations" / "v1" / "scores.parquet")
    models = scores["model"].unique().to_list()
    assert any(model.startswith("transformer tiny, pretrained") for model in models)
    assert any(model.startswith("aligned contrastively") for model in models)
    assert scores.filter(pl.col("task") == "image_to_text")["value"].is_not_null().any()
