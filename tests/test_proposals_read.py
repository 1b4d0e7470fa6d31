"""Reports from users: each good line is a proposal, and suggests no more than what a curator can decide."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.decisions.vocabulary import ACTIONS
from bioscan_etl.proposals.read import COLUMNS, FIELDS, action_of, read_proposals, suggestion
from bioscan_etl.schema import PROPOSALS

HEADER = ",".join(COLUMNS) + "\n"
GOOD = "A-1,no_insect,,,,U. Ser,2026-02-01"


def read(*lines):
    return read_proposals({"users.csv": HEADER + "".join(f"{line}\n" for line in lines)})


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        "A-1,misidentified,species,Aedes vexans,see the wings,U. Ser,2026-02-01",
        "A-1,deeper_label,genus,Aedes,,U. Ser,2026-02-01",
        "A-1,misidentified,species,,not even a fly,U. Ser,2026-02-01",
        "A-1,wrong_metadata,country,Norway,,U. Ser,2026-02-01",
        'A-1,wrong_metadata,coord,"9.93, -84.08",,U. Ser,2026-02-01',
        "A-1,wrong_metadata,province_state,Heredia,,U. Ser,2026-02-01",
        "A-1,wrongly_cropped,box,1 2 30 40,,U. Ser,2026-02-01",
    ],
)
def test_a_line_of_each_form_is_read(line):
    found = read(line)
    assert found.lines.schema == PROPOSALS.schema()
    (row,) = found.lines.to_dicts()
    assert (row["status"], row["detail"], row["file"], row["line"]) == ("doubt", None, "users.csv", 2)
    assert len(row["id"]) == 16


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("A-1,because,,,,U. Ser,2026-02-01", "unknown reason 'because'; reasons are no_insect"),
        ("A-1,no_insect,,,,,2026-02-01", "reporter is missing"),
        (",no_insect,,,,U. Ser,2026-02-01", "processid is missing"),
        ("A-1,no_insect,,,,U. Ser,1.2.2026", "is not YYYY-MM-DD"),
        ("../etc,no_insect,,,,U. Ser,2026-02-01", "has other characters"),
        ("A-1,no_insect,sex,male,,U. Ser,2026-02-01", "unknown field 'sex'; fields are phylum"),
        ("A-1,no_insect,,male,,U. Ser,2026-02-01", "there is a value, but no field that it is for"),
        ("A-1,misidentified,species,<b>x</b>,,U. Ser,2026-02-01", "markup"),
        ("A-1,misidentified,genus,Aedes vexans,,U. Ser,2026-02-01", "write one capitalised word"),
        ("A-1,wrong_metadata,country,Atlantis,,U. Ser,2026-02-01", "is no country of ISO 3166-1"),
        ("A-1,wrong_metadata,coord,99,,U. Ser,2026-02-01", "is not latitude, longitude"),
        ("A-1,wrongly_cropped,box,1 2 3,,U. Ser,2026-02-01", "is not four whole numbers"),
        ("A-1,wrongly_cropped,box,,,U. Ser,2026-02-01", "box needs a value"),
        (f"A-1,no_insect,,,{'x' * 2001},U. Ser,2026-02-01", "note has more than 2,000 characters"),
        (f"A-1,no_insect,,,,{'x' * 2001},2026-02-01", "reporter has more than 2,000 characters"),
        ("A-1,no_insect,,,a\u200bb,U. Ser,2026-02-01", "cannot be seen"),
        ("A-1,no_insect", "2 cells instead of 7"),
        ('A-1,"no_insect', "cannot be read as CSV"),
    ],
)
def test_a_line_of_the_wrong_form_is_left_out_alone(line, problem):
    found = read(GOOD, line, GOOD.replace("A-1", "A-2"))
    assert found.lines["status"].to_list() == ["doubt", "left_out", "doubt"]
    assert problem in found.lines["detail"][1]
    assert found.refused.is_empty()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "line 1: it lacks processid, reason, reporter, date; a, b is unknown"),
        ("processid,reason,reporter,date,date\n", "date is there twice"),
        ("", "line 1: it lacks processid"),
        ("processid,rank,name,group,action,field,value,reason,note,curator,date,evidence\n", "it lacks reporter"),
    ],
)
def test_a_file_that_is_no_table_of_reports_is_refused_alone(text, said):
    found = read_proposals({"wrong.csv": text, "users.csv": HEADER + GOOD}, {"x.csv": "cannot be read"})
    assert found.refused["file"].to_list() == ["wrong.csv", "x.csv"]
    assert said in found.refused["problem"][0]
    assert found.lines["processid"].to_list() == ["A-1"]


def test_every_field_has_the_action_of_a_decision():
    assert {action_of(field) for field in FIELDS} == {"relabel", "set", "box"} <= set(ACTIONS)
    assert action_of(None) is None


def test_a_suggestion_in_words():
    assert suggestion("species", "Aedes vexans") == "species: Aedes vexans"
    assert suggestion("country", None) == "country:"
    assert suggestion(None, None) is None


@given(st.lists(st.text(max_size=60).filter(lambda text: "\n" not in text and "\r" not in text), max_size=6))
def test_no_line_hides_a_good_one(damaged):
    found = read(*damaged, GOOD)
    assert found.lines.filter(pl.col("status") == "doubt")["processid"].to_list()[-1:] == ["A-1"]
