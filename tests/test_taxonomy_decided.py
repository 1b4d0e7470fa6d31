"""Labels that curators decide: they win over every rule, and a line that breaks the labels is left out alone."""

import polars as pl
import pytest
from decided import decisions
from hypothesis import given
from hypothesis import strategies as st
from taxonomy_corpus import MIDGE, corpora, labels, specimens

from bioscan_etl.schema import DECISION_EFFECTS
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.changes import undo
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.invariants import check

CORPUS = specimens(
    [
        {"labels": MIDGE, "barcode": "ACGT", "processid": "A-1", "dna_bin": "BOLD:AAA0001"},
        {"labels": MIDGE, "barcode": "ACGT", "processid": "A-2", "dna_bin": "BOLD:AAA0001"},
        {"labels": (*MIDGE[:4], None, "Tanytarsus", None), "processid": "A-3"},
    ]
)
TENTANS = {"action": "relabel", "field": "species", "value": "Chironomus tentans"}


def curated(*rows, corpus=CORPUS):
    result = curate(corpus, TaxonomySettings(), decisions(*rows))
    assert check(result.frame, result.changes, corpus) == []
    assert result.effects.schema == DECISION_EFFECTS.schema()
    return result


def became(result):
    return result.effects.select("status", "specimens").rows()


def test_a_specimen_is_relabelled_with_the_reason_in_the_log():
    result = curated({"processid": "A-3", **TENTANS, "value": "Tanytarsus bus", "note": "wing venation"})
    assert labels(result.frame)[2][6] == "Tanytarsus bus"
    assert not result.frame["inferred_species"].any()
    (change,) = result.changes.filter(rule="CURATOR_OVERRIDE").to_dicts()
    assert change["evidence"] == "checked: wing venation (E. Stur, 2025-01-31)"
    assert "CURATOR_OVERRIDE" in result.frame["flags"][2].to_list()
    assert became(result) == [("applied", 1)]


@pytest.mark.parametrize("group", ["BOLD:AAA0001", "barcode:A-2"])
def test_a_group_is_relabelled_as_a_whole(group):
    result = curated({"group": group, **TENTANS})
    assert [row[6] for row in labels(result.frame)] == ["Chironomus tentans", "Chironomus tentans", None]
    assert became(result) == [("applied", 2)]


def test_a_name_is_relabelled_for_all_its_records_and_a_filler_replaced():
    result = curated(
        {"rank": "species", "name": "Chironomus plumosus", **TENTANS},
        {"rank": "genus", "name": "Tanytarsus", "action": "relabel", "field": "subfamily", "value": "Chironominae"},
    )
    assert [row[6] for row in labels(result.frame)] == ["Chironomus tentans", "Chironomus tentans", None]
    assert labels(result.frame)[2][4] == "Chironominae"


def test_the_more_specific_line_wins():
    result = curated(
        {"rank": "family", "name": "Chironomidae", "action": "relabel", "field": "species"},
        {"rank": "genus", "name": "Chironomus", **TENTANS},
        {"group": "BOLD:AAA0001", **TENTANS, "value": "Chironomus aus"},
        {"group": "barcode:A-1", **TENTANS, "value": "Chironomus bus"},
        {"processid": "A-3", **TENTANS, "value": "Tanytarsus bus"},
    )
    assert [row[6] for row in labels(result.frame)] == ["Chironomus bus", "Chironomus bus", "Tanytarsus bus"]
    assert sorted(became(result)) == [("applied", 1), ("applied", 2), *[("dormant", 0)] * 3]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"processid": "A-1", **TENTANS}, "decide on them all, with the group barcode:PROCESSID"),
        ({"processid": "A-3", "action": "relabel", "field": "family"}, "no gap above it"),
        ({"processid": "A-3", "action": "relabel", "field": "order", "value": "Hymenoptera"}, "must have one parent"),
    ],
)
def test_a_line_that_breaks_the_labels_is_left_out_and_the_others_apply(row, said):
    result = curated({"processid": "A-3", **TENTANS, "value": "Tanytarsus bus"}, row)
    assert labels(result.frame)[2][6] == "Tanytarsus bus"
    (wrong,) = result.effects.filter(status="left_out").to_dicts()
    assert said in wrong["detail"]
    assert wrong["specimens"] == 0


