"""What people read is true: every command and snippet of the README and the docs is run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bioscan_etl.cli import main
from bioscan_etl.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()


def commands(text):
    """Indented commands, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line.strip() for line in joined.splitlines() if line.startswith("    ") and line.strip()]


def test_the_two_commands_are_the_makefile_s():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {command.split()[1] for command in commands(README) if command.startswith("make ")}
    assert named == {"run", "test"}
    assert named | {"dev", "lock", "help"} <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text(), "CI calls the README's test command"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_is_named_parses(page):
    for command in commands(page.read_text()):
        if "bioscan-etl " in command:
            words = shlex.split(command.split("bioscan-etl ", 1)[1])
            app.parse_args(words, print_error=False, exit_on_error=False)


def test_the_layout_of_the_release_is_told_as_it_is():
    tree = README.partition("## What comes out")[2].split("```")[1]
    from bioscan_etl.release.core import LOGS
    from bioscan_etl.release.layout import csv_name
    from bioscan_etl.settings import ReleaseSettings

    for name in (*LOGS, csv_name(ReleaseSettings()), "md5sums.txt", "manifest.json", "report/index.html"):
        assert name in tree


@pytest.mark.slow
def test_the_real_run_of_the_readme_runs(tmp_path):
    """The commands as they stand, on demo deliveries under the names that the README uses."""
    assert main(["demo", "--output", str(tmp_path / "demo"), "--specimens", "40"]) == 0
    landing = tmp_path / "demo" / "landing"
    records = sorted(landing.rglob("*.tsv"))
    by_columns = {len(path.read_bytes().split(b"\n", 1)[0].split(b"\t")): path for path in records}
    shutil.copy(by_columns[56], tmp_path / "BOLD_Public.18-Dec-2023.tsv")
    shutil.copy(by_columns[74], tmp_path / "BOLD_Public.21-Jun-2024.tsv")
    images = next(path for path in landing.rglob("images") if path.is_dir())
    shutil.copytree(images, tmp_path / "images")
    lines = ["processid,image_file", *(f"{path.name.split('.')[0]},{path.name}" for path in images.glob("*.jpg"))]
    (tmp_path / "image_manifest.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "bioscan-etl").symlink_to(Path(sys.executable).with_name("bioscan-etl"))
    real = [command for command in commands(README) if command.startswith(".venv/bin/bioscan-etl")]
    assert len(real) == 2
    for command in real:
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "no fault found" in done.stdout


@pytest.mark.slow
def test_the_notebook_lines_of_the_readme_run(tmp_path, monkeypatch):
    assert main(["demo", "--output", str(tmp_path / "out"), "--specimens", "40"]) == 0
    assert main(["run", "--output", str(tmp_path / "out")]) == 0
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"<!-- notebook -->\n```python\n(.*?)```", README, re.S)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["checked"].table.height == names["train"].height > 0
    assert names["pixels"].ndim == 3
    assert names["partitions"].height == names["release"].ledger.specimens


def test_the_snippets_of_the_docs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plate-7.tsv").write_text("processid\nA-1\n")
    (tmp_path / "plate-7").mkdir()
    (tmp_path / "plate-7" / "A-1.jpg").write_bytes(b"jpeg")
    for snippet in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "guide" / "curation.md").read_text(), re.S):
        exec(compile(snippet, "docs/guide/curation.md", "exec"), {})
    assert (tmp_path / "out" / "landing" / "plate-7" / "batch.json").exists()


def test_the_decisions_of_the_docs_are_read():
    from bioscan_etl.decisions.read import read_decisions

    text = re.search(r"```\n(processid,rank.*?)```", (ROOT / "docs" / "guide" / "decisions.md").read_text(), re.S)[1]
    found = read_decisions({"anna.csv": text})
    assert found.refused.is_empty()
    assert found.lines["problem"].drop_nulls().is_empty()
    assert found.usable.height == text.count("\n") - 1
