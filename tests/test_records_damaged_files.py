from bioscan_etl.records.damaged_files import WORDS, sentences
from bioscan_etl.records.rules import RULES


def test_each_damaged_file_has_one_sentence():
    sources = [
        {"name": "whole.tsv", "damage": {}},
        {"name": "excel.tsv", "damage": {"quoted_fields": 1200, "cr_line_ends": 1}},
        {"name": "latin.tsv", "damage": {"other_encoding": 3}},
    ]
    assert sentences(sources) == [
        "excel.tsv is not as BOLD delivers it: fields are in quotes (QUOTED_FIELDS, 1,200 rows), lines end in a "
        "carriage return alone (CR_LINE_ENDS, 1 row); fetch it again from BOLD if you can",
        "latin.tsv is not as BOLD delivers it: the text is not UTF-8 (OTHER_ENCODING, 3 rows); fetch it again from "
        "BOLD if you can, or set records.encoding if letters look wrong",
    ]


def test_words_are_of_rules():
    assert {kind.upper() for kind in WORDS} <= {rule.id for rule in RULES}