def test_a_merged_genus_takes_its_species_with_it_and_a_chain_is_followed():
    corpus = specimens(
        [
            {"labels": (*MIDGE[:5], "Chironamus", "Chironamus plumosus"), "processid": "A-1"},
            {"labels": (*MIDGE[:5], "Chironemus", "Chironemus tentans"), "processid": "A-2"},
            {"labels": MIDGE, "processid": "A-3"},
        ]
    )
    merge = {"rank": "genus", "action": "merge"}
    result = curated(
        {"name": "Chironamus", "value": "Chironemus", **merge},
        {"name": "Chironemus", "value": "Chironomus", **merge},
        corpus=corpus,
    )
    assert [row[5:] for row in labels(result.frame)] == [
        ("Chironomus", "Chironomus plumosus"),
        ("Chironomus", "Chironomus tentans"),
        ("Chironomus", "Chironomus plumosus"),
    ]
    assert became(result) == [("applied", 1), ("applied", 1)]
    assert set(result.changes["rule"]) == {"CURATOR_MERGED"}
    assert set(result.changes["field"]) == {"genus", "species"}


def test_a_species_merged_into_another_genus_takes_the_genus_with_it():
    row = {"rank": "species", "name": "Chironomus plumosus", "action": "merge", "value": "Camptochironomus plumosus"}
    result = curated(row)
    assert labels(result.frame)[0][5:] == ("Camptochironomus", "Camptochironomus plumosus")


def test_names_merged_in_a_circle_stay_and_are_told():
    merge = {"rank": "genus", "action": "merge"}
    result = curated(
        {"name": "Chironomus", "value": "Tanytarsus", **merge}, {"name": "Tanytarsus", "value": "Chironomus", **merge}
    )
    assert labels(result.frame) == labels(curated().frame)
    assert set(result.effects["detail"]) == {"these names are merged in a circle"}


def test_a_kept_spelling_is_no_typo():
    rows = [{"labels": MIDGE, "barcode": "ACGT"} for _ in range(20)]
    rows.append({"labels": (*MIDGE[:6], "Chironomus plumossus"), "barcode": "ACGT"})
    corpus = specimens(rows)
    before = curate(corpus, TaxonomySettings())
    assert before.typos["fixed"].to_list() == [True]
    kept = {"rank": "species", "name": "Chironomus plumossus", "action": "keep"}
    assert curated(kept, corpus=corpus).typos.is_empty()
    assert became(curated(kept, corpus=corpus)) == [("applied", 0)]
    assert became(curated({**kept, "name": "Nowhere bus"}, corpus=corpus)) == [("dormant", 0)]


_NAMES = st.sampled_from(["Genusa", "Genusb", "Aus"])
_LINES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "processid": st.sampled_from(["AAA000-23", "AAA001-23", "AAA009-23"]),
                "action": st.just("relabel"),
                "field": st.just("genus"),
                "value": st.none() | _NAMES,
            }
        ),
        st.fixed_dictionaries({"rank": st.just("genus"), "name": _NAMES, "action": st.just("keep")}),
        st.fixed_dictionaries(
            {
                "rank": st.just("genus"),
                "name": st.just("Genusa"),
                "action": st.just("merge"),
                "value": st.just("Genusc"),
            }
        ),
        st.fixed_dictionaries(
            {
                "group": st.sampled_from(["BOLD:AAA0001", "barcode:AAA000-23"]),
                "action": st.just("relabel"),
                "field": st.just("species"),
                "value": st.just("Genusa cuscus"),
            }
        ),
    ),
    max_size=4,
    unique_by=lambda row: (row.get("processid"), row.get("name"), row.get("group")),
)


@given(corpora(), _LINES)
def test_no_decisions_break_an_invariant_and_all_can_be_undone(corpus, rows):
    result = curated(*rows, corpus=corpus)
    restored = undo(result.frame, result.changes)
    assert restored.select("processid", "species").equals(
        corpus.sort("processid").select("processid", species="species_verbatim")
    )
    assert result.effects["id"].to_list() == sorted(set(result.effects["id"]), key=result.effects["id"].to_list().index)
    assert result.effects.filter(pl.col("status") == "applied").height <= len(rows)
