import polars as pl
from taxonomy_corpus import MIDGE, labels

from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.conflicts import BIN, resolve_conflicts
from bioscan_etl.vocabulary import RANKS

WASP = ("Arthropoda", "Insecta", "Hymenoptera", "Braconidae", "Cheloninae", "Chelonus", "Chelonus bus")
OTHER = (*MIDGE[:6], "Chironomus tentans")


def group(*rows, barcode=0):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(RANKS, pl.String), orient="row")
    return frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.UInt32), group=pl.lit(barcode, dtype=pl.UInt32)
    )


def resolve(frame, **choices):
    return resolve_conflicts(frame, TaxonomySettings(**choices))


def test_records_that_agree_where_they_are_labelled_stay():
    frame = group(MIDGE, (*MIDGE[:3], *[None] * 4), (*MIDGE[:6], None))
    result = resolve(frame)
    assert labels(result.labels) == labels(frame)
    assert result.log.height == result.conflicts.height == 0


def test_nine_of_ten_is_a_majority_and_the_tenth_takes_its_labels():
    result = resolve(group(*[MIDGE] * 9, WASP))
    assert labels(result.labels) == [MIDGE] * 10
    assert set(result.log["rule"]) == {"BARCODE_MAJORITY"}
    assert result.log.filter(pl.col("field") == "order").to_dicts() == [
        {
            "row": 9,
            "field": "order",
            "before": "Hymenoptera",
            "after": "Diptera",
            "rule": "BARCODE_MAJORITY",
            "evidence": "order of the barcode's 10 labelled records: Diptera (9); Hymenoptera (1)",
        }
    ]
    assert result.conflicts.height == 0


def test_eight_of_nine_is_none_and_the_rank_and_all_below_are_cleared():
    result = resolve(group(*[MIDGE] * 8, WASP))
    assert labels(result.labels) == [("Arthropoda", "Insecta", *[None] * 5)] * 9
    assert set(result.log["rule"]) == {"BARCODE_CONFLICT"}
    assert result.conflicts.select("rank", "labels", "records").rows() == [("order", "Diptera (8); Hymenoptera (1)", 9)]


def test_a_species_conflict_leaves_the_genus():
    result = resolve(group(MIDGE, OTHER))
    assert labels(result.labels) == [(*MIDGE[:6], None)] * 2


def test_records_without_a_label_do_not_count():
    unlabelled = (*MIDGE[:6], None)
    result = resolve(group(*[MIDGE] * 9, OTHER, *[unlabelled] * 20))
    assert labels(result.labels) == [MIDGE] * 10 + [unlabelled] * 20


def test_a_majority_needs_its_support():
    frame = group(MIDGE, MIDGE, MIDGE, OTHER)
    assert labels(resolve(frame, majority_share=0.7).labels) == [MIDGE] * 4
    assert labels(resolve(frame, majority_share=0.7, minimum_support=4).labels) == [(*MIDGE[:6], None)] * 4


def test_an_outvoted_record_does_not_give_its_genus_to_the_others():
    bare = (*MIDGE[:4], None, None, None)
    result = resolve(group(*[bare] * 9, WASP))
    assert labels(result.labels) == [bare] * 10
    assert set(result.log.filter(pl.col("field") == "genus")["rule"]) == {"BARCODE_OUTVOTED"}


def test_records_without_a_barcode_are_left_alone():
    frame = group(MIDGE, WASP, barcode=None)
    assert labels(resolve(frame).labels) == [MIDGE, WASP]


def test_in_a_bin_the_majority_settles_ranks_above_species_only():
    result = resolve_conflicts(group(*[MIDGE] * 9, OTHER), TaxonomySettings(), BIN)
    assert labels(result.labels) == [*[MIDGE] * 9, OTHER]
    result = resolve_conflicts(group(*[MIDGE] * 9, OTHER, *[MIDGE] * 9, WASP), TaxonomySettings(), BIN)
    assert labels(result.labels) == [*[MIDGE] * 9, OTHER, *[MIDGE] * 9, (*MIDGE[:6], None)]
    assert result.log.select("row", "field", "rule").rows() == [
        *((19, rank, "BIN_MAJORITY") for rank in ("order", "family", "subfamily", "genus")),
        (19, "species", "BIN_OUTVOTED"),
    ]


def test_a_bin_without_a_majority_is_cleared_from_that_rank_down():
    beetle = (*MIDGE[:5], "Tanytarsus", "Tanytarsus aus")
    result = resolve_conflicts(group(MIDGE, beetle), TaxonomySettings(), BIN)
    assert labels(result.labels) == [(*MIDGE[:5], None, None)] * 2
    assert set(result.log["rule"]) == {"BIN_CONFLICT_CLEARED"}
    assert result.conflicts.select("within", "rank").rows() == [("BIN", "genus")]
