"""The evidence of doubts about several specimens, side by side."""

import json

import polars as pl
import pytest
from desk_lake import corpus_of

from bioscan_etl.desk.evidence import evidence, evidence_of
from bioscan_etl.desk.worklist import as_json
from bioscan_etl.proposals.read import read_proposals

HASH = 0b1011
ROWS = [
    {
        "processid": "A-1",
        "dna_barcode": "ACGTACGTACGT",
        "genus": "Aedes",
        "dna_bin": "BOLD:AAA0001",
        "made": "Aedes vexans",
    },
    {"processid": "A-2", "dna_barcode": "ACGTACGAACGT", "genus": "Culex", "dna_bin": "BOLD:AAA0001"},
    {"processid": "A-3", "genus": "Aedess", "family": "Culicidae", "dna_bin": "BOLD:AAA0003"},
    {"processid": "A-4", "sha256": "4" * 64, "dhash": HASH, "flags": ["EXACT_DUPLICATE_IMAGE"]},
    {"processid": "A-5", "sha256": "4" * 64, "dhash": HASH},
    {"processid": "A-6", "sha256": "6" * 64, "dhash": HASH ^ 0b1},
    {"processid": "A-7", "sha256": "7" * 64, "dhash": HASH ^ (2**40 - 1)},
    {"processid": "A-8", "flags": ["COUNTRY_INVALID"], "gates": ["NO_BIN"]},
]
CLASH = {
    "within": "barcode",
    "group": 0,
    "rank": "genus",
    "labels": "Aedes 1, Culex 1",
    "records": 2,
    "processids": ["A-1", "A-2"],
}
TYPO = {"rank": "genus", "from": "Aedess", "to": "Aedes", "count": 1, "fixed": False, "evidence": "1 beside 9"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_of(tmp_path_factory.mktemp("desk"), ROWS, [CLASH], [TYPO])


def of(corpus, **wanted):
    which = (pl.col(name).eq_missing(pl.lit(value)) for name, value in wanted.items())
    (row,) = corpus.doubts().filter(*which).to_dicts()
    found = evidence(corpus, row["id"])
    json.loads(as_json(found))
    assert found["doubt"]["id"] == row["id"]
    return found


def names(rows):
    return [row["processid"] for row in rows]


def test_members_of_a_conflict_have_aligned_barcodes_with_differing_bases(corpus):
    found = of(corpus, rule="BARCODE_CONFLICT")
    assert names(found["members"]) == ["A-1", "A-2"]
    assert found["all"] == 2
    # The longest barcode is the reference; of equally long ones the first.
    assert found["reference"] == "ACGTACGTACGT"
    assert [(one["processid"], one["differing"]) for one in found["aligned"]] == [("A-1", []), ("A-2", [7])]
    first = found["members"][0]
    assert (first["genus"], first["made"], first["genus_made"]) == ("Aedes", "Aedes vexans", "Aedes")


def test_both_spellings_of_a_typo_have_their_records_bins_and_lineages(corpus):
    found = of(corpus, kind="typo")
    assert found["rank"] == "genus"
    wrong, right = found["spellings"]
    assert (wrong["name"], wrong["records"], wrong["bins"], wrong["barcodes"]) == ("Aedess", 1, ["BOLD:AAA0003"], 0)
    assert (right["name"], right["records"], right["bins"], right["barcodes"]) == ("Aedes", 1, ["BOLD:AAA0001"], 1)
    (lineage,) = wrong["lineages"]
    assert (lineage["family"], lineage["records"]) == ("Culicidae", 1)
    assert names(wrong["members"]) == ["A-3"]


def test_images_that_are_alike_stand_beside_the_doubted_one(corpus):
    # The same file, one that differs in a bit; not one that differs in forty.
    assert names(of(corpus, kind="duplicate")["members"]) == ["A-4", "A-5", "A-6"]


def test_a_doubt_about_a_specimen_has_the_specimen_even_if_it_is_held(corpus):
    (row,) = of(corpus, kind="place")["members"]
    assert (row["processid"], row["gates"], row["made"]) == ("A-8", ["NO_BIN"], None)


def test_an_unknown_doubt_has_no_evidence(corpus):
    assert evidence(corpus, "0" * 16) is None
    assert evidence(corpus, "'; drop table") is None


def test_a_large_group_is_cut_and_says_how_large_it_is(tmp_path):
    rows = [{"processid": f"A-{number:03}", "dna_barcode": "ACGTACGT"} for number in range(80)]
    clash = CLASH | {"processids": [row["processid"] for row in rows]}
    found = of(corpus_of(tmp_path, rows, [clash]), kind="conflict")
    assert found["all"] == 80
    assert names(found["members"]) == [f"A-{number:03}" for number in range(60)]
    assert len(found["aligned"]) == 60


def test_a_report_has_what_users_said_and_the_action_that_takes_it_over(tmp_path):
    text = """processid,reason,field,value,note,reporter,date
A-1,misidentified,species,Aedes vexans,see the wings,B. Ee,2026-03-01
A-1,misidentified,species,Aedes vexans,,U. Ser,2026-02-01
A-1,wrong_metadata,country,,no country,U. Ser,2026-02-01
A-1,no_insect,,,,U. Ser,2026-02-02
A-2,broken,,,,U. Ser,2026-02-02
"""
    corpus = corpus_of(tmp_path, ROWS, reports=read_proposals({"users.csv": text}).lines)
    both = of(corpus, proposed="species: Aedes vexans")
    assert [(one["reporter"], one["note"], one["action"]) for one in both["reports"]] == [
        ("U. Ser", None, "relabel"),
        ("B. Ee", "see the wings", "relabel"),
    ]
    assert names(both["members"]) == ["A-1"]
    (cleared,) = of(corpus, proposed="country:")["reports"]
    assert (cleared["field"], cleared["value"], cleared["action"]) == ("country", None, "set")
    (plain,) = of(corpus, kind="report", processid="A-1", proposed=None)["reports"]
    assert (plain["reason"], plain["action"]) == ("no_insect", None)


def test_of_too_many_members_each_species_has_its_turn(tmp_path):
    rows = [{"processid": f"A-{n:03}", "species": "Aedes a" if n else "Aedes b"} for n in range(80)]
    rows.append({"processid": "B-1", "species": "Aedes c"})
    case = {
        **{"rule": "BIN_SEVERAL_SPECIES", "dna_bin": "BOLD:AAA0001", "species": ["Aedes a", "Aedes b", "Aedes c"]},
        **{"specimens": 81, "processids": [row["processid"] for row in rows], "why": "said", "facts": "facts"},
    }
    found = of(corpus_of(tmp_path, rows, cases=[case]), kind="species")
    assert (found["all"], len(found["members"]), found["doubt"]["why"]) == (81, 60, "said")
    assert names(found["members"])[:2] == ["A-000", "A-001"]
    assert names(found["members"])[-1] == "B-1"


def test_evidence_of_many_doubts_is_that_of_each(corpus):
    ids = corpus.doubts()["id"].to_list()
    found = list(evidence_of(corpus, [*reversed(ids), "0" * 16]))
    assert [one for one, _ in found] == ids[::-1]
    assert [rests_on for _, rests_on in found] == [evidence(corpus, one) for one in reversed(ids)]


def test_a_specimen_of_several_groups_is_a_member_of_each(tmp_path):
    clashes = [CLASH, CLASH | {"group": 1, "processids": ["A-2", "A-3"]}]
    corpus = corpus_of(tmp_path, ROWS, clashes)
    ids = corpus.doubts().filter(pl.col("kind") == "conflict")["id"].to_list()
    members = [names(rests_on["members"]) for _, rests_on in evidence_of(corpus, ids)]
    assert sorted(members) == [["A-1", "A-2"], ["A-2", "A-3"]]
