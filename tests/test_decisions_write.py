"""Saving decisions: all or none, and what is in a file already stays."""

import threading

import pytest
from decided import HEADER, TAIL, csv_of

from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.decisions.write import file_of, from_overrides, save, save_file
from bioscan_etl.errors import SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.decisions import find

REJECT = {"action": "reject", "reason": "no_insect", "date": "2026-01-31"}


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def lines(lake):
    return read_decisions(find(lake).texts).lines


def test_lines_are_added_to_the_file_of_their_curator_and_taken_away(lake):
    one, two = save(lake, "Ána Č. O'Curator", [REJECT | {"processid": f"A-{number}"} for number in (1, 2)])
    assert file_of(lake, "Ána Č. O'Curator").name == "ana-c-o-curator.csv"
    assert save(lake, "Ána Č. O'Curator", [REJECT | {"processid": "A-2"}]) == [two]
    assert lines(lake)["processid"].to_list() == ["A-1", "A-2"]
    assert set(lines(lake)["curator"]) == {"Ána Č. O'Curator"}
    save(lake, "Ána Č. O'Curator", [REJECT | {"processid": "A-3"}], taken_away=[one, "unknown"])
    assert lines(lake)["processid"].to_list() == ["A-2", "A-3"]


def test_a_wrong_line_saves_none(lake):
    with pytest.raises(SourceError, match="decision 2 of 2: unknown action 'promote'"):
        save(lake, "Anna", [REJECT | {"processid": "A-1"}, REJECT | {"processid": "A-2", "action": "promote"}])
    with pytest.raises(SourceError, match="no column colour"):
        save(lake, "Anna", [REJECT | {"colour": "red"}])
    with pytest.raises(SourceError, match="names no file"):
        save(lake, "蜂", [])
    assert not find(lake).texts


def test_what_cannot_be_read_is_kept_as_it_is(lake):
    path = file_of(lake, "Anna")
    path.parent.mkdir(parents=True)
    odd = 'A-1,,,,"reject,open\n,,,too few\n'
    path.write_text(HEADER + odd)
    save(lake, "Anna", [REJECT | {"processid": "A-2", "note": 'with "quotes", and commas'}])
    assert path.read_text().startswith(HEADER + odd)
    assert lines(lake)["note"].to_list()[-1] == 'with "quotes", and commas'
    path.write_text("a,b\n")
    with pytest.raises(SourceError, match="line 1: the columns must be"):
        save(lake, "Anna", [REJECT | {"processid": "A-3"}])
    assert path.read_text() == "a,b\n"


def test_curators_who_save_at_once_lose_nothing(lake):
    def work(name):
        for number in range(5):
            save(lake, "Anna", [REJECT | {"processid": f"{name}-{number}"}])

    threads = [threading.Thread(target=work, args=(name,)) for name in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines(lake).height == 20


def test_a_file_from_elsewhere_is_added_by_curator_or_not_at_all(lake, tmp_path):
    given = tmp_path / "given.csv"
    rows = [{"processid": "A-1", "action": "reject"}, {"processid": "A-2", "action": "reject", "curator": "Bert"}]
    given.write_text(csv_of(rows))
    files, number = save_file(lake, given, None)
    assert ([path.name for path in files], number) == (["e-stur.csv", "bert.csv"], 2)
    given.write_text(csv_of([*rows, {"processid": "A-3", "action": "set", "field": "country", "value": "Atlantis"}]))
    with pytest.raises(SourceError, match=r"given.csv, line 4: country 'Atlantis'"):
        save_file(lake, given, None)
    given.write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="is not UTF-8"):
        save_file(lake, given, None)
    with pytest.raises(SourceError, match="cannot be read"):
        save_file(lake, tmp_path / "absent.csv", None)


def test_overrides_of_earlier_versions_become_decisions(lake, tmp_path):
    old = tmp_path / "overrides.csv"
    old.write_text(
        "processid,rank,name,field,value,reason,curator,date\n"
        "A-3,,,species,Tanytarsus bus,wing venation,E. Stur,2025-01-31\n"
        ",genus,Aus,genus,Bus,synonym,E. Stur,2025-01-31\n"
    )
    first, _ = from_overrides(old.read_text())
    assert {name: value for name, value in first.items() if value} == {
        **TAIL,
        "processid": "A-3",
        "action": "relabel",
        "field": "species",
        "value": "Tanytarsus bus",
        "reason": "other",
        "note": "wing venation",
    }
    assert save_file(lake, old, None)[1] == 2
    assert lines(lake)["problem"].drop_nulls().is_empty()
