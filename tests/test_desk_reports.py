"""Users' reports at the desk: what they suggest is taken over, kept as it is, or rejected, by a curator's click."""

import urllib.parse

import polars as pl
import pytest
from desk_browser import doubts, faults, lines, opened, saved, served, show
from desk_lake import corpus_of

from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.doubts.state import with_state
from bioscan_etl.lake import Lake
from bioscan_etl.lake import decisions as files
from bioscan_etl.lake.current import get
from bioscan_etl.proposals.read import read_proposals

pytestmark = pytest.mark.slow

REPORTS = """processid,reason,field,value,note,reporter,date
A-1,misidentified,species,Aedes vexans,see the <b>wings</b>,B. Ee,2026-03-01
A-1,misidentified,species,Aedes vexans,,U. Ser,2026-02-01
A-1,wrong_metadata,country,,no country,U. Ser,2026-02-01
A-2,wrong_metadata,coord,"9.93, -84.08",,U. Ser,2026-02-01
A-2,no_insect,,,,U. Ser,2026-02-02
A-3,wrongly_cropped,box,10 20 200 150,,U. Ser,2026-02-02
A-4,wrong_metadata,province_state,Heredia,,U. Ser,2026-02-02
"""
ROWS = [
    {"processid": "A-1", "genus": "Aedes", "species": "Aedes cinereus", "made": "Aedes cinereus"},
    {"processid": "A-2"},
    {"processid": "A-3", "sha256": "3" * 64},
    {"processid": "A-4"},
]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    corpus_of(folder, ROWS, reports=read_proposals({"users.csv": REPORTS}).lines)
    return folder


@pytest.fixture(scope="module")
def desk(output):
    with served(output) as address, opened(f"{address}/#/doubts") as found:
        yield found


@pytest.fixture
def page(desk, output):
    """The desk of a corpus without decisions."""
    if lines(output):
        (output / "decisions" / "ada-lovelace.csv").unlink()
        desk.reload()
        desk.wait_for_selector("body[data-ready]")
    desk.problems.clear()
    return desk


def of(output, processid, proposed):
    """The doubt that reports of a specimen are."""
    (found,) = (one for one in doubts(output, kind="report", processid=processid) if one["proposed"] == proposed)
    return found


def state(output, doubt):
    """State of a doubt, by the files as they are now; no line may have a problem."""
    read = read_decisions(files.find(Lake(output)).texts).lines
    assert read["problem"].drop_nulls().to_list() == []
    every = with_state(pl.read_parquet(get(Lake(output), "doubts").path("doubts.parquet")), read)
    return every.filter(id=doubt["id"])["state"].item()


@pytest.mark.parametrize(
    ("processid", "proposed", "button", "line"),
    [
        ("A-1", "species: Aedes vexans", "species Aedes vexans", "relabel,species,Aedes vexans,misidentified"),
        ("A-1", "country:", "country cleared", "set,country,,wrong_metadata"),
        ("A-2", "coord: 9.93, -84.08", "coord 9.93, -84.08", "set,coord,9.93, -84.08,wrong_metadata"),
        ("A-3", "box: 10 20 200 150", "box 10 20 200 150", "box,,10 20 200 150,wrongly_cropped"),
        ("A-4", "province_state: Heredia", "province_state Heredia", "set,province_state,Heredia,wrong_metadata"),
    ],
)
def test_a_suggestion_is_taken_over_and_undone(page, output, processid, proposed, button, line):
    doubt = of(output, processid, proposed)
    show(page, f"#/doubt/{doubt['id']}")
    page.locator(".state.open").wait_for()
    saved(page, page.get_by_role("button", name=f"Take over: {button}", exact=True).click)
    written, *more = lines(output)
    # The evidence of a box is the image; the report is answered by a line of its own.
    assert [one["action"] for one in more] == (["keep"] if written["action"] == "box" else [])
    assert ",".join(written[name] for name in ("action", "field", "value", "reason")) == line
    assert (written["processid"], written["curator"]) == (processid, "Ada Lovelace")
    assert written["note"] == "reported by a user"
    assert state(output, doubt) == "decided"
    page.locator(".settle .state.decided", has_text="Ada Lovelace").wait_for()
    saved(page, page.locator(".undo").click)
    assert lines(output) == []
    assert state(output, doubt) == "open"
    assert page.problems == []


def test_a_curator_reads_who_reported_what_and_no_text_of_a_user_is_markup(page, output):
    show(page, f"#/doubt/{of(output, 'A-1', 'species: Aedes vexans')['id']}")
    table = page.locator("table", has=page.locator("caption", has_text="Reports"))
    rows = [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()]
    assert [row[1:] for row in rows] == [
        ["species: Aedes vexans", "none", "U. Ser", "2026-02-01"],
        ["species: Aedes vexans", "see the <b>wings</b>", "B. Ee", "2026-03-01"],
    ]
    assert table.locator("b").count() == 0
    assert faults(page) == []
    assert page.problems == []


def test_a_report_without_a_suggestion_has_nothing_to_take_over(page, output):
    doubt = of(output, "A-2", None)
    show(page, f"#/doubt/{doubt['id']}")
    assert page.get_by_role("button", name="Take over").count() == 0
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("dialog").get_by_label("Reason").select_option("no_insect")
    saved(page, page.get_by_role("dialog").get_by_role("button", name="Reject").click)
    (written,) = lines(output)
    assert (written["processid"], written["action"], written["reason"]) == ("A-2", "reject", "no_insect")
    # A specimen that is not released answers every report about it.
    assert {state(output, one) for one in doubts(output, kind="report", processid="A-2")} == {"decided"}


def test_sound_keeps_the_value_and_answers_only_the_reports(page, output):
    doubt = of(output, "A-1", "country:")
    show(page, f"#/doubt/{doubt['id']}")
    saved(page, page.get_by_role("button", name="Sound").click)
    (written,) = lines(output)
    assert (written["action"], written["field"], written["value"]) == ("keep", "USER_REPORT", "")
    assert state(output, doubt) == "decided"


def test_the_list_leads_to_the_reports(page, output):
    show(page, f"#/doubts?{urllib.parse.urlencode({'kind': 'report', 'state': 'open'})}")
    row = page.locator(".row", has_text="species: Aedes vexans").first
    row.wait_for()
    row.get_by_role("link", name="Compare").click()
    page.get_by_role("button", name="Take over: species Aedes vexans", exact=True).wait_for()
    assert page.problems == []
