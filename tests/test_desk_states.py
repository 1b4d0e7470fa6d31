"""What pages are told of the states: all of it first, then the differences."""

import json

import polars as pl
import pytest
from decided import csv_of
from desk_lake import corpus_of

from bioscan_etl.decisions.write import save
from bioscan_etl.desk import states as module
from bioscan_etl.desk.states import States
from bioscan_etl.lake.current import point
from bioscan_etl.lake.decisions import folder
from bioscan_etl.schema import DOUBTS

ROWS = [
    {"processid": "A-1", "flags": ["BLURRED", "COUNTRY_INVALID"]},
    {"processid": "A-2", "country": None, "flags": ["COUNTRY_INVALID"], "gates": ["NO_BIN"]},
    {"processid": "A-3"},
]
KEEP = {"processid": "A-1", "action": "keep", "field": "BLURRED", "reason": "checked", "date": "2026-01-31"}


@pytest.fixture
def corpus(tmp_path):
    found = corpus_of(tmp_path, ROWS)
    folder(found.lake).mkdir()
    return found


def told(states, have=None, curator="Ada Lovelace"):
    return json.loads(states.json(curator, have))


def lines(found):
    """Lines as rows by id."""
    columns = found["lines"]
    names = [name for name in columns if name != "id"]
    return {one: {name: columns[name][place] for name in names} for place, one in enumerate(columns["id"])}


def test_states_name_what_is_not_open_and_whose_each_line_is(corpus):
    assert told(States(corpus))["rows"]["row"] == []
    for name, row in (
        ("ada-lovelace", KEEP | {"curator": "Ada Lovelace"}),
        ("bert", {"processid": "A-2", "action": "reject", "curator": "Bert", "evidence": "0" * 16}),
    ):
        (folder(corpus.lake) / f"{name}.csv").write_text(csv_of([row]))
    (folder(corpus.lake) / "wrong.csv").write_text("a\n")
    found = told(States(corpus))
    rows = found["rows"]
    assert (rows["row"], rows["state"], rows["decided_by"]) == (
        [0, 2],
        ["decided", "changed"],
        ["Ada Lovelace", "Bert"],
    )
    owners = {one["curator"]: one["own"] for one in lines(found).values()}
    assert owners == {"Ada Lovelace": True, "Bert": False}
    assert set(lines(found)) == {line for each in rows["lines"] for line in each}
    assert [one["file"] for one in found["refused"]] == ["wrong.csv"]
    assert (found["of"], found["since"], found["gone"]) == (corpus.version(), None, [])


def test_a_page_is_told_what_changed_since_its_last_answer(corpus):
    states = States(corpus)
    first = told(states)
    (one,) = save(corpus.lake, "Ada Lovelace", [KEEP])
    second = told(states, first["mark"])
    assert second["since"] == first["mark"]
    assert (second["rows"]["row"], second["rows"]["state"]) == ([0], ["decided"])
    assert list(lines(second)) == [one]
    # Nothing new: the same answer, and nothing in it.
    third = told(states, second["mark"])
    assert (third["mark"], third["rows"]["row"], third["lines"]["id"], third["gone"]) == (second["mark"], [], [], [])
    # Another curator says otherwise of the release of the specimen: that contradicts no `keep`.
    (against,) = save(corpus.lake, "Bert", [KEEP | {"action": "reject", "field": None}])
    fourth = told(states, third["mark"])
    assert list(lines(fourth)) == [against]
    assert fourth["rows"]["row"] == [0, 1]
    save(corpus.lake, "Ada Lovelace", [], [one])
    fifth = told(states, fourth["mark"])
    assert (fifth["gone"], lines(fifth)) == ([one], {})
    assert fifth["rows"]["decided_by"] == ["Bert"]


def test_the_differences_add_up_to_the_whole(corpus):
    states = States(corpus)
    page = told(states)
    rows, known = {}, lines(page)
    acts = [
        (([KEEP], ()), "Ada Lovelace"),
        (([KEEP | {"action": "reject", "field": None}], ()), "Bert"),
        (([{"processid": "A-1", "action": "accept", "reason": "checked", "date": "2026-01-31"}], ()), "Ada Lovelace"),
        (([KEEP | {"processid": "A-2", "field": "COUNTRY_INVALID"}], ()), "Bert"),
    ]
    for (added, gone), curator in acts:
        save(corpus.lake, curator, added, gone)
        page = told(states, page["mark"])
        assert page["since"] is not None
        for place, row in enumerate(page["rows"]["row"]):
            rows[row] = {name: values[place] for name, values in page["rows"].items()}
        known = {one: line for one, line in known.items() if one not in page["gone"]} | lines(page)
    whole = told(States(corpus))
    assert lines(whole) == known
    assert {one["problem"] is None for one in known.values()} == {True, False}  # two of them contradict each other
    closed = {row: one for row, one in rows.items() if one["state"] != "open"}
    assert closed == {
        row: {name: values[place] for name, values in whole["rows"].items()}
        for place, row in enumerate(whole["rows"]["row"])
    }


def test_an_answer_that_is_not_kept_or_of_an_earlier_run_is_told_as_a_whole(corpus, monkeypatch):
    monkeypatch.setattr(module, "_KEPT", 2)
    states = States(corpus)
    first = told(states)
    for field in ("BLURRED", "COUNTRY_INVALID"):
        save(corpus.lake, "Ada Lovelace", [KEEP | {"field": field}])
        last = told(states)
    assert told(states, first["mark"])["since"] is None
    assert told(states, "no such mark")["since"] is None
    assert told(states, last["mark"])["since"] == last["mark"]
    with corpus.lake.writing("doubts", "2" * 64, made_from={}) as draft:
        draft.write(DOUBTS, corpus.doubts().select(DOUBTS.names()).filter(pl.col("rule") == "BLURRED"))
    point(corpus.lake, "doubts", "2" * 64)
    after = told(states, last["mark"])
    assert (after["since"], after["of"], after["rows"]["row"]) == (None, "2" * 64, [0])
    assert len(after["lines"]["id"]) == 2


def test_the_same_line_in_two_files_is_one(corpus):
    for name in ("ada-lovelace", "copy"):
        (folder(corpus.lake) / f"{name}.csv").write_text(csv_of([KEEP | {"curator": "Ada Lovelace"}]))
    assert len(told(States(corpus))["lines"]["id"]) == 1
