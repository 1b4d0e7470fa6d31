import polars as pl
import pytest
from taxonomy_corpus import MIDGE, specimens

from bioscan_etl.rules import Severity, registry
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.invariants import Breach, check, outcome
from bioscan_etl.taxonomy.rules import RULES

INVARIANTS = [rule.id for rule in RULES if rule.severity is Severity.BLOCKING]


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


def failed(breaches):
    """What fails, by the id of the check; the other invariants must be reported as passed."""
    findings = outcome(breaches)
    assert [finding.check for finding in findings] == INVARIANTS
    assert all(finding.passed == (finding.count == 0) for finding in findings)
    return {finding.check: finding for finding in findings if not finding.passed}


def test_sound_labels_have_no_breaches_and_every_invariant_passes(curated, corpus):
    assert check(curated.frame, curated.changes, corpus) == []
    assert check(curated.frame.drop("dna_barcode"), curated.changes, corpus, curated.barcodes) == []
    findings = outcome([])
    assert [(finding.check, finding.passed, finding.count) for finding in findings] == [
        (rule, True, 0) for rule in INVARIANTS
    ]
    assert all(finding.blocking and finding.statement == registry()[finding.check].statement for finding in findings)


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
def test_a_broken_label_is_found(curated, corpus, cell, label, rule):
    broken = with_label(curated.frame, *cell, label)
    finding = failed(check(broken, curated.changes, corpus))[rule]
    assert finding.count == 1
    assert finding.detail
    # Of a log that does not fit its table, the detail names the specimen.
    assert finding.samples or "AAA002-23" in finding.detail
    assert set(finding.samples) <= set(corpus["processid"])


def test_records_of_one_barcode_with_two_labels_fail_with_count_and_samples():
    # Two barcodes with two species each; the labels are those that were delivered, so only one invariant is broken.
    rows = [{"labels": (*MIDGE[:6], f"Chironomus {name}"), "barcode": barcode}
            for barcode in ("ACGT", "CCCC") for name in ("plumosus", "tentans", "plumosus")]  # fmt: skip
    delivered = specimens([*rows, {"labels": MIDGE, "barcode": "GGGG"}])
    changes = curate(delivered.clear(), TaxonomySettings()).changes
    found = failed(check(delivered, changes, delivered))
    assert list(found) == ["INVARIANT_BARCODE_LABELS"]
    assert found["INVARIANT_BARCODE_LABELS"].count == 2
    assert list(found["INVARIANT_BARCODE_LABELS"].samples) == delivered["processid"][:6].to_list()


def test_the_ranks_of_an_invariant_are_summed_and_its_samples_kept_to_ten():
    ids = tuple(f"A-{number:02d}" for number in range(20))
    breaches = [
        Breach("INVARIANT_LINEAGE", "order", "first", 3, ids[10:]),
        Breach("INVARIANT_LINEAGE", "genus", "second", 4, ids[:10]),
        Breach("INVARIANT_UNDO", "", "third", 1),
    ]
    _, lineage, _, undone = outcome(breaches)
    assert (lineage.count, lineage.samples, lineage.detail) == (7, ids[:10], "first; second")
    assert (undone.count, undone.detail) == (1, "third")


def test_a_genus_in_two_families_of_one_order_is_found_and_in_two_orders_is_not(curated, corpus):
    other = curated.frame.tail(1).with_columns(
        processid=pl.lit("ZZZ-1"), family=pl.lit("Culicidae"), subfamily=pl.lit("unassigned Culicidae")
    )
    both = pl.concat([curated.frame, other])
    breaches = [breach for breach in check(both, curated.changes, corpus) if breach.rule == "INVARIANT_LINEAGE"]
    assert [breach.rank for breach in breaches] == ["genus"]
    moved = pl.concat([curated.frame, other.with_columns(order=pl.lit("Hemiptera"))])
    assert "INVARIANT_LINEAGE" not in failed(check(moved, curated.changes, corpus))


def test_an_incomplete_log_is_found(curated, corpus):
    for change in range(curated.changes.height):
        shorter = curated.changes.filter(pl.int_range(pl.len()) != change)
        assert "INVARIANT_UNDO" in failed(check(curated.frame, shorter, corpus))


def test_a_lost_specimen_is_found(curated, corpus):
    kept = curated.frame.head(2)
    changes = curated.changes.join(kept, on="processid", how="semi")
    finding = failed(check(kept, changes, corpus))["INVARIANT_UNDO"]
    assert (finding.count, finding.samples) == (1, ("AAA002-23",))
    doubled = pl.concat([curated.frame, curated.frame.head(1).with_columns(processid=pl.lit("ZZZ-1"))])
    assert failed(check(doubled, curated.changes, corpus))["INVARIANT_UNDO"].samples == ("ZZZ-1",)
