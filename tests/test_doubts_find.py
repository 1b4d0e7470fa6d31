"""Doubts are found in the tables of a corpus, and a decision does not make its own doubt disappear."""

import datetime as dt

import polars as pl
import pytest
from decided import decisions
from release_corpus import filled

from bioscan_etl.doubts.find import Tables, find_doubts
from bioscan_etl.doubts.fingerprint import fingerprint
from bioscan_etl.doubts.kinds import KINDS, OF_GROUPS
from bioscan_etl.doubts.state import CHANGED, DECIDED, OPEN, with_state
from bioscan_etl.proposals.read import COLUMNS, read_proposals
from bioscan_etl.schema import CURATED, DECISIONS, DOUBTS, SPECIMENS
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.cases import CASES
from bioscan_etl.taxonomy.conflicts import CONFLICTS
from bioscan_etl.taxonomy.typos import TYPOS

SETTINGS = Settings()
SOUND = {
    "batch": "one",
    "sha256": "5" * 64,
    "image_status": "detected",
    "confidence": 0.9,
    "dna_barcode": "ACGT" * 150,
    "barcode_length": 600,
    "unambiguous_run": 600,
    "dna_bin": "BOLD:AAA0001",
    "country_verbatim": "Kenya",
    "country": "Kenya",
    "phylum": "Arthropoda",
    "class": "Insecta",
    "order": "Diptera",
    "flags": [],
}
CLASH = {"within": "barcode", "group": 0, "rank": "genus", "labels": "Aedes 1, Culex 1", "records": 2}
SEVERAL = {
    "rule": "BIN_SEVERAL_SPECIES",
    "dna_bin": "BOLD:AAA0001",
    "species": ["Aedes a", "Aedes b"],
    "specimens": 9,
    "processids": ["A-1", "A-2"],
    "why": "Aedes a (1); Aedes b (8)",
    "facts": "Aedes a\nAedes b",
}
NO_GAP = {"rule": "NO_BARCODE_GAP", "dna_bin": None, "why": "Aedes a lacks a gap", "facts": "Aedes a\nAedes b\n4\n2"}
MISSPELT = {
    "rank": "genus",
    "parent": "Culicidae",
    "from": "Aedess",
    "to": "Aedes",
    "distance": 1,
    "count": 1,
    "count_to": 9,
    "supported": 1,
    "fixed": False,
    "evidence": "1 record beside 9",
}


def corpus(*rows, curated=None, conflicts=(), typos=(), lines=(), reports=(), cases=()):
    """Tables of specimens `A-1` …; `curated`: flags by process ID of those that are accepted."""
    given = [SOUND | {"processid": f"A-{number}"} | row for number, row in enumerate(rows, 1)]
    specimens = filled(SPECIMENS, given)
    flags = {row["processid"]: row["flags"] for row in given} | (curated or {})
    accepted = [row | {"flags": flags[row["processid"]], "taxon": "Diptera"} for row in given]
    kept = [row for row in accepted if curated is None or row["processid"] in curated]
    labels = filled(CURATED, kept).lazy() if kept else pl.LazyFrame(schema=CURATED.schema())
    return Tables(
        specimens.lazy(),
        labels,
        pl.DataFrame([CLASH | row for row in conflicts], schema=CONFLICTS),
        pl.DataFrame([MISSPELT | row for row in typos], schema=TYPOS),
        decisions(*lines) if lines else DECISIONS.empty(),
        proposals(*reports),
        pl.DataFrame([SEVERAL | row for row in cases], schema=CASES),
    )


REPORT = {"processid": "A-1", "reason": "misidentified", "reporter": "U. Ser", "date": "2026-02-01"}


def proposals(*rows):
    """Lines of `schema.PROPOSALS`."""
    cells = [dict.fromkeys(COLUMNS) | REPORT | row for row in rows]
    text = pl.DataFrame(cells, schema=dict.fromkeys(COLUMNS, pl.String)).write_csv()
    lines = read_proposals({"users.csv": text}).lines
    assert lines["detail"].drop_nulls().to_list() == []
    return lines


