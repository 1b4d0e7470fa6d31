"""`bioscan-etl fetch` as a user runs it, and the commands of docs/how-to/fetch.md."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import polars as pl
import pytest
from bold_server import record, serving
from images_drawn import insect, well

from bioscan_etl.cli import main
from bioscan_etl.schema import BCDM

DOCS = Path(__file__).parents[1] / "docs" / "how-to" / "fetch.md"
TERMS = "tax:family:Culicidae;geo:country/ocean:Canada"
IDS = [f"AAASF{n:03}-17" for n in range(4)]


def photo(number):
    image = well()
    insect(image, (400 + 60 * number, 380), 200)
    return cv2.imencode(".jpg", image[:, :, ::-1])[1].tobytes()


@pytest.fixture(scope="module")
def bold():
    with serving() as server:
        empty = dict.fromkeys(column.name for column in BCDM)
        server.records[TERMS] = [
            empty | record(processid, nuc="ACGT" * 150 + "ACGGT" * number, record_id=f"{processid}.COI-5P")
            for number, processid in enumerate(IDS)
        ]
        server.images = {processid: {f"{n}.jpg": photo(n)} for n, processid in enumerate(IDS[:3])}
        yield server


@pytest.fixture
def place(bold, tmp_path, monkeypatch):
    """A working folder with settings that point to the server."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in quick(bold)]
    (tmp_path / "fake.toml").write_text("\n".join(["[bold]", *lines]) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    bold.recover()
    return tmp_path


def fetch(*arguments):
    return main(["fetch", *map(str, arguments), "--settings", "fake.toml"])


def quick(server):
    settings = server.settings(attempts=2)
    return [(name, getattr(settings, name)) for name in settings.model_fields_set]


def test_records_are_fetched(place, capsys):
    assert fetch("records", "tax:Culicidae;geo:Canada", "--output", "q.tsv") == 0
    said = capsys.readouterr()
    assert f"q.tsv: 4 records, {(place / 'q.tsv').stat().st_size:,} bytes, of {TERMS}" in said.out
    assert "fetch_records: 4 of 4" in said.err
    assert fetch("records", "tax:Culicidae;geo:Canada", "--output", "q.tsv") == 2
    assert "there already" in capsys.readouterr().err


def test_images_are_fetched_and_failures_counted(place, bold, capsys):
    (place / "ids.txt").write_text("\n".join(IDS))
    bold.fail("/api/objects/0.jpg", "500", "500")
    assert fetch("images", "ids.txt", "--output", "images") == 1
    said = capsys.readouterr().out
    assert "2 images of 4 process IDs" in said
    assert "no_image 1, server_error 1" in said
    assert fetch("images", "ids.txt", "--output", "images") == 0
    assert "fetched now 1, kept 2" in capsys.readouterr().out


def test_a_download_answers_in_json(place, bold, capsys):
    assert fetch("records", "tax:Culicidae;geo:Canada", "--output", "q.tsv", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["path"], facts["records"], facts["query"]) == ("q.tsv", 4, TERMS)
    (place / "ids.txt").write_text("\n".join(IDS))
    bold.fail("/api/objects/0.jpg", "500", "500")
    assert fetch("images", "ids.txt", "--output", "images", "--json", "-q") == 1
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert (facts["wanted"], facts["fetched"], facts["failed"]) == (4, 2, 1)
    assert facts["reasons"] == {"no_image": 1, "server_error": 1}
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["records", "tax:Culicidea", "--output", "q.tsv"], "check the spelling"),
        (["records", "tax:Aedes", "--output", "q.tsv"], "write one of"),
        (["images", "none.txt", "--output", "images"], "none.txt cannot be read"),
        (["images", "--records", "none.tsv", "--output", "images"], "none.tsv cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(place, capsys, arguments, says):
    assert fetch(*arguments) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert says in said


@pytest.mark.parametrize("arguments", [["images", "--output", "i"], ["images", "a", "--records", "b", "--output", "i"]])
def test_process_ids_come_from_one_place(place, capsys, arguments):
    assert fetch(*arguments) == 2
    assert "PROCESSIDS_FILE" in capsys.readouterr().err


@pytest.mark.slow
def test_the_commands_of_the_docs_work_one_after_the_other(place):
    (place / "processids.txt").write_text("\n".join(IDS[:3]))
    said = [shlex.split(line) for line in DOCS.read_text().splitlines() if line.startswith("    bioscan-etl ")]
    assert [words[1] for words in said] == ["fetch", "fetch", "fetch", "run", "run"]
    outputs = []
    for _, kind, *rest in said:
        words = [Path(sys.executable).with_name("bioscan-etl"), kind, *rest]
        words += ["--settings", "fake.toml"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    assert "4 records" in outputs[0]
    assert "3 images of 4 process IDs" in outputs[1]
    assert "kept 3" in outputs[2]
    assert "release v1" in outputs[3]
    # The same images, fetched on the way: nothing in the release changes.
    assert "3 images of 4 process IDs" in outputs[4]
    assert "release v1" in outputs[4]
    assert sorted(path.name for path in (place / "out/landing/mosquitoes/images").glob("*.jpg")) == [
        f"{processid}.jpg" for processid in IDS[:3]
    ]
    for path in (place / "out").rglob("image_index*.parquet"):
        assert pl.read_parquet(path).filter(pl.col("status") == "found")["processid"].to_list() == IDS[:3]


def test_every_reason_is_in_the_docs():
    text = DOCS.read_text()
    for module in ("client", "images", "records"):
        source = (DOCS.parents[2] / "bioscan_etl" / "bold" / f"{module}.py").read_text()
        for reason in re.findall(r'"(unreachable|truncated|timeout|refused|not_\w+|unsafe_\w+|too_large)"', source):
            assert f"`{reason}`" in text, reason
