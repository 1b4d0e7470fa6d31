"""The worklist as the pages get it: every doubt in columns, and details in parts."""

import json

import pytest
from desk_lake import corpus_of

from bioscan_etl.decisions.vocabulary import ACTIONS, REASONS
from bioscan_etl.desk.corpus import OF_ROW
from bioscan_etl.desk.worklist import PART, as_json, doubts_json, part_json, words
from bioscan_etl.doubts.kinds import KINDS

HOSTILE = "<script>alert(1)</script>\u202e=1+1" + "x" * 500
ROWS = [
    {
        "processid": "A-1",
        "species_verbatim": "aedes vexans",
        "made": "Aedes vexans",
        "flags": ["BLURRED", "COUNTRY_INVALID"],
    },
    {
        "processid": "A-2",
        "country": None,
        "country_verbatim": HOSTILE,
        "flags": ["COUNTRY_INVALID"],
        "gates": ["NO_BIN"],
    },
    {"processid": "A-3"},
]


@pytest.fixture
def corpus(tmp_path):
    return corpus_of(tmp_path, ROWS)


def decoded(corpus):
    """The worklist as rows."""
    told = json.loads(doubts_json(corpus))
    rows = [{} for _ in range(told["count"])]
    for name, column in told["columns"].items():
        values, codes = column["values"], column.get("codes")
        for place, row in enumerate(rows):
            row[name] = values[place] if codes is None else None if codes[place] < 0 else values[codes[place]]
    return told, rows


def test_every_doubt_is_there_with_what_was_delivered_and_what_was_made_of_it(corpus):
    told, rows = decoded(corpus)
    assert (told["count"], told["part"], told["version"]) == (3, PART, corpus.version())
    assert [(row["kind"], row["rule"], row["processid"]) for row in rows] == [
        ("image", "BLURRED", "A-1"),
        ("place", "COUNTRY_INVALID", "A-1"),
        ("place", "COUNTRY_INVALID", "A-2"),
    ]
    first, _, held = rows
    assert (first["label_delivered"], first["label_made"], first["country"]) == (
        "aedes vexans",
        "Aedes vexans",
        "Kenya",
    )
    assert (held["label_delivered"], held["label_made"], held["country"]) == (None, None, None)
    assert all(row["shown"] == row["processid"] for row in rows)


def test_a_long_text_is_cut_and_none_of_it_is_markup_in_json(corpus):
    _, rows = decoded(corpus)
    assert rows[2]["why"] == HOSTILE[:200]


def test_details_come_in_parts(corpus):
    part = json.loads(part_json(corpus, 0))
    assert [row["shown"] for row in part] == ["A-1", "A-1", "A-2"]
    assert set(part[0]) == {"shown", *OF_ROW}
    assert json.loads(part_json(corpus, 1)) == []


def test_more_doubts_than_a_part_has_are_in_the_order_of_the_list(tmp_path):
    rows = [{"processid": f"A-{number:03}", "flags": ["BLURRED"]} for number in range(PART + 5)]
    corpus = corpus_of(tmp_path, rows)
    _, listed = decoded(corpus)
    shown = [row["shown"] for number in (0, 1, 2) for row in json.loads(part_json(corpus, number))]
    assert shown == [row["shown"] for row in listed]
    assert len(shown) == PART + 5


def test_the_pages_know_every_word(corpus):
    said = json.loads(as_json(words(corpus, corpus.curator)))
    assert set(said["kinds"]) == set(KINDS)
    assert set(said["rules"]) == {rule for kind in KINDS.values() for rule in kind.rules}
    assert all(rule["statement"] and rule["reason"] for rule in said["rules"].values())
    assert (set(said["actions"]), set(said["reasons"])) == (set(ACTIONS), set(REASONS))
    assert said["curator"] == "Ada Lovelace"


def test_a_corpus_without_doubts_has_an_empty_list(tmp_path):
    told, rows = decoded(corpus_of(tmp_path, [{"processid": "A-1"}]))
    assert (told["count"], rows) == (0, [])
    assert json.loads(part_json(corpus_of(tmp_path, [{"processid": "A-1"}]), 0)) == []


def test_letters_that_are_no_text_do_not_break_the_json():
    assert json.loads(as_json({"a": "\ud800", "b": "ü"})) == {"a": "?", "b": "ü"}
