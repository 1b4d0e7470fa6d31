"""The curve of distances from evaluated barcodes to trained ones."""

import polars as pl
from framed_barcodes import drawn
from test_statistics_distances import changed

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.statistics.definitions import LEAKAGE_CURVE_TABLE
from bioscan_etl.statistics.leakage_curve import WITHIN, leakage_curve
from bioscan_etl.vocabulary import LEAKAGE_PAIRS

WHOLE = drawn(6)


def curve(specimens):
    """The table for specimens given as (split, species, barcode); the genus is the first word of the species."""
    frame = pl.DataFrame(
        [(f"P-{n:03}", split, species, species and species.split()[0], "F", text)
         for n, (split, species, text) in enumerate(specimens)],
        schema=dict.fromkeys(("processid", "split", "species", "genus", "family", "dna_barcode"), pl.String),
        orient="row",
    )  # fmt: skip
    barcodes, ids = numbered(frame.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), 300)
    return leakage_curve(frame.join(ids, on="processid"), barcodes, 300)


def of(table, known, evaluated, within):
    chosen = (pl.col("known") == known) & (pl.col("evaluated") == evaluated) & (pl.col("within") == within)
    return table.row(by_predicate=chosen, named=True)


def test_barcodes_are_counted_by_the_distance_to_the_nearest_trained_one():
    table = curve(
        [
            ("train", "A a", WHOLE[0]),
            ("train", "A b", WHOLE[1]),
            ("test", "A a", WHOLE[0][:400]),  # the same barcode
            ("test", "A b", changed(WHOLE[0], 3, 9, 15)),  # near one of another species
            ("test", "B c", changed(WHOLE[1], *range(3, 3 + 3 * 20, 3))),  # 3 % off, another genus
            ("test", "A a", "ACGT" * 100),  # no place on the frame
            ("val", "A a", WHOLE[2]),
        ]
    )
    rows = {within: of(table, "train", "test", within) for within in WITHIN}
    assert [rows[within]["near"] for within in (0.0, 0.0025, 0.005, 0.02, 0.05, 1.0)] == [1, 1, 2, 2, 3, 3]
    assert {row["barcodes"] for row in rows.values()} == {4}
    last = rows[1.0]
    assert (last["near_share"], last["same_species"], last["same_genus"], last["same_family"]) == (0.75, 1, 2, 3)
    assert of(table, "train", "val", 1.0)["near"] == 1


def test_each_pair_of_partitions_has_each_distance():
    table = curve([])
    assert table.schema == LEAKAGE_CURVE_TABLE.schema()
    assert table.select("known", "evaluated", "within").rows() == [
        (*pair, within) for pair in LEAKAGE_PAIRS for within in WITHIN
    ]
    assert table["near"].sum() == 0
