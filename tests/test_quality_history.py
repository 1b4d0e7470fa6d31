"""When expectations passed or failed, from the lake and from releases."""

import logging

import polars as pl
import pytest
from lake_corpus import ingest, land

from bioscan_etl.lake import Lake
from bioscan_etl.lake.record import Record, commit, find_record
from bioscan_etl.quality.history import (
    HISTORY,
    LIST,
    STATED,
    added_up,
    batch_results,
    history,
    of_release,
    read_stated,
    stated,
)
from bioscan_etl.quality.results import RESULTS, ExpectationResult, write_results
from bioscan_etl.quality.spreadsheet import write_spreadsheet


def result(table, rule, failing=0, rows=10, sample=()):
    return ExpectationResult(table, rule, "", "", "warning", not failing, rows, failing, 10.0 * failing, sample)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def with_results(lake, batch, results):
    """A batch of a lake whose expectations found this."""
    record = ingest(lake, land(lake, batch))
    write_results(record.output(lake, "batch_expectations").folder / RESULTS, results, prose=False)
    return record


def release(lake, version, corpus, batches=None):
    folder = lake.releases / version
    (folder / "report").mkdir(parents=True)
    write_spreadsheet(folder / "report" / LIST, stated({"stage": corpus}, batches or {}))
    return folder


def test_batches_and_releases_come_in_order(lake):
    with_results(lake, "b2", [result("records", "R", 3)])
    with_results(lake, "-b10", [result("records", "R")])
    folders = [
        release(lake, version, [result("curated", "C", failing)], {"b2": [result("records", "R", 1)]})
        for version, failing in (("v10", 0), ("v9", 4))
    ]
    found = history(lake, folders)
    assert found.schema == HISTORY
    assert found.rows() == [
        ("curated", "C", "release v9", False, 4, 10),
        ("curated", "C", "release v10", True, 0, 10),
        ("records", "R", "batch -b10", True, 0, 10),
        ("records", "R", "batch b2", False, 3, 10),
        ("records", "R", "release v9", False, 1, 10),
        ("records", "R", "release v10", False, 1, 10),
    ]


def test_the_batches_of_a_release_are_added_up():
    batches = {"a": [result("records", "R", 1)], "b": [result("records", "R", 2, rows=5)]}
    found = of_release(stated({}, batches), "v3")
    assert found.rows() == [("records", "R", "release v3", False, 3, 15)]


def test_results_of_batches_are_added_up_with_the_first_samples():
    found = added_up(
        {
            "a": [result("records", "R", 1, sample=("P1",)), result("records", "S")],
            "b": [result("records", "R", 12, sample=tuple(f"Q{n}" for n in range(10)))],
        }
    )
    assert [(one.id, one.unexpected_count, one.element_count, one.success) for one in found] == [
        ("R", 13, 20, False),
        ("S", 0, 10, True),
    ]
    assert found[0].sample == ("P1", *(f"Q{n}" for n in range(9)))
    assert found[0].unexpected_percent == 65


def test_a_batch_from_before_there_were_expectations_is_left_out(lake):
    with_results(lake, "new", [result("records", "R")])
    old = ingest(lake, land(lake, "old"))
    stages = {name: stage for name, stage in old.stages.items() if name != "batch_expectations"}
    commit(lake, Record(old.batch, old.delivery, old.settings, stages))
    assert history(lake, [])["where"].to_list() == ["batch new"]
    assert set(batch_results(lake, {"old": find_record(lake, "old")})) == set()


def test_a_damaged_record_or_result_does_not_hide_the_others(lake, caplog):
    for batch in ("good", "torn", "bad"):
        record = with_results(lake, batch, [result("records", "R")])
        if batch == "torn":
            (record.output(lake, "batch_expectations").folder / RESULTS).write_text("[{")
    (lake.home / "batches" / "bad.json").write_text("{")
    caplog.set_level(logging.WARNING, "bioscan_etl")
    assert history(lake, [])["where"].to_list() == ["batch good"]
    assert "the expectations of batch torn are left out" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "table,expectation\nrecords,R\n",
        ",".join(STATED) + "\nrecords,R,warning,,one,10\n",
        ",".join(STATED) + "\nrecords,R,warning,,-1,10\n",
        ",".join(STATED) + "\nrecords,,warning,,1,10\n",
        ",".join(reversed(STATED)) + "\n10,1,,warning,R,records\n",
    ],
)
def test_a_damaged_list_is_left_out_and_named(lake, caplog, text):
    whole = release(lake, "v1", [result("curated", "C")])
    damaged = release(lake, "v2", [result("curated", "C", 1)])
    (damaged / "report" / LIST).write_text(text)
    caplog.set_level(logging.WARNING, "bioscan_etl")
    assert history(lake, [whole, damaged])["where"].to_list() == ["release v1"]
    assert f"{damaged / 'report' / LIST} is damaged" in caplog.text


def test_a_release_without_a_list_and_a_link_to_elsewhere_state_nothing(lake, tmp_path):
    (lake.releases / "v1" / "report").mkdir(parents=True)
    assert read_stated(lake.releases / "v1") is None
    outside = release(lake, "v2", [result("curated", "C")])
    (lake.releases / "v1" / "report" / LIST).symlink_to(outside / "report" / LIST)
    assert read_stated(lake.releases / "v1") is None
    assert history(lake, [lake.releases / "v1"]).is_empty()


def test_what_a_release_states_is_read_back_as_it_was(lake):
    corpus = [result("curated", "C", 2), result("curated", "D")]
    folder = release(lake, "v1", corpus, {"b": [result("records", "R", 1)]})
    assert read_stated(folder).equals(stated({"stage": corpus}, {"b": [result("records", "R", 1)]}))
    assert read_stated(folder).filter(pl.col("batch").is_null()).height == 2
