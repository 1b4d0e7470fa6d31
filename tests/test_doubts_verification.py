"""The status of a specimen's labels follows from the doubts about them and from the curators' lines."""

import polars as pl
import pytest
from test_doubts_find import SETTINGS, corpus

from bioscan_etl.doubts.find import find_doubts
from bioscan_etl.doubts.reach import settled
from bioscan_etl.doubts.verification import verification
from bioscan_etl.schema import VERIFICATION

FLAGGED = {"flags": ["NAME_DOUBTFUL"], "genus": "Aedes", "species": "Aedes cf. vexans"}
LABEL = {"processid": "A-1", "action": "relabel", "field": "genus", "value": "Aedes"}
KEEP = {"processid": "A-1", "action": "keep"}


def statuses(*rows, left_out=(), **given):
    tables = corpus(*rows, **given)
    doubts = settled(find_doubts(tables, SETTINGS), tables.decisions, tables.specimens)
    found = verification(doubts, tables, pl.Series(left_out, dtype=pl.String))
    VERIFICATION.check(found)
    return dict(found.rows())


def evidence(*rows, **given):
    return find_doubts(corpus(*rows, **given), SETTINGS)["evidence"][0]


def test_specimens_without_doubt_and_line_are_unverified_and_not_listed():
    assert statuses({}, {"flags": ["BLURRED"]}) == {}
    # It tells how a label came about, which nobody has to decide.
    assert statuses({"flags": ["IDENTIFICATION_CIRCULAR"]}) == {}


@pytest.mark.parametrize("flag", ["NAME_DOUBTFUL", "BARCODE_OUTVOTED", "BARCODE_MISPLACED", "SPECIES_GENUS_MISMATCH"])
def test_an_open_doubt_about_labels_disputes_them(flag):
    assert statuses({"flags": [flag]}, {}) == {"A-1": "disputed"}


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (KEEP, "verified"),
        (KEEP | {"field": "NAME_DOUBTFUL"}, "verified"),
        (KEEP | {"field": "BLURRED"}, "disputed"),
        (LABEL, "verified"),
        (LABEL | {"processid": None, "group": "BOLD:AAA0001"}, "verified"),
        (LABEL | {"processid": None, "group": "barcode:A-2"}, "verified"),
        (LABEL | {"processid": None, "rank": "genus", "name": "Aedes", "value": "Culex"}, "verified"),
        (KEEP | {"processid": None, "group": "BOLD:AAA0001"}, "verified"),
        # The spelling is right; what the insect is, is another question.
        (KEEP | {"processid": None, "rank": "genus", "name": "Aedes"}, "disputed"),
        ({"processid": "A-1", "action": "set", "field": "country", "value": "Kenya"}, "disputed"),
    ],
)
def test_a_line_verifies_the_labels_that_it_sets_or_keeps(line, status):
    assert statuses(FLAGGED, {}, lines=[line])["A-1"] == status


def test_a_line_about_a_group_verifies_all_of_its_specimens():
    line = LABEL | {"processid": None, "group": "BOLD:AAA0001"}
    assert statuses({}, {}, {"dna_bin": "BOLD:AAA0002"}, lines=[line]) == {"A-1": "verified", "A-2": "verified"}


def test_what_was_kept_is_disputed_again_as_soon_as_its_evidence_is_another():
    line = KEEP | {"evidence": evidence(FLAGGED)}
    assert statuses(FLAGGED, lines=[line]) == {"A-1": "verified"}
    assert statuses(FLAGGED | {"species": "Aedes cf. cinereus"}, lines=[line]) == {"A-1": "disputed"}
    # Without the doubt, the line says nothing of the labels of today.
    assert statuses({}, lines=[line]) == {}


def test_one_open_doubt_is_enough():
    both = {"flags": ["NAME_DOUBTFUL", "BARCODE_MISPLACED"]}
    assert statuses(both, lines=[KEEP | {"field": "NAME_DOUBTFUL"}]) == {"A-1": "disputed"}
    assert statuses(both, lines=[KEEP]) == {"A-1": "verified"}


def test_an_accepted_gate_settles_the_doubt_and_verifies_no_label():
    row = {"phylum": "Chordata", "class": "Mammalia", "order": "Chiroptera"}
    scoped = SETTINGS.model_copy(
        update={"gates": SETTINGS.gates.model_copy(update={"scope": {"phylum": ("Arthropoda",)}})}
    )
    line = {"processid": "A-1", "action": "accept", "field": "OUT_OF_SCOPE"}
    for lines, expected in (([], {"A-1": "disputed"}), ([line], {})):
        tables = corpus(row, lines=lines)
        doubts = find_doubts(tables, scoped)
        assert "OUT_OF_SCOPE" in doubts["rule"].to_list()
        doubts = settled(doubts, tables.decisions, tables.specimens)
        assert dict(verification(doubts, tables, pl.Series(dtype=pl.String)).rows()) == expected


def test_a_conflict_disputes_all_of_its_members():
    clash = {"processids": ["A-1", "A-2"]}
    assert statuses({}, {}, {}, conflicts=[clash]) == {"A-1": "disputed", "A-2": "disputed"}


def test_a_likely_typo_disputes_those_that_carry_the_spelling_until_it_is_decided():
    rows = {"genus": "Aedess"}, {"genus": "Aedes"}
    assert statuses(*rows, typos=[{}]) == {"A-1": "disputed"}
    kept = {"rank": "genus", "name": "Aedess", "action": "keep"}
    assert statuses(*rows, typos=[{}], lines=[kept]) == {}


@pytest.mark.parametrize(
    ("report", "is_disputed"),
    [
        ({"field": "species", "value": "Aedes vexans"}, True),
        ({"reason": "contested_label"}, True),
        ({"reason": "no_insect"}, False),
        ({"reason": "wrong_metadata", "field": "country", "value": "Kenya"}, False),
    ],
)
def test_a_report_disputes_labels_only_if_it_is_about_them(report, is_disputed):
    assert statuses({}, reports=[report]) == ({"A-1": "disputed"} if is_disputed else {})


def test_a_line_that_was_left_out_verifies_nothing():
    tables = corpus({}, lines=[LABEL])
    assert statuses({}, lines=[LABEL]) == {"A-1": "verified"}
    assert statuses({}, lines=[LABEL], left_out=tables.decisions["id"].to_list()) == {}


def test_a_label_that_a_curator_has_set_is_verified_whatever_the_line_named():
    # A line about a name also reaches specimens that got the name by inference.
    assert statuses({}, curated={"A-1": ["CURATOR_OVERRIDE"]}) == {"A-1": "verified"}


def test_specimens_that_are_not_accepted_have_no_status():
    assert statuses(FLAGGED, FLAGGED, curated={"A-2": ["NAME_DOUBTFUL"]}) == {"A-2": "disputed"}
