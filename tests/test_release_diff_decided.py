"""What became of the curators' lines from one release to the next."""

from pathlib import Path

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.errors import SourceError
from bioscan_etl.release.core import DECIDED
from bioscan_etl.release.diff.changelog import changelog, lines
from bioscan_etl.release.diff.compare import Difference
from bioscan_etl.release.diff.decided import DECISION_CHANGES, decision_changes, decision_counts, write_decisions
from bioscan_etl.release.scan import ReleaseTables

LINE = {"file": "anna.csv", "reason": "checked", "curator": "Anna", "date": "2026-01-31", "specimens": 0}


def release(folder: Path, *lines: dict) -> ReleaseTables:
    """A release of which only the decisions are looked at; `id` may be short."""
    folder.mkdir()
    rows = [dict.fromkeys(schema.DECISION_LOG.names()) | LINE | {"line": n} | row for n, row in enumerate(lines, 2)]
    pl.DataFrame(rows, schema=schema.DECISION_LOG.schema()).write_parquet(folder / DECIDED)
    return ReleaseTables(folder, folder.name, "", "bioscan5m", (), pl.LazyFrame(), pl.LazyFrame())


def reject(name, **more):
    return {"id": name, "processid": name, "action": "reject", "status": "applied", "specimens": 1} | more


@pytest.fixture
def both(tmp_path):
    before = release(
        tmp_path / "v1",
        reject("A-1"),
        reject("A-2"),
        reject("A-3", status="dormant", specimens=0, detail="it is held"),
        reject("A-4", status="unknown", specimens=0, detail="no batch has it"),
        reject("A-5", action="keep", status="noted", specimens=0, field="FRAGMENT"),
    )
    after = release(
        tmp_path / "v2",
        reject("A-1", file="renamed.csv"),
        reject("A-3"),
        reject("A-6", action="set", field="country", value="Norway"),
        {"id": "B", "rank": "genus", "name": "Aedess", "action": "merge", "value": "Aedes", "status": "applied",
         "specimens": 12},
        {"id": "C", "group": "BOLD:AAA1234", "action": "relabel", "field": "species", "status": "left_out",
         "detail": "it | breaks <b>the line</b>"},
        {"id": "C", "group": "BOLD:AAA1234", "action": "relabel", "field": "species", "status": "repeats"},
    )  # fmt: skip
    return before, after


def test_lines_that_came_went_or_did_something_else_are_listed(both):
    found = decision_changes(*both)
    assert found.schema == DECISION_CHANGES
    assert found.select("change", "about", "decision", "was", "is", "specimens").rows() == [
        ("new", "A-6", "set country Norway", None, "applied", 1),
        ("new", "BOLD:AAA1234", "relabel species", None, "left_out", 0),
        ("new", "genus Aedess", "merge Aedes", None, "applied", 12),
        ("taken away", "A-2", "reject", "applied", None, 1),
        ("taken away", "A-4", "reject", "unknown", None, 0),
        ("taken away", "A-5", "keep FRAGMENT", "noted", None, 0),
        ("changed", "A-3", "reject", "dormant", "applied", 1),
    ]


def test_where_a_line_stands_changes_nothing_and_the_same_release_has_no_changes(both):
    assert decision_changes(both[1], both[1]).is_empty()
    assert "A-1" not in decision_changes(*both)["about"].to_list()


def test_a_release_of_before_there_were_decisions_has_none(both, tmp_path):
    old = ReleaseTables(tmp_path / "none", "v0", "", "bioscan5m", (), pl.LazyFrame(), pl.LazyFrame())
    assert decision_changes(old, both[0])["change"].unique().to_list() == ["new"]


NOTHING = pl.DataFrame(
    schema=dict.fromkeys(("kind", "field", "before", "after", "reason"), pl.String) | {"rows": pl.Int64}
)


def difference(decisions=None, **values):
    return Difference(
        "v1",
        "v2",
        10,
        10,
        values,
        NOTHING,
        NOTHING,
        (),
        DECISION_CHANGES.to_frame() if decisions is None else decisions,
    )


def test_the_changelog_names_each_line_and_what_it_did(both):
    for records in ({}, {"moved": 1}):
        text = changelog("v2", difference(decision_changes(*both), **records))
        rows = [line for line in text.splitlines() if line.startswith(("| new |", "| taken away |", "| changed |"))]
        assert rows == [
            "| new | A-6 | set country Norway | checked | Anna | applied: 1 specimen |",
            "| new | BOLD:AAA1234 | relabel species | checked | Anna | left out: it \\| breaks &lt;b>the line&lt;/b> |",
            "| new | genus Aedess | merge Aedes | checked | Anna | applied: 12 specimens |",
            "| taken away | A-2 | reject | checked | Anna | undone: 1 specimen |",
            "| taken away | A-4 | reject | checked | Anna | nothing: it was unknown |",
            "| taken away | A-5 | keep FRAGMENT | checked | Anna | nothing: it was noted |",
            "| changed | A-3 | reject | checked | Anna | applied: 1 specimen; it was dormant |",
        ]
    same = decision_changes(both[0], both[0])
    assert "## Decisions" not in changelog("v2", difference(same))
    assert changelog("v2", difference()) == changelog("v2", difference(same))


def test_thousands_of_lines_are_cut_and_counted(tmp_path):
    before = release(tmp_path / "v1")
    after = release(tmp_path / "v2", *(reject(f"A-{number:04}") for number in range(700)))
    text = changelog("v2", difference(decision_changes(before, after)))
    assert text.count("| new | A-") == 500
    assert "And 200 more: `decisions.parquet` of both releases lists all." in text


def test_the_terminal_counts_what_became_of_the_lines_and_shows_the_first(both):
    found = difference(decision_changes(*both))
    assert decision_counts(found.decisions).rows() == [
        ("new", "applied", 2),
        ("new", "left_out", 1),
        ("taken away", "applied", 1),
        ("taken away", "noted", 1),
        ("taken away", "unknown", 1),
        ("changed", "applied", 1),
    ]
    told = lines(found, 2)
    assert told[1].split() == ["decisions", "7"]
    assert told[2:4] == ["  new:         applied 2", "  new:         left out 1"]
    assert "    A-6: set country Norway  new; applied: 1 specimen" in told
    assert "    A-3: reject  changed; applied: 1 specimen; it was dormant" in told
    assert told.count("    … and 1 more") == 2
    assert told[-1] == "no difference but in the decisions"
    assert lines(difference())[1:] == ["no difference"]


def test_all_lines_are_written_and_no_spreadsheet_runs_them(tmp_path):
    before = release(tmp_path / "v1")
    after = release(tmp_path / "v2", reject("A-1", action="relabel", field="species", value="=1+1", curator="=cmd()"))
    found = decision_changes(before, after)
    write_decisions(found, tmp_path / "lines.parquet")
    assert pl.read_parquet(tmp_path / "lines.parquet").equals(found)
    write_decisions(found, tmp_path / "lines.csv")
    assert pl.read_csv(tmp_path / "lines.csv")["curator"].to_list() == ["'=cmd()"]
    with pytest.raises(SourceError, match="ends in neither"):
        write_decisions(found, tmp_path / "lines.txt")
