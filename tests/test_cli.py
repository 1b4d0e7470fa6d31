"""The command line from end to end: a release from a demo corpus and from real records, and what bad input does."""

import datetime as dt
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from lake_corpus import land as land_small

from bioscan_etl import __version__, landing
from bioscan_etl.cli import main
from bioscan_etl.cli.app import app
from bioscan_etl.cli.terminal import Terminal, plain
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.lake.record import committed
from bioscan_etl.printable import printable
from bioscan_etl.schema import BCDM

SPECIMENS = "60"


def command(*arguments, check=None, **environment):
    """Run `bioscan-etl` in a process of its own, as a user does."""
    done = subprocess.run(
        [Path(sys.executable).with_name("bioscan-etl"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def data_files(release):
    """Path and sha256 of every file of a release."""
    manifest = json.loads((release / "manifest.json").read_text())
    return {entry["path"]: entry["sha256"] for entry in manifest["files"]}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command("demo", "--output", folder, "--specimens", SPECIMENS, check=0)
    return folder


@pytest.fixture(scope="module")
def released(demo, tmp_path_factory):
    """The demo corpus, run once; returns its output folder."""
    output = tmp_path_factory.mktemp("released")
    shutil.copytree(demo, output, dirs_exist_ok=True, copy_function=shutil.copy2)
    land_again(output)
    done = command("run", "--output", output, check=0)
    assert "release v1" in done.stdout
    return output


def land_again(output, order=1):
    """Land the copied demo batches where they lie now."""
    lake = Lake(output)
    for name in landing.landed(lake)[::order]:
        batch = landing.load(lake, name)
        records = [batch.locate(entry.location) for entry in batch.records]
        images = [batch.locate(entry.location) for entry in batch.images]
        assert all(path.startswith(str(output)) for path in (*records, *images))
        manifest = batch.locate(batch.image_manifest.location) if batch.image_manifest else None
        landing.register(lake, name, records, images, manifest)


@pytest.mark.slow
def test_the_demo_becomes_a_release_without_fault(released):
    release = released / "releases" / "latest"
    assert command("check", release, "--all-images", check=0).stdout.endswith("no fault found\n")
    for part in (
        "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv",
        "data/train-00000-of-00001.parquet",
        "partitioned",
        "bioscan5m/images/original_256",
        "bioscan5m/images/cropped",
        "bioscan5m/images/cropped_256",
        "hdf5/cropped_256.hdf5",
        "splits/all.csv",
        "BIOSCAN_5M_Insect_bbox.tsv",
        "quarantine.parquet",
        "set_aside.parquet",
        "rejects.parquet",
        "changes.parquet",
        "report/index.html",
        "md5sums.txt",
        "README.md",
    ):
        assert (release / part).exists(), part
    ledger = json.loads((release / "manifest.json").read_text())["ledger"]
    assert ledger["specimens"] > 20
    assert ledger["rows_read"] == sum(ledger[part] for part in ("specimens", "quarantined", "set_aside", "rejected"))


@pytest.mark.slow
def test_the_same_run_again_makes_no_release(released):
    done = command("run", "--output", released, check=0)
    assert "nothing changed" in done.stdout
    assert sorted(p.name for p in (released / "releases").glob("v*")) == ["v1"]


@pytest.mark.slow
def test_other_order_and_threads_give_the_same_bytes(demo, released, tmp_path):
    shutil.copytree(demo, tmp_path, dirs_exist_ok=True, copy_function=shutil.copy2)
    land_again(tmp_path, order=-1)
    settings = tmp_path / "settings.toml"
    settings.write_text("[images]\nworkers = 1\nshard_images = 7\n[records]\nchunk_bytes = 65536\n")
    command("run", "--output", tmp_path, "--settings", settings, check=0, POLARS_MAX_THREADS="1", PYTHONHASHSEED="7")
    first, second = released / "releases" / "latest", tmp_path / "releases" / "latest"
    # The descriptor states the sha256 of what the stages made in the lake, whose crops lie in shards of another size.
    stating = {"croissant.json", "md5sums.txt"}
    one, two = (
        {name: sha256 for name, sha256 in data_files(each).items() if name not in stating} for each in (first, second)
    )
    assert one == two
    assert described(first) == described(second)


def described(release):
    """The descriptor without the sums of what stages made."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if key != "prov:generated"}
        return [plain(each) for each in value] if isinstance(value, list) else value

    found = plain(json.loads((release / "croissant.json").read_text()))
    for each in found["distribution"]:
        each.pop("sha256", None)  # held by the comparison of the files
    return found


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(demo, released, tmp_path):
    shutil.copytree(demo, tmp_path, dirs_exist_ok=True, copy_function=shutil.copy2)
    land_again(tmp_path)
    # Where the work is found when the kill comes; each pattern appears in the middle of a stage.
    for pattern in ("lake/outputs/specimen_boxes/*/*", "lake/outputs/curated_taxonomy/corpus/*", "releases/.staging-*"):
        process = subprocess.Popen(
            [Path(sys.executable).with_name("bioscan-etl"), "run", "--output", tmp_path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob(pattern)):
            assert process.poll() is None, f"the run ended before {pattern} appeared"
            assert time.monotonic() < deadline, pattern
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not list(tmp_path.glob("releases/v*")), "half a release"
    command("run", "--output", tmp_path, check=0)
    assert data_files(tmp_path / "releases" / "latest") == data_files(released / "releases" / "latest")


@pytest.mark.slow
def test_real_records_and_images_become_a_release(shared_data, tmp_path):
    bold = shared_data / "bold"
    done = command(
        "run",
        "--records",
        *sorted(bold.glob("*.tsv")),
        "--images",
        shared_data / "images",
        "--image-manifest",
        shared_data / "image_manifest.csv",
        "--output",
        tmp_path,
        check=0,
    )
    release = tmp_path / "releases" / "latest"
    manifest = json.loads((release / "manifest.json").read_text())
    ledger = manifest["ledger"]
    assert ledger["rows_read"] == 3520, done.stdout
    assert ledger["specimens"] + ledger["quarantined"] == 3121
    assert manifest["counts"]["set_aside"] == {"other_marker": 358, "superseded": 41}
    assert ledger["rejected"] == 0
    lake = Lake(tmp_path)
    coi = {name: get(lake, "raw_records", name).counts["records"] for name in committed(lake)}
    assert sorted(coi.values()) == [515, 999, 1648]
    for name, records in coi.items():
        closed = get(lake, "checked_barcodes", name).counts["flags"].get("NO_OPEN_READING_FRAME", 0)
        assert closed == (58 if records == 999 else 0)
    specimens = pl.read_parquet(get(lake, "specimens").path("specimens.parquet"))
    norway = specimens.filter(pl.col("source_file") == "chironominae_norway_2025.tsv")
    assert norway["country_iso"].unique().to_list() == ["NO"]
    assert command("check", release, check=0).stdout.endswith("no fault found\n")


HEADER = "\t".join(["processid", *(column.name for column in BCDM)])


def records_text(*processids, drop_last=(), species="None"):
    """A records file of the 76-column layout, each barcode its own; rows in `drop_last` lack their last field."""
    columns = HEADER.split("\t")
    lines = [HEADER]
    for processid in processids:
        letters = (
            hashlib.sha256(processid.encode()).hexdigest().translate(str.maketrans("0123456789abcdef", "ACGT" * 4))
        )
        values = dict.fromkeys(columns, "None") | {
            "processid": processid,
            "marker_code": "COI-5P",
            "record_id": f"{processid}.COI-5P",
            "nuc": letters * 10,
            "phylum": "Arthropoda",
            "class": "Insecta",
            "order": "Diptera",
            "family": "Aidae",
            "genus": species.split(" ")[0],
            "species": species,
        }
        row = [values[column] for column in columns]
        lines.append("\t".join(row[:-1] if processid in drop_last else row))
    return "\n".join(lines) + "\n"


@pytest.mark.slow
def test_bad_rows_and_images_are_counted_and_nothing_else_is_lost(tmp_path):
    records = tmp_path / "plate.tsv.gz"
    good = [f"GOOD{n:03}-26" for n in range(20)]
    text = records_text(*good, "../../x", "SHORT1-26", drop_last={"SHORT1-26"})
    records.write_bytes(gzip.compress(text.encode())[:-9])
    images = tmp_path / "images"
    images.mkdir()
    (images / "GOOD000-26.jpg").write_text("this is no image")
    output = tmp_path / "out"
    done = command("run", "--records", records, "--images", images, "--output", output, check=0)
    manifest = json.loads((output / "releases" / "latest" / "manifest.json").read_text())
    assert manifest["counts"]["rejected"]["unsafe_processid"] == 1
    assert manifest["counts"]["rejected"]["field_count"] == 1
    assert manifest["counts"]["rejected"]["truncated_file"] == 1
    assert manifest["ledger"]["quarantined"] == 20
    quarantine = pl.read_parquet(output / "releases" / "latest" / "quarantine.parquet")
    first = quarantine.row(0, named=True)
    assert (first["processid"], first["gates"], first["image_status"]) == ("GOOD000-26", ["IMAGE_STATUS"], "unreadable")
    assert set(quarantine["gates"].list.join("+")[1:]) == {"NO_IMAGE"}
    assert "No specimen passed the gates" in done.stdout
    assert command("check", output / "releases" / "latest", check=0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"name\tlegs\nant\t6\n", "processid"),
        (b"\x1f\x8b\x08\x00garbage", "unreadable"),
    ],
)
def test_a_file_that_is_no_records_file_is_one_line(tmp_path, content, says):
    path = tmp_path / ("records.tsv.gz" if content.startswith(b"\x1f") else "records.tsv")
    path.write_bytes(content)
    done = command("run", "--records", path, "--output", tmp_path / "out", check=2)
    assert len(done.stderr.strip().splitlines()) == 1
    assert says in done.stderr
    assert str(path) in done.stderr
    assert not (tmp_path / "out" / "landing").exists(), "nothing lands"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--output", "{tmp}/out"], "no batch has landed"),
        (["run", "--output", "{tmp}/out", "--images", "{tmp}"], "give its --records too"),
        (["run", "--output", "{tmp}/out", "--records", "{tmp}/none.tsv"], "cannot be read"),
        (["run", "--output", "{tmp}/out", "--records", "{tmp}/r.tsv", "--batch", "../x"], "batch name"),
        (["run", "--output", "{tmp}/out", "--records", "{tmp}/r.tsv", "{tmp}/deep/r.tsv"], "give one --batch"),
        (["run", "--output", "{tmp}/out", "--records", "{tmp}/r.tsv", "--images", "{tmp}/none"], "images"),
        (["run", "--output", "{tmp}/out", "--settings", "{tmp}/none.toml"], "does not exist"),
        (["split", "{tmp}/none.csv", "--output", "{tmp}/split.csv"], "none.csv"),
        (["split", "{tmp}/r.tsv", "--output", "{tmp}/split.csv", "--earlier", "{tmp}/r.tsv"], "need protocol stable"),
        (["diff", "{tmp}/none", "{tmp}/none"], "there is no release"),
        (["diff", "v1", "v2", "--in", "{tmp}"], "has no release v1"),
        (["publish", "{tmp}", "s3://bucket/prefix"], "is no release"),
        (["publish", "{tmp}", "elsewhere"], "no place on S3"),
        (["run", "--output", "{tmp}/out", "--publish", "elsewhere"], "no place on S3"),
        (["land", "{tmp}/deep/none", "--output", "{tmp}/out"], "deep/none"),
        (["land", "{tmp}/r.tsv", "{tmp}/deep/r.tsv", "--output", "{tmp}/out"], "needs a name"),
        (["land", "{tmp}/r.tsv", "--name", "../x", "--output", "{tmp}/out"], "batch name"),
        (["status", "--output", "{tmp}/none"], "there is no folder"),
        (["why", "A-1", "--output", "{tmp}/none"], "there is no folder"),
        (["why", " ", "--output", "{tmp}"], "give a process ID"),
        (["withdraw", "b1", "--reason", "x", "--output", "{tmp}"], "there is no batch 'b1'"),
        (["withdraw", "b1", "--undo", "--output", "{tmp}"], "is not withdrawn"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_in_one_line(tmp_path, arguments, says):
    (tmp_path / "deep").mkdir()
    for path in (tmp_path / "r.tsv", tmp_path / "deep" / "r.tsv"):
        path.write_text(records_text("A-1"))
    done = command(*[argument.format(tmp=tmp_path) for argument in arguments], check=2)
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert says in done.stderr


def test_check_lists_what_is_wrong(tmp_path):
    done = command("check", tmp_path / "none", check=1)
    assert "none" in done.stdout
    assert "fault" in done.stdout


@pytest.mark.slow
def test_help_documents_every_command():
    text = command("--help", check=0).stdout
    assert "Exit codes: 0 done; 1 " in text
    for name in (
        *("run", "land", "ui", "status", "why", "withdraw", "alerts", "demo"),
        *("check", "diff", "publish", "split", "detect", "compare", "fetch"),
    ):
        assert name in text
        assert f"Usage: bioscan-etl {name} " in command(name, "--help", check=0).stdout


@pytest.mark.slow
def test_more_records_make_the_next_release_of_the_whole_corpus(tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text("[gates]\nrequire_image = false\n")
    output = tmp_path / "out"
    for number, ids in enumerate((["A-1", "A-2"], ["A-2", "B-1"]), start=1):
        path = tmp_path / f"BOLD_Public.0{number}-Jan-2026.tsv"
        path.write_text(records_text(*ids))
        done = command("run", "--records", path, "--output", output, "--settings", settings, check=0)
        assert f"release v{number}" in done.stdout
    ids = pl.read_csv(output / "releases" / "latest" / "splits" / "all.csv")["processid"].sort().to_list()
    assert ids == ["A-1", "A-2", "B-1"]
    assert (output / "releases" / "v1").is_dir()
    aside = pl.read_parquet(output / "releases" / "latest" / "set_aside.parquet")
    assert aside.select("processid", "reason", "batch").rows() == [("A-2", "superseded", "BOLD_Public.01-Jan-2026")]


@pytest.mark.slow
def test_split_keeps_the_order_of_the_table(tmp_path):
    table = pl.DataFrame(
        {
            "processid": [f"P-{n}" for n in range(30)][::-1],
            "genus": "Aus",
            "species": ["Aus bus"] * 30,
            "dna_barcode": ["ACGT" * 100 + "A" * n + "C" for n in range(30)],
        }
    )
    table.write_csv(tmp_path / "table.csv")
    command("split", tmp_path / "table.csv", "--protocol", "bioscan-5m", "--output", tmp_path / "split.csv", check=0)
    split = pl.read_csv(tmp_path / "split.csv")
    assert split.columns == ["processid", "split"]
    assert split["processid"].to_list() == table["processid"].to_list()
    assert set(split["split"]) == {"train", "val", "test"}


@pytest.mark.slow
def test_with_the_stable_protocol_no_record_moves_when_the_corpus_grows(tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text('[gates]\nrequire_image = false\n[splits]\nprotocol = "stable"\n')
    output = tmp_path / "out"

    def run(number, ids):
        path = tmp_path / f"BOLD_Public.0{number}-Jan-2026.tsv"
        path.write_text(records_text(*ids, species="Aus bus"))
        return command("run", "--records", path, "--output", output, "--settings", settings, check=0)

    def splits():
        return dict(pl.read_csv(output / "releases" / "latest" / "splits" / "all.csv").iter_rows())

    run(1, [f"A-{n}" for n in range(30)])
    first = splits()
    run(2, [f"B-{n}" for n in range(20)])
    second = splits()
    assert len(second) == 50
    assert {processid: second[processid] for processid in first} == first
    assert pl.read_parquet(output / "releases" / "latest" / "partition_moves.parquet").is_empty()
    assert "nothing changed" in command("run", "--output", output, "--settings", settings, check=0).stdout
    command("check", output / "releases" / "latest", check=0)


def test_a_folder_of_records_stands_for_its_files(tmp_path, capsys):
    folder = tmp_path / "delivery"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    arguments = ["run", "--records", str(folder), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "holds no records file among 1 files" in capsys.readouterr().err
    (folder / "BOLD_Public.21-Jun-2024.tsv").write_text("a\tb\n1\t2\n")
    assert main(arguments) == 2
    assert "BOLD_Public.21-Jun-2024.tsv has an unknown layout" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--output", "{tmp}/out"],
        ["run", "--output", "{tmp}/out", "--settings", "{tmp}/none.toml", "--dry-run"],
        ["land", "{tmp}/none", "--output", "{tmp}/out"],
        ["status", "--output", "{tmp}/none"],
        ["why", "A-1", "--output", "{tmp}/none"],
        ["withdraw", "b1", "--reason", "x", "--output", "{tmp}"],
        ["diff", "v1", "v2", "--in", "{tmp}"],
        ["publish", "{tmp}", "s3://bucket/prefix"],
        ["split", "{tmp}/none.csv", "--output", "{tmp}/split.csv"],
        ["compare", "{tmp}/none.tsv", "{tmp}/none.tsv", "--output", "{tmp}/x.csv"],
        ["detect", "{tmp}/none", "--output", "{tmp}/x.csv"],
        ["fetch", "records", "tax:Culicidae", "--settings", "{tmp}/none.toml", "--output", "{tmp}/x.tsv"],
        ["fetch", "images", "{tmp}/none.txt", "--output", "{tmp}/x"],
    ],
    ids=lambda arguments: "-".join(arguments[:2]),
)
def test_an_error_is_one_json_document_where_that_is_asked_for(tmp_path, capsys, arguments):
    words = [argument.format(tmp=tmp_path) for argument in arguments]
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert main([*words, "--json"]) == 2
    told = capsys.readouterr()
    assert set(json.loads(told.out)) - {"dry_run", "landed", "waiting", "left_out", "inbox_busy"} == {"error"}
    assert said.err == f"bioscan-etl: {json.loads(told.out)['error']}\n"
    assert told.err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "--output is missing; see bioscan-etl run --help"),
        (["run", "--output"], "--output needs a value; see bioscan-etl run --help"),
        (["run", "--output", "x", "--records"], "--records needs a value; see bioscan-etl run --help"),
        (["run", "--output", "x", "--setings", "y"], "Unknown option: --setings. Did you mean --settings? See "),
        (["run", "--outptu", "x"], "Did you mean --output instead of --outptu? See bioscan-etl run --help"),
        (["run", "--output", "x", "-q", "-v"], "--quiet and --verbose exclude each other"),
        (["check"], "RELEASE is missing; see bioscan-etl check --help"),
        (["detect", "a", "b", "--output", "x"], "unexpected argument b; see bioscan-etl detect --help"),
        (["ui", "x", "--port", "70000"], 'Invalid value "70000" for --port. Must be <= 65535'),
        (["demo", "--output", "x", "--specimens", "none"], 'Invalid value for --specimens: unable to convert "none"'),
        (["land", "a", "--output", "x", "--snapshot-date", "June"], "Invalid value for --snapshot-date"),
        (["split", "a", "--output", "x", "--protocol", "stabel"], 'Did you mean "stable"? See bioscan-etl split'),
        (["stauts"], 'Unknown command "stauts". Did you mean "status"? See bioscan-etl --help'),
        (["fetch", "recods"], 'Unknown command "recods". Did you mean "records"? See bioscan-etl fetch --help'),
    ],
)
def test_words_that_are_no_command_are_one_line_and_name_what_was_meant(capsys, arguments, says):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bioscan-etl: ")
    assert len(said.err.splitlines()) == 1
    assert says in said.err
    # `ui` has no --json, which is then one more thing that is wrong with it.
    assert main([*arguments, "--json"]) == 2
    told = capsys.readouterr()
    assert told.err == ""
    assert arguments[0] == "ui" or json.loads(told.out)["error"] in said.err


def test_no_command_is_answered_with_the_list(capsys):
    assert main([]) == 2
    assert "Usage: bioscan-etl COMMAND" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.endswith(f"\nbioscan-etl {__version__}\n")


def parsed(*words):
    return app.parse_args(words, print_error=False, exit_on_error=False)[1].arguments


def test_every_command_takes_the_options_of_all():
    for words in (
        ["run", "--output", "x"],
        ["land", "a", "--output", "x"],
        ["status", "--output", "x"],
        ["why", "A-1", "--output", "x"],
        ["withdraw", "b", "--undo", "--output", "x"],
        ["alerts", "--output", "x"],
        ["demo", "--output", "x"],
        ["check", "x"],
        ["diff", "a", "b"],
        ["publish", "x", "s3://b/p"],
        ["split", "t", "--output", "x"],
        ["detect", "t", "--output", "x"],
        ["compare", "a", "b", "--output", "x"],
        ["fetch", "records", "q", "--output", "x"],
        ["fetch", "images", "q", "--output", "x"],
    ):
        answer = parsed(*words, "--json", "-q")["answer"]
        assert (answer.json, answer.quiet, answer.verbose) == (True, True, False)
        assert parsed(*words, "--verbose")["answer"].verbose
    assert parsed("ui", "x", "-v")["answer"].verbose


def test_an_option_takes_several_values_and_may_be_repeated():
    found = parsed(
        *["run", "--records", "a", "b", "--images", "c", "--records", "d", "--output", "x", "--images", "e", "f"]
    )
    assert (found["records"], found["images"]) == (("a", "b", "d"), ("c", "e", "f"))
    assert parsed("ui", "x", "--allow-host", "a", "--allow-host", "b")["allow_host"] == ("a", "b")
    found = parsed("land", "a", "b", "--batch=name", "--output=x", "--snapshot-date", "2026-01-31")
    assert (found["sources"], found["name"], found["snapshot_date"]) == (("a", "b"), "name", dt.date(2026, 1, 31))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_the_shell(tmp_path, monkeypatch, capsys, shell):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ZSH_CUSTOM", "ZDOTDIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--install-completion", "--shell", shell, "--json"]) == 0
    path = Path(json.loads(capsys.readouterr().out)["completion"])
    assert path.is_relative_to(tmp_path)
    text = path.read_text()
    for word in ("withdraw", "image-manifest", "bioscan-5m"):
        assert word in text


def test_bash_completes_commands_and_options(tmp_path):
    (tmp_path / "complete.sh").write_text(app.generate_completion(shell="bash"))
    for words, wanted in (
        (["bioscan-etl", "wi"], {"withdraw"}),
        (["bioscan-etl", "run", "--image"], {"--images", "--image-manifest"}),
        (["bioscan-etl", "split", "t", "--protocol", ""], {"bioscan-5m", "stable"}),
    ):
        script = (
            f"source {tmp_path}/complete.sh; COMP_WORDS=({' '.join(repr(word) for word in words)}); "
            f"COMP_CWORD={len(words) - 1}; $(complete -p bioscan-etl | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert set(done.stdout.split()) == wanted, done.stderr


def test_what_is_said_does_nothing_to_a_terminal(capsys):
    terminal = Terminal()
    hostile = "Aus\x1b]0;title\x07 \x9b31m[red]:skull:\n\u202e\udcff"
    terminal.say(hostile)
    terminal.table("[bold]" + hostile, ["name"], [[hostile], [None], [True], [7]])
    terminal.error(hostile)
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\udcff"}
        assert r"Aus\x1b]0;title\x07 \x9b31m[red]:skull:\n\u202e\udcff" in text
    assert "[bold]" in said.out
    assert printable("Öç → µ") == "Öç → µ"


def test_a_json_document_is_plain_ascii(capsys):
    terminal = Terminal(as_json=True)
    terminal.say("not shown")
    terminal.table("not shown", ["a"], [[1]])
    terminal.fact(path=Path("/x/\udcff"), nan=float("nan"), frame=pl.DataFrame({"a": [1]}), several=("a", None, True))
    terminal.finish()
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == {"path": "/x/\udcff", "nan": None, "frame": [{"a": 1}], "several": ["a", None, True]}
    assert plain({1: {"b": Path("x")}}) == {"1": {"b": "x"}}


def test_progress_is_lines_with_an_estimate_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("bioscan_etl.cli.terminal.time.monotonic", lambda: next(clock))
    with Terminal().progress() as progress:
        for _ in range(2):
            for done in (0, 1, 2, 3, 4, 4):
                progress("images", done, 4)
        progress("download", 5)
    once = ["images: 1 of 4, about 30 s left", "images: 2 of 4, about 20 s left", "images: 3 of 4, about 10 s left"]
    assert capsys.readouterr().err.splitlines() == [*once, "images: 4 of 4"] * 2
    with Terminal(quiet=True).progress() as progress:
        progress("images", 4, 4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("cv2", ["detect", "{tmp}", "--output", "{tmp}/x.csv"], "images"),
        ("dagster", ["run", "--output", "{tmp}"], "pipeline"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(tmp_path, module, words, extra):
    land_small(Lake(tmp_path), "b1")
    given = [word.format(tmp=tmp_path) for word in words]
    code = f"import sys; sys.modules[{module!r}] = None; from bioscan_etl.cli import main; sys.exit(main({given!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert f"pip install 'bioscan-etl[{extra}]'" in done.stderr


@pytest.mark.parametrize("words", [[], ["--help"], ["run", "--help"], ["split", "--help"], ["runn"], ["ui", "--help"]])
def test_the_command_line_starts_fast(words):
    """Heavy libraries are imported by the commands that need them, when they run."""
    code = f"""
import sys
from bioscan_etl.cli import main
main({words})
heavy = {{"polars", "dagster", "numpy", "pydantic", "boto3", "pyarrow", "cv2", "duckdb", "markdown_it"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
