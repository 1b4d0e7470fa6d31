"""The neighbours of a barcode, held against a comparison with every other one."""

import random

import polars as pl
import pytest
from rapidfuzz.distance import Levenshtein

from bioscan_etl.desk.neighbours import around, probes

SCHEMA = {"processid": pl.String, "dna_barcode": pl.String, "dna_bin": pl.String, "label": pl.String}


def changed(letters, share, chance):
    return "".join(chance.choice("ACGT") if chance.random() < share else one for one in letters)


@pytest.fixture(scope="module")
def corpus():
    """600 barcodes of 30 relatives at up to 25 % changed bases; each barcode twice."""
    chance = random.Random(5)
    first = "".join(chance.choices("ACGT", k=658))
    letters = [first, *(changed(first, place / 120, chance) for place in range(30))]
    letters += ["".join(chance.choices("ACGT", k=658)) for _ in range(569)]
    rows = [(f"A-{place:04d}", one, "BOLD:AAA0001" if place < 3 else None, f"s{place}") for place, one in
            enumerate(letters * 2)]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row"), first


def test_the_nearest_are_those_of_a_comparison_with_all(corpus):
    frame, first = corpus
    found = around(frame.lazy(), first, "BOLD:AAA0001")
    others = frame.filter(pl.col("dna_barcode") != first)["dna_barcode"].unique()
    scores = sorted((round(Levenshtein.normalized_similarity(first, one), 4) for one in others), reverse=True)
    assert [one["similarity"] for one in found.nearest] == scores[:12]
    assert all(one["records"] == 2 for one in found.nearest[2:])
    # A barcode that is the first one's copy stands under `same`.
    assert all(one["barcode"] != first for one in found.nearest + found.bin)


def test_records_of_one_barcode_are_counted_and_its_bin_is_listed(corpus):
    frame, first = corpus
    found = around(frame.lazy(), first, "BOLD:AAA0001")
    same = frame.filter(dna_barcode=first)["processid"].to_list()
    assert (found.records, [one["processid"] for one in found.same]) == (len(same), sorted(same))
    in_bin = frame.filter(pl.col("dna_barcode") != first, dna_bin="BOLD:AAA0001")["dna_barcode"].unique()
    assert {one["barcode"] for one in found.bin} == set(in_bin)


def test_a_barcode_is_found_in_another_frame_and_with_gaps(corpus):
    _, first = corpus
    rows = [("A-1", "NN" + first[90:], None, "cut"), ("A-2", first[:300] + first[303:], None, "gap")]
    found = around(pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy(), first, None)
    assert {one["processid"] for one in found.nearest} == {"A-1", "A-2"}
    assert found.same == []
    assert found.bin == []


def test_nothing_is_near_a_barcode_without_words():
    rows = [("A-1", "ACGT", None, None), ("A-2", None, None, None)]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy()
    assert probes("ACGNACGT") == []
    assert around(frame, "ACGNACGT", None).nearest == []


def test_of_equally_near_barcodes_the_same_twelve_are_shown_in_whatever_order_they_come(corpus):
    _, first = corpus
    rows = []
    for number in range(20):
        letters = list(first)
        letters[number] = "T" if letters[number] != "T" else "A"
        rows.append((f"A-{number:02}", "".join(letters), None, None))
    there, back = (pl.DataFrame(each, schema=SCHEMA, orient="row").lazy() for each in (rows, rows[::-1]))
    found = around(there, first, None).nearest
    assert len(found) == 12
    assert found == around(back, first, None).nearest


def test_barcodes_are_counted_once_whatever_their_spelling(corpus):
    _, first = corpus
    other = first[:200] + "A" + first[201:] if first[200] != "A" else first[:200] + "C" + first[201:]
    rows = [("A-2", f"N{other}", "BOLD:AAA0002", "Aedes"), ("A-1", f"{other}N", "BOLD:AAA0001", None)]
    [found] = around(pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy(), first, None).nearest
    assert (found["barcode"], found["records"], found["processid"]) == (other, 2, "A-1")
    assert (found["labels"], found["bins"]) == (["Aedes"], ["BOLD:AAA0001", "BOLD:AAA0002"])
