"""The commands `propose` and `proposals`."""

import json

import pytest

from bioscan_etl.cli import main

TEXT = "processid,reason,reporter,date\nA-1,no_insect,U. Ser,2026-02-01\n"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_reports_are_put_into_the_corpus_and_listed(corpus, tmp_path, capsys):
    (tmp_path / "users.csv").write_text(TEXT)
    assert main(["propose", str(tmp_path / "users.csv"), "--output", str(corpus)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"1 reports: {corpus / 'reports' / 'users.csv'}")
    assert f"bioscan-etl desk {corpus}" in said.out + said.err
    assert main(["proposals", "--output", str(corpus)]) == 0
    said = capsys.readouterr().out
    assert "A-1" in said
    assert "1 new" in said
    (corpus / "reports" / "wrong.csv").write_text("x\n")
    assert main(["proposals", "--output", str(corpus), "--json", "-q"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["processid"] for one in told["lines"]] == ["A-1"]
    assert [one["file"] for one in told["refused"]] == ["wrong.csv"]


def test_a_wrong_line_is_one_sentence_and_nothing_is_copied(corpus, tmp_path, capsys):
    (tmp_path / "users.csv").write_text(TEXT + "A-2,because,U. Ser,2026-02-01\n")
    assert main(["propose", str(tmp_path / "users.csv"), "--output", str(corpus)]) == 2
    assert "line 3: unknown reason 'because'" in capsys.readouterr().err
    assert not (corpus / "reports").exists()


def test_a_corpus_without_reports(corpus, capsys):
    assert main(["proposals", "--output", str(corpus)]) == 0
    assert "no reports" in capsys.readouterr().out
