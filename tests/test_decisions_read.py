"""Files of decisions: each good line counts, whatever is around it."""

import polars as pl
import pytest
from decided import HEADER, TAIL, csv_of
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.decisions.csv_lines import REFUSED
from bioscan_etl.decisions.read import check_lines, decision_id, read_decisions
from bioscan_etl.decisions.vocabulary import ACTIONS, COLUMNS, REASONS
from bioscan_etl.schema import DECISIONS

END = ",checked,,E. Stur,2025-01-31,"
SPECIES = {"action": "relabel", "field": "species"}


def read(*lines, name="a.csv"):
    return read_decisions({name: HEADER + "".join(f"{line}\n" for line in lines)})


def problems(found):
    return dict(found.lines.filter(pl.col("problem").is_not_null()).select("line", "problem").iter_rows())


@pytest.mark.parametrize(
    "row",
    [
        {"processid": "A-1", "action": "accept"},
        {"processid": "A-1", "action": "accept", "field": "IMAGE_STATUS"},
        {"processid": "A-1", "action": "reject"},
        {"processid": "A-1", "value": "Aus bus", **SPECIES},
        {"processid": "A-1", **SPECIES},
        {"rank": "genus", "name": "Aus", "action": "relabel", "field": "family", "value": "Culicidae"},
        {"group": "BOLD:AAA1234", "value": "Aus bus", **SPECIES},
        {"group": "barcode:A-1", "value": "Aus bus", **SPECIES},
        {"processid": "A-1", "action": "set", "field": "country", "value": "Norway"},
        {"processid": "A-1", "action": "set", "field": "country"},
        {"processid": "A-1", "action": "set", "field": "coord", "value": "9.93, -84.08"},
        {"processid": "A-1", "action": "set", "field": "province_state", "value": "Heredia"},
        {"processid": "A-1", "action": "box", "value": "0 0 10 20", "evidence": "0123456789abcdef"},
        {"rank": "species", "name": "Aus buss", "action": "merge", "value": "Aus bus"},
        {"rank": "species", "name": "Aus buss", "action": "keep"},
        {"processid": "A-1", "action": "keep", "field": "COUNTRY_COORDINATE_MISMATCH"},
    ],
)
def test_a_line_of_each_form_is_read(row):
    found = read_decisions({"a.csv": csv_of([row])})
    assert found.lines.schema == DECISIONS.schema()
    assert found.lines["problem"].to_list() == [None]
    (line,) = found.usable.to_dicts()
    assert {name: line[name] for name in COLUMNS if line[name] is not None} == {**TAIL, **row}
    assert line["id"] == decision_id(line)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("A-1,,,,promote,,,checked,,E. Stur,2025-01-31,", "unknown action 'promote'; actions are accept"),
        ("A-1,,,,reject,,,because,,E. Stur,2025-01-31,", "unknown reason 'because'; reasons are no_insect"),
        ("A-1,,,,reject,,,,,E. Stur,2025-01-31,", "reason is missing"),
        ("A-1,,,,reject,,,checked,,,,", "curator, date is missing"),
        ("A-1,,,,reject,,,checked,,E. Stur,31.1.2025,", "date '31.1.2025' is not YYYY-MM-DD"),
        ("A-1,,,,reject,,,checked,,E. Stur,2025-01-31,abc", "is not the fingerprint of the desk"),
        (f",,,,reject,,{END}", "reject needs processid"),
        (f"A-1,genus,Aus,,relabel,genus,Bus{END}", "relabel needs processid or rank and name or group, and only one"),
        (f",genus,Aus,,reject,,{END}", "reject needs processid"),
        (f",genus,,,relabel,genus,Bus{END}", "give rank and name"),
        (f",tribe,Aini,,relabel,genus,Bus{END}", "unknown rank 'tribe'; ranks are phylum"),
        (f"../a,,,,reject,,{END}", "has other characters than letters, digits and -"),
        (f",,,AAA1234,relabel,genus,Bus{END}", "group 'AAA1234' is neither a BIN (BOLD:AAA1234) nor a barcode"),
        (f",,,barcode:../x,relabel,genus,Bus{END}", "is neither a BIN"),
        (f"A-1,,,,accept,NO_BARCODE,{END}", "unknown field 'NO_BARCODE'; fields are IMAGE_STATUS"),
        (f"A-1,,,,reject,genus,{END}", "reject takes no field, but it is 'genus'"),
        (f"A-1,,,,relabel,,Aus{END}", "relabel needs field: phylum"),
        (f"A-1,,,,relabel,tribe,Aini{END}", "unknown field 'tribe'"),
        (f"A-1,,,,relabel,species,<i>Aus bus</i>{END}", "contains markup"),
        (f"A-1,,,,relabel,genus,Aus bus{END}", "write one capitalised word"),
        (f"A-1,,,,reject,,now{END}", "reject takes no value, but it is 'now'"),
        (f"A-1,,,,set,country,Atlantis{END}", "country 'Atlantis' is no country of ISO 3166-1"),
        (f'A-1,,,,set,coord,"99, 0"{END}', "is not latitude, longitude"),
        (f"A-1,,,,set,coord,9.93{END}", "is not latitude, longitude"),
        (f"A-1,,,,box,,{END}", "box needs a value"),
        (f"A-1,,,,box,,10 10 10 20{END}", "is not four whole numbers of pixels"),
        (f"A-1,,,,box,,1 2 3{END}", "is not four whole numbers of pixels"),
        (f",genus,Aus,,merge,,Aus{END}", "name and value are the same"),
        (f",genus,Aus,,merge,,{END}", "merge needs a value"),
        (f",genus,Aus,,keep,a rule,{END}", "field 'a rule' is no rule"),
        (
            "A-1,,,,reject,,,checked,a\u200bb,E. Stur,2025-01-31,",
            r"note holds characters that cannot be seen: a\u200bb",
        ),
        (f"A-1,,,,reject,,,checked,{'x' * 3000},E. Stur,2025-01-31,", "note has more than 2,000 characters"),
        ("A-1,,,,reject", "5 cells instead of 12"),
        ('A-1,,,,"reject', "cannot be read as CSV"),
    ],
)
def test_a_line_of_the_wrong_form_is_left_out_alone(line, problem):
    before, after = f"A-3,,,,reject,,{END}", f"A-4,,,,reject,,{END}"
    found = read(before, line, after)
    assert sorted(found.usable["processid"].to_list()) == ["A-3", "A-4"]
    ((number, said),) = problems(found).items()
    assert number == 3
    assert problem in said


