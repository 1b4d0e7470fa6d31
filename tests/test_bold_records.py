"""Records of a query: whole files only, resumed and renewed where the portal lets it."""

import json
from pathlib import Path

import polars as pl
import pytest
from bold_server import lines, record, serving, table

from bioscan_etl.bold.client import BoldError
from bioscan_etl.bold.records import fetch_records, form_of

QUERY = "tax:Culicidae;geo:Canada"
TERMS = "tax:family:Culicidae;geo:country/ocean:Canada"


@pytest.fixture
def bold(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        server.records[TERMS] = [record(f"AAASF{n:03}-17") for n in range(250)]
        yield server


@pytest.mark.parametrize("ranged", [False, True])
@pytest.mark.parametrize(("name", "written"), [("q.tsv", table), ("q.jsonl", lines)])
def test_the_file_is_what_the_portal_sends(bold, tmp_path, ranged, name, written):
    bold.ranged = ranged
    told = []
    done = fetch_records(QUERY, tmp_path / "deep" / name, bold.settings(), progress=lambda *report: told.append(report))
    assert done.path.read_bytes() == written(bold.records[TERMS])
    assert (done.query, done.records, done.size_bytes) == (TERMS, 250, done.path.stat().st_size)
    assert done.resumed_at == 0
    assert [path.name for path in done.path.parent.iterdir()] == [name]
    assert told[0] == ("fetch_records", 0, 250)
    assert told[-1] == ("fetch_records", 250, 250)


@pytest.mark.parametrize("name", ["q.tsv", "q.json"])
def test_values_with_quotes_and_line_ends_do_not_spoil_the_count(bold, tmp_path, name):
    bold.records[TERMS] = [record(f"A-{n}", notes=f'"big"\nred\t{n}') for n in range(7)]
    done = fetch_records(QUERY, tmp_path / name, bold.settings(attempts=1))
    assert done.records == 7


def test_lone_quotes_do_not_spoil_the_count(bold, tmp_path, monkeypatch):
    monkeypatch.setattr("bold_server.table", lambda _: b'processid\tnotes\nA-1\t5" wide\nA-2\tsmall\nA-3\t"\n')
    bold.records[TERMS] = [{}] * 3
    assert fetch_records(QUERY, tmp_path / "q.tsv", bold.settings(attempts=1)).records == 3


@pytest.mark.parametrize(
    ("fault", "ranged"),
    [(fault, ranged) for fault in ("cut", "500", "429:0", "html", "hang up") for ranged in (False, True)]
    + [("few", False)],  # where a length is said, none can be missing
)
def test_a_bad_moment_of_the_portal_is_overcome(bold, tmp_path, fault, ranged):
    bold.ranged = ranged
    bold.fail("/api/documents", "", fault)  # the count, then the download
    done = fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())
    assert done.path.read_bytes() == table(bold.records[TERMS])
    assert (done.resumed_at > 0) == (ranged and fault == "cut")


def test_a_killed_download_goes_on_in_the_next_run(bold, tmp_path):
    bold.ranged = True
    bold.fail("/api/documents", "", "cut")
    with pytest.raises(BoldError, match="run again to go on"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings(attempts=1))
    assert not (tmp_path / "q.tsv").exists()
    size = (tmp_path / "q.tsv.part").stat().st_size
    done = fetch_records(QUERY, tmp_path / "q.tsv", bold.settings(attempts=1))
    assert done.resumed_at == size > 0
    assert done.path.read_bytes() == table(bold.records[TERMS])


def test_an_expired_token_is_replaced(bold, tmp_path, monkeypatch):
    bold.fail("/api/documents", "", "404")
    fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())
    assert len(bold.paths("/api/query?")) == 2


def test_tokens_that_never_hold_end_the_run(bold, tmp_path):
    bold.fail("/api/documents", *["404"] * 20)
    with pytest.raises(BoldError, match="refuses its own tokens"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())


def test_a_token_is_no_part_of_the_path(bold, tmp_path):
    fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())
    assert all(path.count("/") == 4 for path in bold.paths("/api/documents") if "download" in path)


def test_more_than_the_portal_delivers_is_refused_with_the_way_out(bold, tmp_path):
    bold.count = 1_000_001
    with pytest.raises(BoldError, match=r"1,000,001 records.*narrow it"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())
    assert not bold.paths("/api/documents/x/download")
    assert not list(tmp_path.iterdir())


def test_a_portal_that_does_not_count_still_does_not_cut_unnoticed(bold, tmp_path):
    bold.fail("/api/documents", "other")
    with pytest.raises(BoldError, match="more records"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings(records_per_query=250))
    assert not list(tmp_path.iterdir())
    bold.fail("/api/documents", "other")
    assert fetch_records(QUERY, tmp_path / "q.tsv", bold.settings(records_per_query=251)).records == 250


def test_records_added_since_the_count_are_no_fault(bold, tmp_path):
    bold.count = 249
    assert fetch_records(QUERY, tmp_path / "q.tsv", bold.settings()).records == 250


def test_records_that_never_come_are_a_fault(bold, tmp_path):
    bold.count = 251
    with pytest.raises(BoldError, match=r"250 of 251 records"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())
    assert not list(tmp_path.iterdir())


def test_nothing_found_is_said(bold, tmp_path):
    bold.records[TERMS] = []
    with pytest.raises(BoldError, match="no public record"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())


def test_a_query_that_the_portal_refuses_is_said_with_its_words(bold, tmp_path):
    with pytest.raises(BoldError, match="Invalid triplet token"):
        fetch_records("tax:Culicidae", tmp_path / "q.tsv", bold.settings())


@pytest.mark.parametrize("fault", ["other", "half"])
def test_no_token_no_records(bold, tmp_path, fault):
    bold.fail("/api/query", "", "", *[fault] * 9)  # the two terms are translated before
    with pytest.raises(BoldError, match=r"no token|broken JSON"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())


def test_a_file_that_stands_is_left_alone(bold, tmp_path):
    (tmp_path / "q.tsv").write_text("mine")
    with pytest.raises(BoldError, match="there already"):
        fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())
    assert (tmp_path / "q.tsv").read_text() == "mine"
    assert not bold.asked


def test_a_folder_that_cannot_be_written_is_said(bold, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BoldError, match="cannot be written"):
        fetch_records(QUERY, tmp_path / "file" / "q.tsv", bold.settings())


def test_the_suffix_chooses_the_format(bold, tmp_path):
    assert [form_of(Path(name)) for name in ("a.tsv", "a.json", "a.JSONL", "a.ndjson", "a")] == [
        "tsv",
        "json",
        "json",
        "json",
        "tsv",
    ]
    done = fetch_records(QUERY, tmp_path / "q.txt", bold.settings(), "json")
    assert json.loads(done.path.read_text().splitlines()[0])["processid"] == "AAASF000-17"


def test_the_pipeline_reads_what_was_fetched(bold, tmp_path):
    from bioscan_etl.bold.processids import from_records
    from bioscan_etl.schema import BCDM
    from bioscan_etl.settings import RecordSettings

    empty = dict.fromkeys(column.name for column in BCDM)
    bold.records[TERMS] = [empty | record(f"AAASF{n:03}-17") for n in range(5)]
    done = fetch_records(QUERY, tmp_path / "q.tsv", bold.settings())
    found = from_records(str(done.path), RecordSettings())
    assert found.equals(pl.Series("processid", [f"AAASF{n:03}-17" for n in range(5)]))
