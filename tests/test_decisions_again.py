"""Reading again gives what reading anew gives, and costs only what changed."""

import polars as pl
import pytest
from decided import HEADER
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.decisions import again
from bioscan_etl.decisions.again import Reader
from bioscan_etl.decisions.csv_lines import judged
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.decisions.write import file_of, save
from bioscan_etl.lake import Lake

END = ",checked,,E. Stur,2025-01-31,"
OTHER = "curator,date,reason,action,processid,rank,name,group,field,value,note,evidence\n"
PIECES = [
    f"A-1,,,,accept,,{END}",
    f"A-1,,,,reject,,{END}",
    f"A-2,,,,keep,BLURRED,{END}",
    f"A-2,,,,keep,BLURRED, {END}",
    f"A-3,,,,promote,,{END}",
    'A-4,,,,keep,BLURRED,,checked,"a note',
    'of two lines",E. Stur,2025-01-31,',
    'A-5,,,,keep,"BLURRED,,checked,,E. Stur,2025-01-31,',
    "A-6,accept",
    "",
    ",,,,,,,,,,,",
    "  ",
    '"',
    "E. Stur,2025-01-31,checked,keep,A-7,,,,BLURRED,,,",
]
TEXTS = st.builds(
    lambda head, lines, end: head + end.join(lines),
    st.sampled_from([HEADER, HEADER, HEADER, OTHER, "a,b\n", ""]),
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.sampled_from(["\n", "\n", "\r\n"]),
)
FILES = st.dictionaries(st.sampled_from(["a.csv", "b.csv"]), TEXTS, max_size=2)
UNREADABLE = st.dictionaries(st.just("c.csv"), st.sampled_from(["is not UTF-8", "cannot be read"]), max_size=1)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(FILES, UNREADABLE), min_size=2, max_size=4))
def test_reading_again_is_reading_anew(turns):
    reader = Reader()
    for texts, unreadable in turns:
        found, wanted = reader.read(texts, unreadable), read_decisions(texts, unreadable)
        assert found.lines.equals(wanted.lines)
        assert found.lines.schema == wanted.lines.schema
        assert found.refused.equals(wanted.refused)


@pytest.fixture
def parsed(monkeypatch):
    """Records that are judged, by turn."""
    turns = []

    def counted(name, found, header, form):
        turns.append([one.text for one in found])
        return judged(name, found, header, form)

    monkeypatch.setattr(again, "judged", counted)
    return turns


def test_only_lines_that_were_not_there_are_judged(parsed):
    lines = [f"A-{number},,,,accept,,{END}\n" for number in range(50)]
    reader = Reader()
    first = reader.read({"a.csv": HEADER + "".join(lines), "b.csv": HEADER}, {})
    assert [len(one) for one in parsed] == [50, 0]
    assert reader.read({"a.csv": HEADER + "".join(lines), "b.csv": HEADER}, {}) is first
    # One line is taken away, one is new, and it contradicts one that stays.
    changed = [*lines[:3], *lines[4:], f"A-7,,,,reject,,{END}\n"]
    found = reader.read({"a.csv": HEADER + "".join(changed), "b.csv": HEADER}, {})
    assert parsed[2:] == [[f"A-7,,,,reject,,{END}"]]
    assert found.lines.filter(pl.col("problem").is_not_null())["processid"].to_list() == ["A-7", "A-7"]
    assert found.lines["line"].to_list() == list(range(2, 52))
    # The contradiction is gone with the line.
    assert reader.read({"a.csv": HEADER + "".join(lines), "b.csv": HEADER}, {}).lines["problem"].drop_nulls().is_empty()


def test_a_file_of_the_same_size_and_date_is_read_again():
    reader = Reader()
    one, other = (f"{HEADER}A-{number},,,,accept,,{END}\n" for number in (1, 2))
    assert len(one) == len(other)
    assert reader.read({"a.csv": one}, {}).lines["processid"].to_list() == ["A-1"]
    assert reader.read({"a.csv": other}, {}).lines["processid"].to_list() == ["A-2"]


def test_a_save_with_what_was_read_is_a_save_without_it(tmp_path):
    odd = [*PIECES[:4], PIECES[4], PIECES[5], PIECES[6], PIECES[7], PIECES[8], PIECES[10]]
    new = {"processid": "A-9", "action": "accept", "reason": "checked", "date": "2026-01-31"}
    files = []
    for name in ("with", "without"):
        lake = Lake(tmp_path / name)
        path = file_of(lake, "Ada")
        path.parent.mkdir(parents=True)
        path.write_text(HEADER + "\n".join(odd) + "\n")
        reader = Reader()
        gone = reader.read({path.name: path.read_text()}, {}).lines["id"][2]
        for _ in range(2):  # the second time the line is there
            save(lake, "Ada", [new], [gone], reader if name == "with" else None)
        files.append(path.read_text())
    assert files[0] == files[1]
    assert files[0].count("A-9") == 1
    assert PIECES[2] not in files[0].splitlines()
    assert PIECES[6] in files[0].splitlines()


def test_lines_of_another_header_are_not_known():
    reader = Reader()
    reader.read({"a.csv": f"{HEADER}A-1,,,,accept,,{END}\n"}, {})
    assert list(reader.ids("a.csv", HEADER.strip().split(","))) == [f"A-1,,,,accept,,{END}\n"]
    assert reader.ids("a.csv", OTHER.strip().split(",")) == {}
    assert reader.ids("b.csv", HEADER.strip().split(",")) == {}
