"""From labels over cases to doubts: a decision settles a case and does not hide it."""

import pytest
from decided import decisions
from framed_barcodes import drawn
from release_corpus import filled
from test_statistics_distances import changed

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.doubts.find import Tables, find_doubts
from bioscan_etl.doubts.reach import settled
from bioscan_etl.schema import DECISIONS, PLACEMENTS, PROPOSALS, SPECIMENS
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import AUDITED, STAGES
from bioscan_etl.statistics.audit import audit, gaps
from bioscan_etl.statistics.cases import before_curators, cases
from bioscan_etl.statistics.definitions import TABLES
from bioscan_etl.taxonomy.curate import curate

SETTINGS = Settings()
WHOLE = drawn(4)
LINEAGE = {"phylum": "Arthropoda", "class": "Insecta", "order": "Diptera", "family": "Culicidae", "genus": "Aedes"}
# A BIN of two species, and a species without a gap: its barcodes lie 3.0 % apart, and one of another species 0.2 %.
ROWS = [
    ("A-1", "Aedes vexans", "BOLD:AAA0001", WHOLE[0]),
    ("A-2", "Aedes cinereus", "BOLD:AAA0001", changed(WHOLE[0], 3)),
    ("A-3", "Aedes rossicus", "BOLD:AAA0002", WHOLE[1]),
    ("A-4", "Aedes rossicus", "BOLD:AAA0002", changed(WHOLE[1], *range(30, 90, 3))),
    ("A-5", "Aedes sticticus", "BOLD:AAA0003", changed(WHOLE[1], 3)),
]
BIN = {"group": "BOLD:AAA0001"}
NAME = {"rank": "species", "name": "Aedes rossicus"}


def doubts(*lines):
    """The doubts about species and spellings after a run with these lines: state by rule; and the final species."""
    rows = [
        LINEAGE
        | {"processid": one, "species": name, "dna_bin": dna_bin, "dna_barcode": text, "batch": "b", "flags": []}
        | {"barcode_length": 658, "unambiguous_run": 658, "image_status": "detected", "sha256": "5" * 64}
        for one, name, dna_bin, text in ROWS
    ]
    specimens = filled(SPECIMENS, rows)
    decided = decisions(*lines) if lines else DECISIONS.empty()
    curated = curate(specimens, SETTINGS.taxonomy, decided)
    barcodes, ids = numbered(
        curated.frame.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), 300
    )  # fmt: skip
    labels = curated.frame.select("processid", "family", "species", "dna_bin").join(ids, on="processid", how="left")
    position, on_frame = comparable(barcodes)
    apart = gaps(labels.drop_nulls("species"), position, on_frame, 300)
    found = cases(labels, before_curators(labels, curated.changes), apart, position, on_frame, 300)
    assert sorted(audit(labels, apart)) == sorted({name.split(".")[0] for name in AUDITED})
    tables = Tables(
        specimens.lazy(),
        curated.frame.lazy(),
        curated.conflicts,
        curated.typos,
        decided,
        PROPOSALS.empty(),
        found,
    )
    with_state = settled(find_doubts(tables, SETTINGS), decided, specimens.lazy())
    assert set(with_state["kind"]) <= {"species", "typo"}
    return (
        dict(with_state.select("rule", "state").iter_rows()),
        dict(curated.frame.select("processid", "species").iter_rows()),
        dict(with_state.select("rule", "evidence").iter_rows()),
    )


def test_without_decisions_both_cases_are_open():
    states, _, _ = doubts()
    assert states == {"BIN_SEVERAL_SPECIES": "open", "NO_BARCODE_GAP": "open"}


@pytest.mark.parametrize(
    ("rule", "line", "species"),
    [
        ("BIN_SEVERAL_SPECIES", BIN | {"action": "keep", "field": "BIN_SEVERAL_SPECIES"}, {}),
        (
            "BIN_SEVERAL_SPECIES",
            BIN | {"action": "relabel", "field": "species", "value": "Aedes vexans"},
            {"A-2": "Aedes vexans"},
        ),
        (
            "BIN_SEVERAL_SPECIES",
            {"processid": "A-2", "action": "relabel", "field": "species", "value": "Aedes vexans", "evidence": True},
            {"A-2": "Aedes vexans"},
        ),
        ("NO_BARCODE_GAP", NAME | {"action": "keep", "field": "NO_BARCODE_GAP"}, {}),
        (
            "NO_BARCODE_GAP",
            NAME | {"action": "relabel", "field": "species", "value": "Aedes sticticus"},
            {"A-3": "Aedes sticticus", "A-4": "Aedes sticticus"},
        ),
        (
            "NO_BARCODE_GAP",
            {"group": "barcode:A-3", "action": "relabel", "field": "species", "value": "Aedes sticticus",
             "evidence": True},
            {"A-3": "Aedes sticticus"},
        ),
    ],
)  # fmt: skip
def test_a_decision_settles_its_case_which_stays_in_the_list(rule, line, species):
    before, plain, evidence = doubts()
    written = line | ({"evidence": evidence[rule]} if line.get("evidence") else {})
    states, labels, again = doubts(written)
    assert states == before | {rule: "decided"}
    assert labels == plain | species
    assert again == evidence


def test_a_synonym_is_listed_as_the_merge_that_it_is():
    states, labels, _ = doubts(NAME | {"action": "merge", "value": "Aedes sticticus", "reason": "synonym"})
    assert states == {"BIN_SEVERAL_SPECIES": "open", "NAME_TYPO_CANDIDATE": "decided"}
    assert labels["A-3"] == "Aedes sticticus"


def test_a_right_spelling_settles_no_case():
    states, _, _ = doubts(NAME | {"action": "keep"})
    assert states["NO_BARCODE_GAP"] == "open"
    both = [NAME | {"action": "keep"}, NAME | {"action": "keep", "field": "NO_BARCODE_GAP"}]
    assert doubts(*both)[0]["NO_BARCODE_GAP"] == "decided"


def test_the_files_that_statistics_read_are_tables_of_the_release():
    assert {name.split(".")[0] for name in AUDITED} < {table.name for table in TABLES}
    assert STAGES["statistics"].reads["audit"] == AUDITED
