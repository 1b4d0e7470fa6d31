"""What became of each line: one row a line, whatever the stages say."""

import polars as pl
from decided import csv_of

from bioscan_etl import schema
from bioscan_etl.decisions.outcome import outcome
from bioscan_etl.decisions.read import read_decisions

REJECT = {"processid": "A-1", "action": "reject"}


def test_every_line_has_one_status():
    files = {
        "anna.csv": csv_of(
            [
                REJECT,
                {"processid": "A-2", "action": "promote"},
                {"processid": "A-3", "action": "keep", "field": "FRAGMENT"},
                {"processid": "A-4", "action": "reject"},
            ]
        ),
        "bert.csv": csv_of([REJECT | {"curator": "Bert"}]),
    }
    lines = read_decisions(files).lines
    ids = lines["id"].to_list()
    effects = pl.DataFrame(
        [(ids[0], "applied", 1, None), (ids[3], "unknown", 0, "no batch has it")],
        schema=schema.DECISION_EFFECTS.schema(),
        orient="row",
    )
    found = outcome(lines, [effects])
    assert found.schema == schema.DECISION_LOG.schema()
    assert found.select("file", "line", "status", "specimens").rows() == [
        ("anna.csv", 2, "applied", 1),
        ("anna.csv", 3, "left_out", 0),
        ("anna.csv", 4, "noted", 0),
        ("anna.csv", 5, "unknown", 0),
        ("bert.csv", 2, "repeats", 0),
    ]
    assert found["detail"][1].startswith("unknown action 'promote'")
    assert found["detail"][4] == "says the same as anna.csv, line 2"


def test_the_line_that_repeats_is_the_later_one_whatever_the_names_of_the_files():
    files = {
        "anna.csv": csv_of([REJECT | {"date": "2025-06-01"}]),
        "bert.csv": csv_of([REJECT | {"date": "2025-05-01"}]),
    }
    assert outcome(read_decisions(files).lines, [])["status"].to_list() == ["repeats", "noted"]


def test_no_lines_are_no_rows():
    assert outcome(schema.DECISIONS.empty(), []).equals(schema.DECISION_LOG.empty())