def found(*rows, settings=SETTINGS, **tables):
    doubts = find_doubts(corpus(*rows, **tables), settings)
    assert doubts.schema == DOUBTS.schema()
    DOUBTS.check(doubts)
    return doubts


def rules(doubts):
    return doubts.select("kind", "rule", "processid").rows()


def test_sound_specimens_raise_none():
    assert found({}, {}).is_empty()
    # A rule that only informs asks for no decision.
    assert found({"flags": ["NAME_CASE", "BARCODE_SHORT"]}).is_empty()


@pytest.mark.parametrize(
    ("row", "kind", "rule", "why"),
    [
        (
            {"image_status": "low_confidence", "confidence": 0.251},
            "image",
            "IMAGE_STATUS",
            "low confidence, confidence 0.25",
        ),
        ({"flags": ["BLURRED"]}, "image", "BLURRED", "detected, confidence 0.9"),
        ({"flags": ["EXACT_DUPLICATE_IMAGE"]}, "duplicate", "EXACT_DUPLICATE_IMAGE", None),
        ({"flags": ["BARCODE_MISPLACED"]}, "misplaced", "BARCODE_MISPLACED", "the record's order is Diptera"),
        ({"flags": ["NAME_DOUBTFUL"], "species": "Aedes cf. x"}, "label", "NAME_DOUBTFUL", "Aedes cf. x"),
        ({"class": "Arachnida", "order": None}, "label", "OUT_OF_SCOPE", "Arachnida"),
        (
            {"flags": ["COUNTRY_INVALID"], "country_verbatim": "Atlantis", "coord_verbatim": "1, 2"},
            "place",
            "COUNTRY_INVALID",
            "Atlantis; 1, 2",
        ),
        (
            {"flags": ["DATE_INVALID"], "collection_date_start": dt.date(2020, 1, 2)},
            "date",
            "DATE_INVALID",
            "2020-01-02",
        ),
        ({"flags": ["DATE_INVALID"]}, "date", "DATE_INVALID", None),
        ({"unambiguous_run": 20}, "barcode", "BARCODE_RUN_TOO_SHORT", "600 bp, longest unambiguous run 20 bp"),
        ({"image_status": None, "sha256": None}, "missing", "NO_IMAGE", None),
        ({"dna_barcode": None, "barcode_length": None}, "missing", "NO_BARCODE", None),
        ({"dna_bin": None}, "missing", "NO_BIN", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_specimen_of_each_kind_is_found_alone(row, kind, rule, why):
    chosen = Settings.model_validate({"gates": {"require_bin": True, "scope": {"class": ["Insecta"]}}})
    (one,) = found({}, row, settings=chosen).to_dicts()
    assert (one["kind"], one["rule"], one["processid"], one["batch"], one["why"]) == (kind, rule, "A-2", "one", why)
    assert (one["specimens"], one["members"], one["group"], one["name"]) == (1, None, None, None)


def test_every_kind_about_a_specimen_is_tried():
    marks = test_a_specimen_of_each_kind_is_found_alone.pytestmark[0].args[1]
    # A report is of a user, not of a table.
    assert {kind for _, kind, _, _ in marks} == set(KINDS) - set(OF_GROUPS) - {"report"}


def test_a_flag_of_the_labels_is_found_in_the_curated_table():
    assert rules(found({}, curated={"A-1": ["BARCODE_OUTVOTED"]})) == [("label", "BARCODE_OUTVOTED", "A-1")]


def test_a_rule_that_says_it_more_exactly_covers_the_other():
    held = {"image_status": "empty", "flags": ["EMPTY_IMAGE"]}
    assert rules(found(held)) == [("image", "IMAGE_STATUS", "A-1")]
    twice = {"flags": ["EXACT_DUPLICATE_IMAGE", "NEAR_DUPLICATE_IMAGE"]}
    assert rules(found(twice)) == [("duplicate", "EXACT_DUPLICATE_IMAGE", "A-1")]


def test_a_presumed_place_proposes_the_coordinates():
    row = {"flags": ["COUNTRY_COORDINATE_MISMATCH", "PRESUMED_NEGATED_LONGITUDE"]}
    (one,) = found(row | {"proposed-lat": 1.5, "proposed-lon": 36.0000004}).to_dicts()
    assert (one["rule"], one["proposed"]) == ("PRESUMED_NEGATED_LONGITUDE", "1.5, 36.0")


def test_a_conflict_is_one_doubt_of_its_group_and_rank():
    both = found({}, {}, conflicts=[{"processids": ["A-1", "A-2"]}, {"within": "BIN", "processids": ["A-1", "A-2"]}])
    assert both.select("rule", "group", "members", "specimens", "batch", "why").rows() == [
        ("BARCODE_CONFLICT", "barcode:A-1", ["A-1", "A-2"], 2, "one", "genus: Aedes 1, Culex 1"),
        ("BIN_CONFLICT_CLEARED", "BOLD:AAA0001", ["A-1", "A-2"], 2, "one", "genus: Aedes 1, Culex 1"),
    ]
    (two,) = found({}, {"batch": "two"}, conflicts=[{"processids": ["A-1", "A-2"]}]).to_dicts()
    assert two["batch"] is None


def test_a_bin_with_different_labels_is_one_doubt():
    flags = {"A-1": ["BIN_CONFLICT"], "A-2": ["BIN_CONFLICT"]}
    (one,) = found({"species": "Aedes vexans"}, {"species": "Aedes rossicus"}, curated=flags).to_dicts()
    assert (one["kind"], one["rule"], one["group"]) == ("conflict", "BIN_CONFLICT", "BOLD:AAA0001")
    assert (one["members"], one["specimens"], one["why"]) == (["A-1", "A-2"], 2, "Aedes rossicus; Aedes vexans")


def test_a_typo_is_a_doubt_unless_a_rule_has_mended_it():
    (one,) = found({}, typos=[{}]).to_dicts()
    assert (one["kind"], one["rule"], one["rank"], one["name"], one["proposed"]) == (
        ("typo", "NAME_TYPO_CANDIDATE", "genus", "Aedess", "Aedes")
    )
    assert (one["specimens"], one["why"], one["batch"]) == (1, "1 record beside 9", None)
    assert found({}, typos=[{"fixed": True}]).is_empty()


def test_evidence_changes_with_the_facts_and_the_id_does_not():
    row = {"flags": ["BLURRED", "COUNTRY_INVALID", "BARCODE_MISPLACED"]}
    before = found(row)
    for changed, kind in (
        ({"sha256": "6" * 64}, "image"),
        ({"country_verbatim": "Keniya"}, "place"),
        ({"order": "Coleoptera"}, "misplaced"),
    ):
        after = found(row | changed)
        assert after["id"].to_list() == before["id"].to_list()
        differs = before.filter(before["evidence"] != after["evidence"])
        assert differs["kind"].to_list() == [kind]
    assert before.filter(kind="image")["evidence"].to_list() == ["5" * 16]


def test_doubts_are_the_same_whatever_the_order_of_the_rows():
    rows = [
        {"flags": ["BLURRED"]},
        {"flags": ["COUNTRY_INVALID", "BLURRED"]},
        {"dna_barcode": None, "barcode_length": None},
    ]
    named = [row | {"processid": f"A-{number}"} for number, row in enumerate(rows)]
    assert found(*named).equals(found(*reversed(named)))


def state(doubts, *lines):
    return with_state(doubts, decisions(*lines))


def test_accepting_leaves_the_doubt_of_the_gate():
    row = {"image_status": "low_confidence"}
    before = found(row)
    line = {"processid": "A-1", "action": "accept", "field": "IMAGE_STATUS", "evidence": before["evidence"].item()}
    # After the run the specimen is accepted and has the curators' flag.
    after = found(row | {"flags": ["CURATOR_ACCEPTED"]}, lines=[line])
    assert after.equals(before)
    assert state(after, line)["state"].to_list() == [DECIDED]


def test_a_drawn_box_leaves_a_doubt_about_the_image_although_its_status_is_another_now():
    before = found({"image_status": "low_confidence"})
    line = {"processid": "A-1", "action": "box", "value": "1 2 3 4", "evidence": before["evidence"].item()}
    after = found({"image_status": "detected", "flags": ["CURATOR_BOX"]}, lines=[line])
    assert after.drop("why").equals(before.drop("why"))
    assert state(after, line)["state"].to_list() == [DECIDED]
    assert state(found({"sha256": "6" * 64}, lines=[line]), line)["state"].to_list() == [CHANGED]
    # Other doubts about the image stand beside it no more than once.
    assert rules(found({"flags": ["BLURRED"]}, lines=[line])) == [("image", "BLURRED", "A-1")]


@pytest.mark.parametrize("flag", ["BARCODE_OUTVOTED", "SPECIES_GENUS_MISMATCH"])
def test_rejecting_a_specimen_for_its_label_leaves_a_doubt_although_its_labels_are_not_curated_any_more(flag):
    row = {"genus": "Aedes", "flags": ["COUNTRY_INVALID"]}
    before = found(row, curated={"A-1": ["COUNTRY_INVALID", flag]})
    evidence = before.filter(kind="label")["evidence"].item()
    line = {"processid": "A-1", "action": "reject", "reason": "contamination", "evidence": evidence}
    after = found(row, curated={}, lines=[line])
    assert rules(after) == [("label", "CURATOR_REJECTED", "A-1"), ("place", "COUNTRY_INVALID", "A-1")]
    # The place too: the line names the evidence of the label, which has not changed.
    assert state(after, line)["state"].to_list() == [DECIDED, DECIDED]
    changed = found(row | {"genus": "Culex"}, curated={}, lines=[line])
    assert state(changed, line)["state"].to_list() == [CHANGED, CHANGED]
    assert set(state(after)["state"]) == {OPEN}


def test_a_merged_spelling_and_a_kept_one_leave_their_doubt():
    before = found({}, typos=[{}])
    evidence = before["evidence"].item()
    merge = {"rank": "genus", "name": "Aedess", "action": "merge", "value": "Aedes", "evidence": evidence}
    after = found({}, lines=[merge])
    assert after.select("id", "rule", "name", "proposed", "evidence").equals(
        before.select("id", "rule", "name", "proposed", "evidence")
    )
    assert state(after, merge)["state"].to_list() == [DECIDED]
    keep = {"rank": "genus", "name": "Aedess", "action": "keep", "evidence": evidence}
    (kept,) = found({}, lines=[keep]).to_dicts()
    assert (kept["name"], kept["proposed"], kept["specimens"]) == ("Aedess", None, 0)
    assert state(found({}, lines=[keep]), keep)["state"].to_list() == [DECIDED]


def test_lines_about_what_no_batch_has_raise_nothing():
    lines = [
        {"processid": "Z-9", "action": "reject"},
        {"processid": "Z-9", "action": "box", "value": "1 2 3 4"},
        {"processid": "A-1", "action": "set", "field": "country", "value": "Norway"},
        {"group": "BOLD:AAA0001", "action": "relabel", "field": "genus", "value": "Aedes"},
    ]
    assert found({}, lines=lines).is_empty()


def test_a_report_of_a_user_is_a_doubt_with_who_why_and_what_is_suggested():
    reports = [
        {"field": "species", "value": "Aedes vexans", "note": "see the wings"},
        {"reason": "no_insect", "reporter": "B. Ee", "date": "2026-01-31"},
        {"reason": "wrong_metadata", "field": "country"},
        {"reason": "wrongly_cropped", "field": "box", "value": "1 2 30 40"},
        {"processid": "Z-9", "reason": "broken"},
    ]
    doubts = found({}, {}, reports=reports)
    assert doubts.select("kind", "rule", "processid", "proposed", "why").rows() == [
        ("report", "USER_REPORT", "A-1", "box: 1 2 30 40", "wrongly_cropped (U. Ser, 2026-02-01)"),
        ("report", "USER_REPORT", "A-1", "country:", "wrong_metadata (U. Ser, 2026-02-01)"),
        ("report", "USER_REPORT", "A-1", "species: Aedes vexans", "misidentified: see the wings (U. Ser, 2026-02-01)"),
        ("report", "USER_REPORT", "A-1", None, "no_insect (B. Ee, 2026-01-31)"),
    ]
    assert doubts["batch"].unique().to_list() == ["one"]


def test_the_same_suggestion_of_two_users_is_one_doubt_and_one_more_asks_for_another_look():
    first = {"field": "species", "value": "Aedes vexans"}
    second = first | {"reporter": "B. Ee", "date": "2026-03-01"}
    before, after = found({}, reports=[first]), found({}, reports=[second, first, first])
    assert after["id"].to_list() == before["id"].to_list()
    assert after["why"].to_list() == ["misidentified (U. Ser, 2026-02-01); misidentified (B. Ee, 2026-03-01)"]
    line = {"processid": "A-1", "action": "keep", "field": "USER_REPORT", "evidence": before["evidence"].item()}
    assert state(before, line)["state"].to_list() == [DECIDED]
    assert state(after, line)["state"].to_list() == [CHANGED]


@pytest.mark.parametrize(
    ("report", "line", "settled"),
    [
        (
            {"field": "species", "value": "Aedes vexans"},
            {"action": "relabel", "field": "species", "value": "Aedes rossicus"},
            True,
        ),
        (
            {"field": "species", "value": "Aedes vexans"},
            {"action": "relabel", "field": "genus", "value": "Aedes"},
            False,
        ),
        ({"field": "species", "value": "Aedes vexans"}, {"action": "set", "field": "country", "value": "Kenya"}, False),
        (
            {"field": "province_state", "value": "Nairobi"},
            {"action": "set", "field": "province_state", "value": "Nairobi"},
            True,
        ),
        ({"field": "coord", "value": "1, 36"}, {"action": "set", "field": "country", "value": "Kenya"}, False),
        ({"field": "box", "value": "1 2 3 4"}, {"action": "box", "value": "1 2 3 5"}, True),
        ({"field": "species", "value": "Aedes vexans"}, {"action": "box", "value": "1 2 3 5"}, False),
        ({"field": "species"}, {"action": "relabel", "field": "species"}, True),
        ({"field": "species", "value": "Aedes vexans"}, {"action": "reject"}, True),
        ({"field": "species", "value": "Aedes vexans"}, {"action": "keep", "field": "USER_REPORT"}, True),
        ({"field": "species", "value": "Aedes vexans"}, {"action": "keep", "field": "BLURRED"}, False),
        ({"field": "species", "value": "Aedes vexans"}, {"action": "accept"}, False),
        ({}, {"action": "relabel", "field": "genus", "value": "Aedes"}, True),
        ({"reason": "no_insect"}, {"action": "reject"}, True),
    ],
)
def test_a_report_is_settled_by_a_decision_on_what_it_suggests(report, line, settled):
    doubts = found({}, reports=[report])
    given = {"processid": "A-1", **line}
    assert state(doubts.filter(kind="report"), given)["state"].to_list() == [DECIDED if settled else OPEN]


def test_taking_over_a_box_by_the_evidence_of_its_image_settles_the_report():
    reports = [{"reason": "wrongly_cropped", "field": "box", "value": "1 2 30 40"}]
    line = {"processid": "A-1", "action": "box", "value": "1 2 30 40", "evidence": "5" * 16}
    after = found({"flags": ["CURATOR_BOX"]}, reports=reports, lines=[line])
    assert after["kind"].to_list() == ["report", "image"]
    assert state(after, line)["state"].to_list() == [DECIDED, DECIDED]


def test_a_bin_with_several_species_is_a_doubt_about_the_bin():
    (one,) = found({}, {}, cases=[{}]).to_dicts()
    assert (one["kind"], one["rule"], one["group"], one["name"]) == (
        "species",
        "BIN_SEVERAL_SPECIES",
        "BOLD:AAA0001",
        None,
    )
    assert (one["members"], one["specimens"], one["batch"]) == (["A-1", "A-2"], 9, "one")
    assert (one["why"], one["proposed"]) == ("Aedes a (1); Aedes b (8)", None)


def test_a_species_without_a_gap_is_a_doubt_about_its_name():
    (one,) = found({}, {"batch": "two"}, cases=[NO_GAP]).to_dicts()
    assert (one["kind"], one["rule"], one["group"]) == ("species", "NO_BARCODE_GAP", None)
    assert (one["rank"], one["name"], one["proposed"]) == ("species", "Aedes a", "Aedes b")
    assert (one["processid"], one["batch"]) == (None, None)


def test_the_evidence_of_a_case_is_its_facts_and_not_its_words():
    (one,) = found({}, {}, cases=[{}])["evidence"]
    (again,) = found({}, {}, cases=[{"why": "other words", "specimens": 30, "processids": ["A-1"]}])["evidence"]
    (other,) = found({}, {}, cases=[{"facts": "Aedes a\nAedes b\nAedes c"}])["evidence"]
    assert (one == again, one == other) == (True, False)


@pytest.mark.parametrize(
    "known",
    [
        {"conflicts": [{"within": "BIN", "processids": ["A-1", "A-2"]}]},
        {"curated": {"A-1": ["BIN_CONFLICT"], "A-2": ["BIN_CONFLICT"]}},
        {"typos": [{"rank": "species", "from": "Aedes b", "to": "Aedes a"}]},
    ],
    ids=["cleared", "split", "misspelt"],
)
def test_a_case_that_is_in_doubt_already_is_not_listed_twice(known):
    doubts = found({}, {}, cases=[{}], **known)
    assert "species" not in doubts["kind"].to_list()
    assert doubts.height == 1
    # Another BIN, and species that are no spelling of each other, are cases of their own.
    other = found({}, {}, cases=[{"dna_bin": "BOLD:AAA0009", "species": ["Aedes a", "Culex b"]}], **known)
    assert other["kind"].to_list().count("species") == 1


def test_two_spellings_lack_a_gap_because_they_are_one_species():
    typo = {"rank": "species", "from": "Aedes a", "to": "Aedes b"}
    assert found({}, {}, cases=[NO_GAP], typos=[typo])["kind"].to_list() == ["typo"]
    assert found({}, {}, cases=[NO_GAP], typos=[typo | {"fixed": True}])["kind"].to_list() == ["species"]


def test_a_name_that_is_kept_without_a_gap_is_no_spelling_that_is_kept():
    line = {"rank": "species", "name": "Aedes a", "action": "keep"}
    kinds = [
        found({}, {}, lines=[line | {"field": field}])["kind"].to_list()
        for field in (None, "NAME_TYPO_CANDIDATE", "NO_BARCODE_GAP")
    ]
    assert kinds == [["typo"], ["typo"], []]


@pytest.mark.parametrize("block", [1, 2, 3])
def test_evidence_rests_on_the_specimens_own_sequence_however_many_are_read_at_a_time(monkeypatch, block):
    rows = [
        {"flags": ["HOMOPOLYMER", "BARCODE_MISPLACED"], "dna_barcode": "A" * number} if number % 2 else {"flags": []}
        for number in range(1, 8)
    ]
    given = pl.DataFrame([SOUND | row | {"processid": f"A-{at}"} for at, row in enumerate(rows, 1)], strict=False)
    monkeypatch.setattr("bioscan_etl.doubts.find._BLOCK", block)
    doubts = found(*rows)
    for kind in ("barcode", "misplaced"):
        one = doubts.filter(pl.col("kind") == kind)
        facts = one.select("processid").join(given, on="processid", maintain_order="left")
        assert one.height == 4
        assert one["evidence"].to_list() == fingerprint(facts, KINDS[kind].facts).to_list()
