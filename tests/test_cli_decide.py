"""The commands `decide` and `decisions`."""

import json

import pytest
from decided import csv_of

from bioscan_etl.cli import main

REJECT = {"processid": "A-1", "action": "reject"}


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def given(tmp_path):
    def put(*rows, text=None):
        path = tmp_path / "given.csv"
        path.write_text(csv_of(rows) if text is None else text)
        return path

    return put


def facts(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main([*map(str, arguments), "--json", "-q"]) == code
    return json.loads(capsys.readouterr().out)


def test_lines_are_added_to_the_files_of_their_curators(corpus, given, capsys):
    path = given(REJECT, REJECT | {"processid": "A-2", "curator": "Bert"})
    assert main(["decide", str(path), "--output", str(corpus)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("2 decisions: ")
    assert "e-stur.csv" in said.out
    assert "bert.csv" in said.out
    assert f"next: bioscan-etl run --output {corpus}" in said.out + said.err
    assert sorted(one.name for one in (corpus / "decisions").glob("*.csv")) == ["bert.csv", "e-stur.csv"]


def test_the_curator_can_be_named_and_the_same_file_adds_nothing_again(corpus, given, capsys):
    path = given(REJECT)
    for _ in range(2):
        told = facts(capsys, "decide", path, "--curator", "Zoë", "--output", corpus)
        assert told["files"] == [str(corpus / "decisions" / "zoe.csv")]
    (line,) = facts(capsys, "decisions", "--output", corpus)["lines"]
    assert (line["curator"], line["status"]) == ("Zoë", "new")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "line 1: it lacks action"),
        (csv_of([REJECT, REJECT | {"processid": "A-2", "action": "promote"}]), "line 3: unknown action 'promote'"),
        (csv_of([REJECT, REJECT | {"action": "accept"}]), "line 2: contradicts"),
        ("", "line 1: it lacks action"),
    ],
)
def test_a_wrong_file_adds_nothing_and_is_one_sentence(corpus, given, capsys, text, said):
    assert main(["decide", str(given(text=text)), "--output", str(corpus)]) == 2
    found = capsys.readouterr()
    assert said in found.err
    assert found.out == ""
    assert not list(corpus.rglob("*.csv"))


def test_the_list_says_what_the_next_run_reads_and_exits_with_1_if_a_line_is_wrong(corpus, given, capsys):
    main(["decide", str(given(REJECT)), "--output", str(corpus)])
    capsys.readouterr()
    assert main(["decisions", "--output", str(corpus)]) == 0
    said = capsys.readouterr().out
    assert "A-1" in said
    assert "1 new" in said
    (corpus / "decisions" / "bert.csv").write_text(csv_of([REJECT | {"action": "accept", "curator": "Bert"}]))
    (corpus / "decisions" / "wrong.csv").write_text("a,b\n")
    assert main(["decisions", "--output", str(corpus)]) == 1
    said = capsys.readouterr().out
    assert "wrong.csv: line 1: it lacks action" in said
    assert "2 left_out" in said
    assert "contradicts bert.csv, line 2" in said
    told = facts(capsys, "decisions", "--output", corpus, code=1)
    assert [one["file"] for one in told["refused"]] == ["wrong.csv"]
    assert [(one["file"], one["line"], one["status"]) for one in told["lines"]] == [
        ("bert.csv", 2, "left_out"),
        ("e-stur.csv", 2, "left_out"),
    ]


def test_more_lines_than_a_screen_has_are_cut_but_not_in_json(corpus, given, capsys):
    main(["decide", str(given(*(REJECT | {"processid": f"A-{n}"} for n in range(60)))), "--output", str(corpus)])
    capsys.readouterr()
    assert main(["decisions", "--output", str(corpus)]) == 0
    said = capsys.readouterr()
    assert "the first 50 of 60 lines; --json prints all of them" in said.out + said.err
    assert len(facts(capsys, "decisions", "--output", corpus)["lines"]) == 60


def test_an_empty_corpus_has_no_decisions(corpus, capsys):
    assert main(["decisions", "--output", str(corpus)]) == 0
    assert "no decisions" in capsys.readouterr().out
