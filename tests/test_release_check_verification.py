"""A status of labels that the release's own decisions and flags contradict is named."""

import polars as pl
import pytest
from decided import decisions

from bioscan_etl import schema
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.release.check import verification
from bioscan_etl.release.check.agreement import held
from bioscan_etl.vocabulary import RANKS

LABEL = {"processid": "A-1", "action": "relabel", "field": "genus", "value": "Aedes"}
NONE = pl.DataFrame(schema=dict.fromkeys(("state", "kind", "processid", "rank", "name", "group"), pl.String))
KEEP = {"processid": "A-1", "action": "keep"}


def faults(row, *lines, status="applied", log=None, doubts=None):
    """Faults of the release of A-1, which has this row, and A-2 of the same BIN, which is as it should be."""
    given = {"dna_bin": "BOLD:AAA0001", "dna_barcode": "ACGT", "flags": [], "genus": "Aedes", **row}
    frame = pl.DataFrame(
        [{"processid": "A-1", **given}],
        schema={
            "processid": pl.String,
            "dna_bin": pl.String,
            "dna_barcode": pl.String,
            **dict.fromkeys(RANKS, pl.String),
            "flags": pl.List(pl.String),
            "verification_status": pl.String,
        },
    )
    listed = schema.DECISION_LOG.empty()
    if lines:
        listed = schema.DECISION_LOG.conform(
            decisions(*lines).with_columns(
                status=pl.lit(status), specimens=pl.lit(1, pl.Int64), detail=pl.lit(None, pl.String)
            )
        )
    changes = schema.CHANGES.empty() if log is None else log
    found = list(verification.check(held("data", frame), frame, changes, listed, doubts))
    assert {fault.processid for fault in found} <= {"A-1"}
    return [fault.fault for fault in found]


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        ({"verification_status": "unverified"}, []),
        ({"verification_status": "unverified", "flags": ["IDENTIFICATION_CIRCULAR", "BLURRED"]}, []),
        ({"verification_status": "disputed", "flags": ["NAME_DOUBTFUL"]}, []),
        # A likely typo or a report leaves no trace in a release.
        ({"verification_status": "disputed"}, []),
        ({"verification_status": "verified"}, [LABEL]),
        ({"verification_status": "verified", "flags": ["NAME_DOUBTFUL"]}, [KEEP]),
        ({"verification_status": "verified"}, [LABEL | {"processid": None, "group": "BOLD:AAA0001"}]),
        ({"verification_status": "verified", "flags": ["CURATOR_OVERRIDE"]}, []),
        # Its evidence may be another one today.
        ({"verification_status": "unverified"}, [KEEP | {"evidence": "a" * 16}]),
        ({"verification_status": "disputed", "flags": ["NAME_DOUBTFUL"]}, [KEEP | {"evidence": "a" * 16}]),
    ],
)
def test_a_status_that_follows_has_no_fault(row, lines):
    assert faults(row, *lines) == []


def test_a_verified_label_needs_a_line():
    expected = ["verification_status is verified, but no line of decisions.parquet sets or keeps its labels"]
    assert faults({"verification_status": "verified"}) == expected
    assert faults({"verification_status": "verified"}, LABEL | {"processid": "A-9"}) == expected
    assert faults({"verification_status": "verified"}, LABEL, status="left_out") == expected
    by_name = LABEL | {"processid": None, "rank": "genus", "name": "Culex"}
    assert faults({"verification_status": "verified"}, by_name) == expected


def test_a_line_needs_its_verified_label():
    expected = ["verification_status is unverified, but a line of decisions.parquet sets or keeps its labels"]
    row = {"verification_status": "unverified"}
    assert faults(row, LABEL, doubts=NONE) == expected
    assert faults(row, KEEP, doubts=NONE) == expected
    assert faults(row | {"flags": ["CURATOR_OVERRIDE"]}, doubts=NONE) == expected
    assert faults(row, LABEL, status="left_out", doubts=NONE) == []
    # Made outside the pipeline, where nobody looks for doubts.
    assert faults(row, LABEL) == []


