"""Doubts on the report: counted by state, and every list says what is settled."""

import polars as pl
import pytest
from decided import decisions
from test_quality_report import report_of

from bioscan_etl.doubts.kinds import kind_of
from bioscan_etl.doubts.state import with_state
from bioscan_etl.quality.doubts_listed import listed, mark_conflicts, mark_typos, state_counts
from bioscan_etl.quality.report import write_report
from bioscan_etl.schema import DECISIONS, DOUBTS
from bioscan_etl.taxonomy.conflicts import CONFLICTS
from bioscan_etl.taxonomy.typos import TYPOS

SEEN = "a" * 16


def doubt(number, rule, **cells):
    return dict.fromkeys(DOUBTS.names()) | {
        "id": f"{number:016x}", "kind": kind_of()[rule], "rule": rule, "evidence": SEEN, "specimens": 1, **cells,
    }  # fmt: skip


@pytest.fixture(scope="module")
def doubts():
    """Of each kind some, of which a few are decided, and one whose evidence has changed."""
    frame = pl.DataFrame(
        [
            doubt(1, "USER_REPORT", processid="A-1", why="no_insect (U. Ser, 2026-02-01)", proposed=None),
            doubt(2, "BLURRED", processid="A-1", why="detected"),
            doubt(3, "BLURRED", processid="A-2"),
            doubt(4, "BLURRED", processid="A-3"),
            doubt(5, "BARCODE_CONFLICT", group="barcode:A-1", members=["A-1", "A-2"]),
            doubt(6, "BARCODE_CONFLICT", group="barcode:A-3", members=["A-3", "A-4"]),
            doubt(7, "NAME_TYPO_CANDIDATE", rank="genus", name="Aedess", proposed="Aedes"),
            doubt(8, "NAME_TYPO_CANDIDATE", rank="genus", name="Culexx", proposed="Culex"),
            doubt(9, "DATE_INVALID", processid="A-5"),
        ],
        schema=DOUBTS.schema(),
    )
    lines = [
        {"processid": "A-2", "action": "keep", "field": "BLURRED", "note": "the name of a person"},
        {"processid": "A-3", "action": "keep", "field": "BLURRED", "evidence": "b" * 16},
        {"group": "barcode:A-1", "action": "keep"},
        {"rank": "genus", "name": "Aedess", "action": "merge", "value": "Aedes"},
        {"processid": "A-5", "action": "reject"},
    ]
    return with_state(frame, decisions(*lines))


def test_counts_have_what_waits_first(doubts):
    assert state_counts(doubts).rows() == [
        ("Users' reports", "USER_REPORT", 1, 0, 0),
        ("Images", "BLURRED", 1, 1, 1),
        ("Conflicting labels", "BARCODE_CONFLICT", 1, 0, 1),
        ("Possible typos", "NAME_TYPO_CANDIDATE", 1, 0, 1),
        ("Dates", "DATE_INVALID", 0, 0, 1),
    ]


def test_the_list_has_open_ones_first_and_no_words_of_users(doubts):
    rows = listed(doubts)
    assert rows["state"].to_list() == ["open"] * 4 + ["changed"] + ["decided"] * 4
    assert rows.height == doubts.height
    assert "U. Ser" not in rows.write_csv()
    assert rows.filter(processid="A-1", rule="BLURRED")["why"].to_list() == ["detected"]
    (kept,) = rows.filter(processid="A-2").to_dicts()
    assert (kept["decided_as"], kept["decided_by"]) == ("keep BLURRED", "E. Stur")


def test_typos_and_conflicts_say_what_is_settled(doubts):
    base = {"rank": "genus", "fixed": False}
    typos = pl.DataFrame(
        [
            base | {"from": "Aedess", "to": "Aedes"},
            base | {"from": "Culexx", "to": "Culex"},
            base | {"from": "Anophelees", "to": "Anopheles", "fixed": True},
        ],
        schema=TYPOS,
    )
    marked = mark_typos(typos, doubts)
    assert marked.select("from", "state").rows() == [("Culexx", "open"), ("Aedess", "decided"), ("Anophelees", None)]
    conflicts = pl.DataFrame(
        [
            {"within": "barcode", "rank": "genus", "processids": ["A-1", "A-2"]},
            {"within": "barcode", "rank": "species", "processids": ["A-3", "A-4"]},
            {"within": "BIN", "rank": "genus", "processids": ["A-1", "A-2"]},
        ],
        schema=CONFLICTS,
    )
    found = mark_conflicts(conflicts, doubts)
    assert found.select("within", "rank", "state").rows() == [
        ("barcode", "species", "open"),
        ("barcode", "genus", "decided"),
        ("BIN", "genus", None),
    ]
    assert found.columns == [*CONFLICTS.names(), "state"]


def test_the_page_counts_them_and_lists_them_beside_it(doubts, tmp_path):
    path = write_report(tmp_path / "report", report_of(tmp_path, doubts=doubts))
    text = path.read_text()
    assert "5 doubts wait for a curator, and 4 are decided." in text
    assert '<a href="#doubts">Doubts</a>' in text
    assert "U. Ser" not in text
    assert pl.read_csv(tmp_path / "report" / "doubts.csv").height == doubts.height


def test_a_release_without_doubts_says_nothing_of_them(tmp_path):
    none = with_state(DOUBTS.empty(), DECISIONS.empty())
    assert 'id="doubts"' not in write_report(tmp_path / "report", report_of(tmp_path, doubts=none)).read_text()
    assert listed(none).is_empty()
    assert state_counts(none).is_empty()
