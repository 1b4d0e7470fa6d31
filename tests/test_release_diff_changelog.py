"""changelog.md: written from the difference to the version before, the same bytes each time, never markup."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from release_corpus import GROWN, Corpus, corpus

from bioscan_etl.cli import main
from bioscan_etl.release.check import check
from bioscan_etl.release.diff.changelog import CHANGELOG, WORDS, changelog, lines
from bioscan_etl.release.diff.compare import compare
from bioscan_etl.release.scan import scan_release
from bioscan_etl.rules import registry
from bioscan_etl.settings import ReleaseSettings, Settings

PLAIN = Settings(
    release=ReleaseSettings(image_packages=("cropped_256",), hdf5_packages=(), forms=("splits", "partitioned", "bbox"))
)
EVIL = "Aus <script>|`x`[a](b)*c*"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"))


def changed(made):
    """One specimen gone, one moved, one with a name that is markup, one without a country."""
    one = pl.col("processid")
    curated = made.curated.filter(one != "DEMO031-24").with_columns(
        species=pl.when(one == "DEMO008-24").then(pl.lit(EVIL)).otherwise("species"),
        country=pl.when(one == "DEMO009-24").then(None).otherwise("country"),
    )
    partitions = made.partitions.filter(one != "DEMO031-24").with_columns(
        split=pl.when(one == "DEMO000-24").then(pl.lit("train")).otherwise("split")
    )
    return Corpus(curated, partitions, made.logs, made.crops, made.rows_read - 1)


@pytest.fixture(scope="module")
def releases(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases")
    made.build(folder, PLAIN, digest="1" * 64)
    changed(made).build(folder, PLAIN, digest="2" * 64)
    return folder


def test_the_first_release_says_so(releases):
    assert (releases / "v1" / CHANGELOG).read_text() == "# Changes of v1\n\nThe first release.\n"


def test_the_next_one_tells_what_changed(made, releases, tmp_path):
    text = (releases / "v2" / CHANGELOG).read_text()
    assert text.startswith("# Changes of v2 since v1\n\n31 specimens; v1 had 32.")
    assert "| removed | 1 | gone 1 |" in text
    assert "| pretrain | train | RECOMPUTED | 1 |" in text
    assert "| changed | country | delivered | 1 |" in text
    assert "| image_removed | cropped_256 | with_record | 1 |" in text
    assert f"| RECOMPUTED | {WORDS['RECOMPUTED']} |" in text
    assert "<script" not in text
    assert "Aus &lt;script>\\|&#96;x&#96;&#91;a](b)&#42;c&#42;" in text
    for line in text.splitlines():
        if line.startswith("| Aus") or "species | Aedes" in line:
            assert line.replace("\\|", "").count("|") == 6
    own = {CHANGELOG, "README.md", "manifest.json", "md5sums.txt"}
    assert [fault for fault in check(releases / "v2") if fault.file in own] == []
    assert check(made.build(tmp_path, PLAIN.model_copy(update={"splits": GROWN}))) == []
    assert f"`{CHANGELOG}`" in (releases / "v2/README.md").read_text()


def test_it_has_the_same_bytes_each_time(made, releases, tmp_path):
    made.build(tmp_path, PLAIN, digest="1" * 64)
    again = changed(made).build(tmp_path, PLAIN, digest="2" * 64)
    assert (again / CHANGELOG).read_bytes() == (releases / "v2" / CHANGELOG).read_bytes()
    assert (again / "manifest.json").read_bytes() == (releases / "v2/manifest.json").read_bytes()


def test_a_run_killed_behind_it_writes_it_anew(made, releases, tmp_path, monkeypatch):
    made.build(tmp_path, PLAIN, digest="1" * 64)

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bioscan_etl.release.ship.version.readme", dies)
        with pytest.raises(KeyboardInterrupt):
            changed(made).build(tmp_path, PLAIN, digest="2" * 64)
    again = changed(made).build(tmp_path, PLAIN, digest="2" * 64)
    assert (again / "manifest.json").read_bytes() == (releases / "v2/manifest.json").read_bytes()


def test_an_old_version_that_was_thrown_away_keeps_no_new_one_from_being_made(made, tmp_path):
    first = made.build(tmp_path, PLAIN, digest="1" * 64)
    for name in ("data", "bioscan5m"):
        shutil.rmtree(first / name)
    second = changed(made).build(tmp_path, PLAIN, digest="2" * 64)
    assert "v1, no longer exists, so it cannot be compared" in (second / CHANGELOG).read_text()


def test_no_difference_is_told(releases):
    one = scan_release(releases / "v1")
    found = compare(one, one)
    assert "Both have the same specimens" in changelog("v2", found)
    assert lines(found)[-1] == "no difference"


def test_words_and_rules_do_not_meet():
    assert set(WORDS).isdisjoint(registry())


def test_the_page_lists_every_reason():
    page = (Path(__file__).parents[1] / "docs" / "guide" / "releases.md").read_text()
    for word in WORDS:
        assert f"`{word}`" in page or f"`{word}:" in page, word


def test_the_command_tells_the_counts_and_writes_the_table(releases, tmp_path, capsys):
    table = tmp_path / "diff.csv"
    assert main(["diff", str(releases / "v1"), "v2", "--output", str(table)]) == 0
    told = capsys.readouterr().out
    assert "v1 -> v2: 32 specimens before, 31 after" in told
    assert "removed                 1" in told
    assert "pretrain -> train  RECOMPUTED 1" in told
    assert str(table) in told
    assert pl.read_csv(table).filter(pl.col("kind") == "moved").rows() == [
        ("DEMO000-24", "moved", "split", "pretrain", "train", "RECOMPUTED")
    ]
    assert main(["diff", "v1", "latest", "--in", str(releases)]) == 0
    assert "every difference" not in capsys.readouterr().out
    assert main(["diff", "v1", "v9", "--in", str(releases)]) == 2
    assert "has no release v9; it has v1, v2" in capsys.readouterr().err
    assert main(["diff", str(releases / "v1"), str(releases), "--output", str(table)]) == 2
    assert "is not a release" in capsys.readouterr().err