def test_lines_that_contradict_each_other_are_both_left_out_and_named():
    found = read_decisions(
        {
            "anna.csv": csv_of([{"processid": "A-1", "action": "accept"}, {"processid": "A-2", "action": "reject"}]),
            "bert.csv": csv_of([{"processid": "A-1", "action": "reject"}, {"processid": "A-2", "action": "reject"}]),
        }
    )
    said = found.lines.select("file", "processid", "problem").rows()
    assert said[0] == (
        "anna.csv",
        "A-1",
        "contradicts bert.csv, line 2, which says 'reject'; neither applies until one of them is taken away",
    )
    assert "contradicts anna.csv, line 2, which says 'accept'" in said[2][2]
    # Both say the same of A-2: it counts once.
    assert found.usable["processid"].to_list() == ["A-2"]


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        ({"action": "set", "field": "country", "value": "Norway"}, {"action": "set", "field": "country"}, True),
        ({"action": "set", "field": "country"}, {"action": "set", "field": "province_state", "value": "x"}, False),
        ({"action": "box", "value": "0 0 1 1"}, {"action": "box", "value": "0 0 1 2"}, True),
        ({"action": "accept", "field": "NO_BIN"}, {"action": "accept", "field": "IMAGE_STATUS"}, False),
        ({"action": "accept", "field": "NO_BIN"}, {"action": "reject"}, True),
        ({"value": "Aus bus", **SPECIES}, {"value": "Aus cus", **SPECIES}, True),
        ({"value": "Aus bus", **SPECIES}, {"action": "keep", "field": "BARCODE_MISPLACED"}, False),
    ],
)
def test_lines_contradict_each_other_where_they_answer_one_question_differently(one, other, contradict):
    found = read_decisions({"a.csv": csv_of([{"processid": "A-1", **one}, {"processid": "A-1", **other}])})
    assert found.usable.is_empty() == contradict


