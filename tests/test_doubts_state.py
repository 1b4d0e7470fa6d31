"""The state of a doubt is a function of the lines and of the evidence, and of nothing else."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.decisions.read import decision_id
from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.doubts.state import CHANGED, DECIDED, OPEN, count_states, with_state
from bioscan_etl.schema import DECISIONS, DOUBTS

SEEN, NOW = "a" * 16, "b" * 16


def doubt(rule="IMAGE_STATUS", kind="image", evidence=SEEN, **target):
    own = {"processid": None, "rank": None, "name": None, "group": None, "members": None, "proposed": None} | (
        target or {"processid": "A-1"}
    )
    number = abs(hash((rule, str(own)))) % 16**16
    return own | {
        "id": f"{number:016x}",
        "kind": kind,
        "rule": rule,
        "batch": None,
        "evidence": evidence,
        "specimens": 1,
        "why": None,
    }


def line(action, **cells):
    given_cells = dict.fromkeys(COLUMNS) | {
        "action": action,
        "reason": "checked",
        "curator": "Ada",
        "date": "2026-05-01",
    }
    given_cells |= cells
    return {"id": decision_id(given_cells), "file": "ada.csv", "line": 2, "problem": None} | given_cells


def states(doubts, lines):
    frame = pl.DataFrame(doubts, schema=DOUBTS.schema())
    number = [one | {"line": place} for place, one in enumerate(lines, 2)]
    return with_state(frame, pl.DataFrame(number, schema=DECISIONS.schema()))


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (doubt(), line("accept", processid="A-1", field="IMAGE_STATUS")),
        (doubt(), line("accept", processid="A-1")),
        (doubt(), line("reject", processid="A-1", reason="no_insect")),
        (doubt(), line("box", processid="A-1", value="1 2 3 4")),
        (doubt("BLURRED"), line("keep", processid="A-1", field="BLURRED")),
        (doubt("BLURRED"), line("keep", processid="A-1")),
        (doubt("COUNTRY_INVALID", "place"), line("set", processid="A-1", field="country", value="Kenya")),
        (doubt("BARCODE_OUTVOTED", "label"), line("relabel", processid="A-1", field="genus", value="Aedes")),
        (
            doubt("NAME_TYPO_CANDIDATE", "typo", rank="genus", name="Aedess"),
            line("merge", rank="genus", name="Aedess", value="Aedes"),
        ),
        (
            doubt("NAME_TYPO_CANDIDATE", "typo", rank="genus", name="Aedess"),
            line("keep", rank="genus", name="Aedess"),
        ),
        (
            doubt("BIN_CONFLICT", "conflict", group="BOLD:AAA1234", members=["A-1"]),
            line("keep", group="BOLD:AAA1234", field="BIN_CONFLICT"),
        ),
        (
            doubt("BIN_SEVERAL_SPECIES", "species", group="BOLD:AAA1234", members=["A-1"]),
            line("relabel", group="BOLD:AAA1234", field="species", value="Aedes vexans"),
        ),
        (
            doubt("NO_BARCODE_GAP", "species", rank="species", name="Aedes a", members=["A-1"]),
            line("keep", rank="species", name="Aedes a", field="NO_BARCODE_GAP"),
        ),
        # A barcode is named by any of its specimens.
        (
            doubt("BARCODE_CONFLICT", "conflict", group="barcode:A-1", members=["A-1", "A-2"]),
            line("relabel", group="barcode:A-2", field="species", value="Aedes vexans"),
        ),
    ],
    ids=lambda one: one.get("action") or one["rule"],
)
def test_a_line_settles_the_doubt_that_it_answers_and_its_own_evidence_counts(one, answer):
    assert states([one], [])["state"].to_list() == [OPEN]
    found = states([one], [answer])
    assert found.select("state", "decided_by", "decided_on").row(0) == (DECIDED, "Ada", "2026-05-01")
    assert found["lines"].to_list() == [[answer["id"]]]
    seen = answer | {"evidence": SEEN}
    assert states([one], [seen])["state"].to_list() == [DECIDED]
    assert states([one | {"evidence": NOW}], [seen])["state"].to_list() == [CHANGED]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (doubt(), line("accept", processid="A-2")),
        (doubt(), line("accept", processid="A-1", field="NO_BIN")),
        (doubt(), line("keep", processid="A-1", field="BLURRED")),
        (doubt(), line("set", processid="A-1", field="country", value="Kenya")),
        (doubt("NO_BARCODE", "missing"), line("accept", processid="A-1")),
        (doubt("COUNTRY_INVALID", "place"), line("box", processid="A-1", value="1 2 3 4")),
        (doubt("NAME_TYPO_CANDIDATE", "typo", rank="genus", name="Aedess"), line("keep", rank="family", name="Aedess")),
        (
            doubt("BARCODE_CONFLICT", "conflict", group="barcode:A-1", members=["A-1", "A-2"]),
            line("keep", group="barcode:A-3"),
        ),
        # That a name is spelt rightly says nothing of the species that it stands for.
        (
            doubt("NO_BARCODE_GAP", "species", rank="species", name="Aedes a", members=["A-1"]),
            line("keep", rank="species", name="Aedes a"),
        ),
        (
            doubt("NO_BARCODE_GAP", "species", rank="species", name="Aedes a", members=["A-1"]),
            line("relabel", processid="A-1", field="species", value="Aedes b", evidence=NOW),
        ),
        (
            doubt("BARCODE_CONFLICT", "conflict", group="barcode:A-1", members=["A-1", "A-2"]),
            line("relabel", processid="A-1", field="species", value="Aedes b", evidence=SEEN),
        ),
    ],
)
def test_a_line_about_something_else_settles_nothing(one, other):
    assert states([one], [other])["state"].to_list() == [OPEN]


@pytest.mark.parametrize(
    "answer",
    [
        line("relabel", processid="A-1", field="species", value="Aedes b", evidence=SEEN),
        line("relabel", group="barcode:A-1", field="species", value="Aedes b", evidence=SEEN),
        line("merge", rank="species", name="Aedes b", value="Aedes a", evidence=SEEN),
        line("reject", processid="A-1", reason="contamination", evidence=SEEN),
    ],
    ids=["specimen", "barcode", "other name", "rejected"],
)
def test_a_doubt_about_species_is_answered_by_a_line_about_anything_that_has_its_evidence(answer):
    one = doubt("NO_BARCODE_GAP", "species", rank="species", name="Aedes a", proposed="Aedes b", members=["A-1"])
    other = doubt("NO_BARCODE_GAP", "species", NOW, rank="species", name="Aedes c", proposed="Aedes b", members=["A-1"])
    found = states([one, other], [answer])
    assert found["state"].to_list() == [DECIDED, OPEN]
    assert found["lines"].to_list() == [[answer["id"]], []]


def test_rejecting_for_the_image_settles_the_place_too_until_the_image_is_another_one():
    doubts = [doubt(), doubt("COUNTRY_INVALID", "place", evidence="c" * 16)]
    reject = line("reject", processid="A-1", reason="no_insect", evidence=SEEN)
    assert states(doubts, [reject])["state"].to_list() == [DECIDED, DECIDED]
    doubts[0] |= {"evidence": NOW}
    assert states(doubts, [reject])["state"].to_list() == [CHANGED, CHANGED]


def test_a_line_that_holds_counts_before_a_later_one_that_does_not():
    lines = [
        line("keep", processid="A-1", field="IMAGE_STATUS", evidence=SEEN, curator="Ada", date="2026-05-01"),
        line("keep", processid="A-1", field="IMAGE_STATUS", evidence=NOW, curator="Bo", date="2026-05-02"),
    ]
    assert states([doubt()], lines).select("state", "decided_by").row(0) == (DECIDED, "Ada")


def _doubts():
    return st.lists(
        st.builds(
            lambda which, evidence: doubt(*which[0], evidence=evidence, **which[1]),
            st.sampled_from(
                [
                    (("IMAGE_STATUS", "image"), {"processid": "A-1"}),
                    (("BLURRED", "image"), {"processid": "A-1"}),
                    (("COUNTRY_INVALID", "place"), {"processid": "A-2"}),
                    (("BARCODE_CONFLICT", "conflict"), {"group": "barcode:A-1", "members": ["A-1", "A-2"]}),
                    (("NAME_TYPO_CANDIDATE", "typo"), {"rank": "genus", "name": "Aedess"}),
                ]
            ),
            st.sampled_from([SEEN, NOW]),
        ),
        max_size=5,
        unique_by=lambda one: one["id"],
    )


def _lines():
    return st.lists(
        st.builds(
            lambda which, seen, day: line(which[0], **which[1], evidence=seen, date=f"2026-05-{day:02}"),
            st.sampled_from(
                [
                    ("accept", {"processid": "A-1", "field": "IMAGE_STATUS"}),
                    ("reject", {"processid": "A-2"}),
                    ("keep", {"processid": "A-1"}),
                    ("keep", {"group": "barcode:A-2"}),
                    ("merge", {"rank": "genus", "name": "Aedess", "value": "Aedes"}),
                ]
            ),
            st.sampled_from([None, SEEN, NOW]),
            st.integers(1, 9),
        ),
        max_size=6,
        unique_by=lambda one: one["id"],
    )


@given(_doubts(), _lines(), st.randoms())
def test_the_state_depends_on_no_order_and_taking_all_lines_away_opens_all(doubts, lines, random):
    found = states(doubts, lines)
    assert found.select(DOUBTS.names()).equals(pl.DataFrame(doubts, schema=DOUBTS.schema()))
    shuffled = random.sample(lines, len(lines))
    assert found.equals(states(doubts, shuffled))
    assert set(states(doubts, [])["state"]) <= {OPEN}
    counts = count_states(found)
    assert counts.select(pl.sum_horizontal(OPEN, CHANGED, DECIDED)).to_series().sum() == len(doubts)
    # Each line that is named is one that was given, and a doubt without lines is open.
    known = {one["id"] for one in lines}
    for state, named in found.select("state", "lines").iter_rows():
        assert set(named) <= known
        assert (state == OPEN) == (not named)


def reaching(doubts, lines, processids):
    frame = pl.DataFrame(doubts, schema=DOUBTS.schema())
    number = [one | {"line": place} for place, one in enumerate(lines, 2)]
    decided = pl.DataFrame(number, schema=DECISIONS.schema())
    pairs = [(one["id"], processid) for one in lines for processid in processids]
    reached = pl.DataFrame(pairs, schema={"line": pl.String, "processid": pl.String}, orient="row")
    return with_state(frame, decided, reached)["state"].to_list()


BIN = {"group": "BOLD:AAA1234"}
GENUS = {"rank": "genus", "name": "Aedes"}


@pytest.mark.parametrize(
    ("rule", "kind", "answer", "state"),
    [
        ("BARCODE_MISPLACED", "misplaced", line("relabel", **BIN, field="order", value="Diptera"), DECIDED),
        ("NAME_DOUBTFUL", "label", line("relabel", **GENUS, field="genus", value="Culex"), DECIDED),
        ("NAME_DOUBTFUL", "label", line("keep", **BIN), DECIDED),
        ("NAME_DOUBTFUL", "label", line("keep", **BIN, field="NAME_DOUBTFUL"), DECIDED),
        ("BARCODE_SEVERAL_BINS", "barcode", line("keep", **BIN, field="BARCODE_SEVERAL_BINS"), DECIDED),
        # The spelling of a name is right: that says nothing of where its specimens belong.
        ("NAME_DOUBTFUL", "label", line("keep", **GENUS), OPEN),
        # A label is no answer to an image, and the conflict of a BIN none to another rule.
        ("IMAGE_STATUS", "image", line("relabel", **BIN, field="order", value="Diptera"), OPEN),
        ("IMAGE_STATUS", "image", line("keep", **BIN), OPEN),
        ("NAME_DOUBTFUL", "label", line("keep", **BIN, field="BIN_CONFLICT"), OPEN),
    ],
)
def test_a_line_about_a_group_answers_the_doubts_about_labels_of_its_specimens(rule, kind, answer, state):
    own, other = doubt(rule, kind), doubt(rule, kind, processid="A-2")
    assert reaching([own, other], [answer], ["A-1"]) == [state, OPEN]
    assert states([own], [answer])["state"].to_list() == [OPEN]  # as long as nobody says whom it is about


def test_the_evidence_of_a_group_is_that_of_its_conflict():
    conflict = doubt("BIN_CONFLICT", "conflict", **BIN, members=["A-1"])
    member = doubt("NAME_DOUBTFUL", "label", evidence=NOW)
    seen = line("relabel", **BIN, field="genus", value="Culex", evidence=SEEN)
    assert reaching([conflict, member], [seen], ["A-1"]) == [DECIDED, DECIDED]
    old = line("relabel", **BIN, field="genus", value="Culex", evidence="c" * 16)
    assert reaching([conflict, member], [old], ["A-1"]) == [CHANGED, CHANGED]
