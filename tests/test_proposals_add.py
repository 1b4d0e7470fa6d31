"""Adding reports to a corpus, and the reports as they stand."""

import polars as pl
import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import point
from bioscan_etl.lake.decisions import REPORTS, folder
from bioscan_etl.proposals.add import add_file, listed
from bioscan_etl.proposals.read import COLUMNS, read_proposals
from bioscan_etl.schema import PROPOSALS

HEADER = ",".join(COLUMNS) + "\n"
GOOD = "A-1,no_insect,,,,U. Ser,2026-02-01\n"


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


@pytest.fixture
def given(tmp_path):
    def put(text, name="users.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return put


def statuses(lake):
    return listed(lake).lines.select("processid", "status", "detail").rows()


def test_a_file_is_copied_under_its_name_and_the_same_one_again_changes_nothing(lake, given):
    for _ in range(2):
        target, added = add_file(lake, given("\ufeff" + HEADER + GOOD))
        assert (target, added) == (folder(lake, REPORTS) / "users.csv", 1)
        assert target.read_text() == HEADER + GOOD
    assert statuses(lake) == [("A-1", "new", None)]


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (HEADER + GOOD + "A-2,because,,,,U. Ser,2026-02-01\n", "users.csv", "line 3: unknown reason 'because'"),
        (HEADER + "A-2\n" * 3, "users.csv", "line 2: 1 cells instead of 7 (and 2 more wrong lines)"),
        ("a,b\n", "users.csv", "line 1: it lacks processid"),
        (b"\xff\xfe", "users.csv", "is not UTF-8"),
        (HEADER + GOOD, "users.txt", "name the file of reports something.csv"),
        (HEADER + GOOD, ".csv", "name the file of reports something.csv"),
    ],
)
def test_a_wrong_file_is_not_copied(lake, given, text, name, said):
    with pytest.raises(SourceError) as caught:
        add_file(lake, given(text, name))
    assert said in str(caught.value)
    assert not folder(lake, REPORTS).exists()


def test_other_reports_of_the_same_name_do_not_replace_those_that_are_there(lake, given):
    add_file(lake, given(HEADER + GOOD))
    with pytest.raises(SourceError, match="is there already and holds other reports"):
        add_file(lake, given(HEADER + GOOD.replace("A-1", "A-2")))
    assert statuses(lake) == [("A-1", "new", None)]
    with pytest.raises(SourceError, match="cannot be read"):
        add_file(lake, given(HEADER).with_name("absent.csv"))


def test_a_line_has_what_the_last_run_made_of_it(lake):
    place = folder(lake, REPORTS)
    place.mkdir(parents=True)
    (place / "a.csv").write_text(HEADER + GOOD + GOOD.replace("A-1", "Z-9") + "A-3\n")
    lines = read_proposals({"a.csv": HEADER + GOOD + GOOD.replace("A-1", "Z-9")}).lines
    gone = pl.col("processid") == "Z-9"
    lines = lines.with_columns(
        status=pl.when(gone).then(pl.lit("unknown")).otherwise("status"),
        detail=pl.when(gone).then(pl.lit("no batch has this process ID")),
    )
    with lake.writing("proposals", "1" * 64, made_from={}) as draft:
        draft.write(PROPOSALS, lines)
    point(lake, "proposals", "1" * 64)
    (place / "b.csv").write_text(HEADER + GOOD.replace("A-1", "A-4"))
    (place / "wrong.csv").write_text("x\n")
    assert statuses(lake) == [
        ("A-1", "doubt", None),
        ("Z-9", "unknown", "no batch has this process ID"),
        (None, "left_out", "1 cells instead of 7"),
        ("A-4", "new", None),
    ]
    assert listed(lake).refused["file"].to_list() == ["wrong.csv"]


def test_a_corpus_without_reports_has_none(lake):
    assert (listed(lake).lines.height, listed(lake).refused.height) == (0, 0)
