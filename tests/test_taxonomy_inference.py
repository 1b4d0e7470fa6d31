import polars as pl
from taxonomy_corpus import MIDGE, labels

from bioscan_etl.taxonomy.conflicts import CONFLICTS
from bioscan_etl.taxonomy.inference import bin_conflicts, infer_from_barcode, infer_from_bin
from bioscan_etl.vocabulary import RANKS

NONE = pl.DataFrame(schema=CONFLICTS)
BARE = (*MIDGE[:3], *[None] * 4)


def frame(rows, groups):
    made = pl.DataFrame(rows, schema=dict.fromkeys(RANKS, pl.String), orient="row").with_row_index("row")
    return made.with_columns(pl.col("row").cast(pl.UInt32), group=pl.Series(groups, dtype=pl.UInt32))


def test_missing_labels_come_from_the_same_barcode():
    after, log = infer_from_barcode(frame([MIDGE, BARE, BARE], [0, 0, None]), True)
    assert labels(after) == [MIDGE, MIDGE, BARE]
    assert set(log["rule"]) == {"INFERRED_FROM_BARCODE"}
    assert set(log["evidence"]) == {"1 of 2 records of the barcode carry it"}
    assert log.height == 4


def test_without_inference_labels_that_some_lack_are_cleared():
    after, log = infer_from_barcode(frame([MIDGE, BARE, MIDGE], [0, 0, None]), False)
    assert labels(after) == [BARE, BARE, MIDGE]
    assert set(log["rule"]) == {"BARCODE_PARTLY_LABELLED"}


def test_missing_labels_come_from_a_bin_that_agrees():
    bins = pl.Series(["BOLD:AAA0001", "BOLD:AAA0001", None])
    after, log = infer_from_bin(frame([MIDGE, BARE, BARE], [None] * 3), bins, NONE)
    assert labels(after) == [MIDGE, MIDGE, BARE]
    assert set(log["rule"]) == {"INFERRED_FROM_BIN"}


def test_a_bin_that_disagrees_gives_labels_only_above():
    other = (*MIDGE[:5], "Tanytarsus", "Tanytarsus bus")
    bins = pl.Series(["BOLD:AAA0001"] * 3)
    after, _ = infer_from_bin(frame([MIDGE, other, BARE], [None] * 3), bins, NONE)
    assert labels(after)[2] == (*MIDGE[:5], None, None)


def test_a_record_of_another_order_takes_nothing_from_its_bin():
    wasp = ("Arthropoda", "Insecta", "Hymenoptera", *[None] * 4)
    after, _ = infer_from_bin(frame([MIDGE, wasp], [None] * 2), pl.Series(["BOLD:AAA0001"] * 2), NONE)
    assert labels(after) == [MIDGE, wasp]


def test_a_barcode_in_two_bins_stays_alike():
    bins = pl.Series(["BOLD:AAA0001", "BOLD:AAA0001", "BOLD:AAA0002"])
    after, _ = infer_from_bin(frame([MIDGE, BARE, BARE], [None, 1, 1]), bins, NONE)
    assert labels(after) == [MIDGE, BARE, BARE]


def test_what_a_conflict_cleared_stays_cleared():
    conflicts = pl.DataFrame({"group": [1], "rank": ["family"]}, schema_overrides={"group": pl.UInt32})
    after, _ = infer_from_bin(
        frame([MIDGE, (*MIDGE[:2], *[None] * 5)], [None, 1]), pl.Series(["BOLD:AAA0001"] * 2), conflicts
    )
    assert labels(after)[1] == BARE


def test_bins_with_several_genera_are_found():
    other = (*MIDGE[:5], "Tanytarsus", None)
    found = bin_conflicts(frame([MIDGE, other, MIDGE], [None] * 3), pl.Series(["BOLD:A", "BOLD:A", "BOLD:B"]))
    assert found["row"].to_list() == [0, 1]
    assert found["genus_split"].to_list() == [True, True]
    assert found["family_split"].to_list() == [False, False]
