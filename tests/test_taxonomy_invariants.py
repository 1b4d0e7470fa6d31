import polars as pl
import pytest
from taxonomy_corpus import MIDGE, specimens

from bioscan_etl.errors import InvariantError
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.invariants import check, require


@pytest.fixture(scope="module")
def corpus():
    return specimens(
        [
            {"labels": MIDGE, "barcode": "ACGT"},
            {"labels": (*MIDGE[:6], None), "barcode": "ACGT"},
            {"labels": (*MIDGE[:4], None, "Tanytarsus", "Tanytarsus bus"), "species_verbatim": " Tanytarsus bus"},
        ]
    )


@pytest.fixture(scope="module")
def curated(corpus):
    return curate(corpus, TaxonomySettings())


def with_label(frame, row, rank, label):
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(pl.lit(label, pl.String)).otherwise(rank).alias(rank)
    )


def test_sound_labels_have_no_findings(curated, corpus):
    assert check(curated.frame, curated.changes, corpus) == []
    require(curated.frame, curated.changes, corpus)


@pytest.mark.parametrize(
    ("cell", "label", "rule"),
    [
        ((1, "species"), "Chironomus tentans", "INVARIANT_BARCODE_LABELS"),
        ((1, "species"), None, "INVARIANT_BARCODE_LABELS"),
        ((2, "family"), None, "INVARIANT_LINEAGE"),
        ((2, "order"), "Hemiptera", "INVARIANT_LINEAGE"),
        ((2, "species"), "Tanytarsus invented", "INVARIANT_LABEL_SOURCE"),
        ((2, "subfamily"), "Tanytarsinae", "INVARIANT_LABEL_SOURCE"),
        ((2, "species"), None, "INVARIANT_UNDO"),
    ],
)
def test_a_broken_label_is_found_and_stops_the_run(curated, corpus, cell, label, rule):
    broken = with_label(curated.frame, *cell, label)
    assert rule in {finding.rule for finding in check(broken, curated.changes, corpus)}
    with pytest.raises(InvariantError, match="nothing is released"):
        require(broken, curated.changes, corpus)


def test_a_genus_in_two_families_of_one_order_is_found_and_in_two_orders_is_not(curated, corpus):
    other = curated.frame.tail(1).with_columns(
        processid=pl.lit("ZZZ-1"), family=pl.lit("Culicidae"), subfamily=pl.lit("unassigned Culicidae")
    )
    both = pl.concat([curated.frame, other])
    findings = [f for f in check(both, curated.changes, corpus) if f.rule == "INVARIANT_LINEAGE"]
    assert [finding.rank for finding in findings] == ["genus"]
    moved = pl.concat([curated.frame, other.with_columns(order=pl.lit("Hemiptera"))])
    assert "INVARIANT_LINEAGE" not in {f.rule for f in check(moved, curated.changes, corpus)}


def test_an_incomplete_log_is_found(curated, corpus):
    for change in range(curated.changes.height):
        shorter = curated.changes.filter(pl.int_range(pl.len()) != change)
        assert "INVARIANT_UNDO" in {finding.rule for finding in check(curated.frame, shorter, corpus)}


def test_a_lost_specimen_is_found(curated, corpus):
    kept = curated.frame.head(2)
    changes = curated.changes.join(kept, on="processid", how="semi")
    assert [finding.rule for finding in check(kept, changes, corpus)] == ["INVARIANT_UNDO"]