def test_a_name_counts_as_it_was_before_the_rules():
    row = {"verification_status": "verified", "genus": "Aedes"}
    by_name = LABEL | {"processid": None, "rank": "genus", "name": "Culex", "value": "Aedes"}
    change = pl.DataFrame(
        [{"processid": "A-1", "field": "genus", "step": 0, "before": "Culex", "after": "Aedes"}],
        schema_overrides=schema.CHANGES.schema(),
    ).with_columns(rule=pl.lit("CURATOR_OVERRIDE"), evidence=pl.lit(None, pl.String), ruleset=pl.lit("1"))
    assert faults(row, by_name, log=schema.CHANGES.conform(change)) == []


def test_a_flag_that_nobody_answered_disputes_the_label():
    row = {"verification_status": "unverified", "flags": ["BLURRED", "NAME_DOUBTFUL"]}
    expected = ["verification_status is unverified, but nobody has answered the flag 'NAME_DOUBTFUL'"]
    assert faults(row, doubts=NONE) == expected
    assert faults(row) == []
    accepted = {"processid": "A-1", "action": "accept", "field": "NO_BIN"}
    assert faults(row, accepted, doubts=NONE) == expected


def test_an_earlier_release_has_no_status():
    frame = pl.DataFrame({"processid": ["A-1"], "flags": [["NAME_DOUBTFUL"]]})
    assert (
        list(verification.check(held("data", frame), frame, schema.CHANGES.empty(), schema.DECISION_LOG.empty())) == []
    )


def listed_doubts(tmp_path, *rows):
    """`report/doubts.csv` with these doubts, read back."""
    blank = dict.fromkeys(("state", "kind", "rule", "processid", "rank", "name", "group"))
    frame = pl.DataFrame([blank | {"state": "open"} | row for row in rows], schema=dict.fromkeys(blank, pl.String))
    (tmp_path / "report").mkdir()
    write_spreadsheet(tmp_path / verification.LISTED_DOUBTS, frame)
    return verification.read_doubts(tmp_path)


@pytest.mark.parametrize(
    "doubt",
    [
        {"kind": "label", "processid": "A-1"},
        {"kind": "misplaced", "processid": "A-1", "state": "changed"},
        {"kind": "report", "processid": "A-1"},
        {"kind": "conflict", "group": "BOLD:AAA0001"},
        {"kind": "conflict", "group": "barcode:A-1"},
        {"kind": "typo", "rank": "genus", "name": "Aedes"},
    ],
)
def test_a_doubt_that_waits_explains_a_disputed_label(tmp_path, doubt):
    doubts = listed_doubts(tmp_path, doubt)
    assert faults({"verification_status": "disputed"}, doubts=doubts) == []
    decided = doubts.with_columns(state=pl.lit("decided"))
    expected = [
        "verification_status is disputed, but report/doubts.csv lists no doubt about its labels that is not decided"
    ]
    assert faults({"verification_status": "disputed"}, doubts=decided) == expected


@pytest.mark.parametrize(
    "doubt",
    [
        {"kind": "image", "processid": "A-1"},
        {"kind": "label", "processid": "A-2"},
        {"kind": "conflict", "group": "BOLD:AAA0002"},
        {"kind": "typo", "rank": "species", "name": "Aedes"},
    ],
)
def test_a_doubt_about_something_else_explains_none(tmp_path, doubt):
    assert len(faults({"verification_status": "disputed"}, doubts=listed_doubts(tmp_path, doubt))) == 1


@pytest.mark.parametrize("status", ["unverified", "verified"])
def test_a_doubt_that_waits_disputes_the_label(tmp_path, status):
    doubts = listed_doubts(tmp_path, {"kind": "label", "processid": "A-1"})
    expected = (
        f"verification_status is {status!r}, but report/doubts.csv lists a doubt about its labels that is not decided"
    )
    assert expected in faults({"verification_status": status}, doubts=doubts)


def test_a_list_that_is_safe_for_spreadsheets_is_read_as_it_was(tmp_path):
    doubts = listed_doubts(
        tmp_path, {"kind": "label", "processid": "-A-1"}, {"kind": "typo", "rank": "genus", "name": "=A"}
    )
    assert doubts["processid"].drop_nulls().to_list() == ["-A-1"]
    assert doubts["name"].drop_nulls().to_list() == ["=A"]


def test_a_release_without_a_list_that_can_be_read_is_compared_without_it(tmp_path):
    assert verification.read_doubts(tmp_path) is None
    (tmp_path / "report").mkdir()
    (tmp_path / verification.LISTED_DOUBTS).write_text("other,columns\n1,2\n")
    assert verification.read_doubts(tmp_path) is None