def test_a_spelling_cannot_be_merged_and_kept():
    name = {"rank": "genus", "name": "Aus"}
    rows = [{**name, "action": "merge", "value": "Bus"}, {**name, "action": "keep"}]
    assert read_decisions({"a.csv": csv_of(rows)}).usable.is_empty()


def test_of_equal_lines_the_earliest_counts():
    rows = [{"processid": "A-1", "action": "reject", "date": date} for date in ("2025-03-01", "2025-02-01")]
    assert read_decisions({"a.csv": csv_of(rows)}).usable["date"].to_list() == ["2025-02-01"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("processid,label\nA-1,x\n", "line 1: it lacks action, reason, curator, date; label is unknown"),
        ("action,reason,curator,date\n", "no column names what the lines are about"),
        ("processid,action,reason,curator,date,date\n", "date is there twice"),
        ("", "line 1: it lacks action"),
        ("\x00\x1b[2J\n", "line 1: it lacks action"),
    ],
)
def test_a_file_that_is_no_table_of_decisions_is_refused_alone(text, said):
    found = read_decisions(
        {"wrong.csv": text, "right.csv": csv_of([{"processid": "A-1", "action": "reject"}])}, {"x": "y"}
    )
    assert found.refused.schema == REFUSED
    assert found.refused["file"].to_list() == ["wrong.csv", "x"]
    assert said in found.refused["problem"][0]
    assert found.refused["problem"][0].isprintable()
    assert found.usable["processid"].to_list() == ["A-1"]


def test_columns_may_stand_in_any_order_and_some_be_absent():
    text = "\ufeffdate,curator,reason,action,processid\r\n2025-01-31,E. Stur,no_insect,reject,A-1\r\n\r\n"
    found = read_decisions({"a.csv": text})
    assert found.usable.select("processid", "reason", "line").rows() == [("A-1", "no_insect", 2)]


def test_a_quoted_cell_may_hold_line_breaks_only_where_text_may_and_an_open_quote_swallows_nothing():
    found = read(
        'A-1,,,,reject,,,checked,"see, ""the slide""",E. Stur,2025-01-31,',
        'A-2,,,,reject,,,checked,"open,E. Stur,2025-01-31,',
        f"A-3,,,,reject,,{END}",
    )
    assert found.usable["processid"].sort().to_list() == ["A-1", "A-3"]
    assert found.lines.filter(processid="A-1")["note"].to_list() == ['see, "the slide"']
    assert list(problems(found)) == [3]


def test_every_action_and_reason_has_a_meaning():
    for word, meaning in {**{name: action.meaning for name, action in ACTIONS.items()}, **REASONS}.items():
        assert word.islower()
        assert meaning.endswith(".")


GOOD = tuple(f"A-{number},,,,reject,,{END}" for number in range(4))
PIECES = st.sampled_from(
    ['"', '""', '",', ',"', ",", "A-1", "reject", "accept", "checked", "x", " ", "2025-01-31", END]
)
DAMAGED = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text()).map(
    lambda text: "".join(" " if letter in "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029" else letter for letter in text)
)


@settings(max_examples=examples(200))
@given(st.lists(DAMAGED, max_size=12), st.permutations(GOOD), st.randoms(use_true_random=False))
def test_no_line_hides_a_good_one(damaged, good, random):
    lines = [*damaged, *good]
    random.shuffle(lines)
    found = read(*lines)
    at = {number: line for number, line in enumerate(lines, start=2) if line in GOOD}
    right = set(found.lines.filter(pl.col("problem").is_null())["line"])
    # A damaged line may by chance accept a specimen that a good one rejects.
    contradicted = {line for line, said in problems(found).items() if said.startswith("contradicts")}
    assert set(at) <= right | contradicted


@settings(max_examples=examples(100))
@given(st.lists(st.fixed_dictionaries({name: st.none() | st.text(max_size=8) for name in COLUMNS}), max_size=6))
def test_what_was_read_is_judged_alike_again(rows):
    found = read_decisions({"a.csv": csv_of([*rows, {"processid": "A-1", "action": "reject"}])})
    again = check_lines(found.lines.with_columns(problem=pl.lit(None, pl.String), id=pl.lit("")))
    whole = found.lines["problem"].fill_null("").str.contains("cells instead of|as CSV").not_()
    assert again.filter(whole).equals(found.lines.filter(whole))
