"""Leakage: planted fragments of trained barcodes in evaluation partitions, and none where there is none."""

import polars as pl
import pytest
from framed_barcodes import drawn

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.errors import InvariantError
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.splits.leakage import LEAKAGE, leakage, leaking

TRAINED, TESTED, OTHER, KEY = drawn(4)


def counted(*rows: tuple[str | None, str]) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    ids = [f"P{number:03d}" for number in range(len(rows))]
    table = pl.LazyFrame(
        {"processid": ids, "dna_barcode": [row[0] for row in rows]}, schema_overrides={"dna_barcode": pl.String}
    )
    partitions = pl.DataFrame({"processid": ids, "split": [row[1] for row in rows]})
    found = leakage(*numbered(table, PLACEMENTS.empty().lazy(), 300), partitions, 300)
    assert found.schema == LEAKAGE
    return {(row[0], row[1]): row[2:] for row in found.rows()}


def test_a_fragment_of_a_trained_barcode_leaks_and_another_barcode_does_not():
    found = counted(
        (TRAINED, "train"),
        (TRAINED[100:500], "test"),
        (TRAINED[100:500], "test"),
        (TESTED, "test"),
        (OTHER, "val"),
        (OTHER[:400], "train"),
        (None, "pretrain"),
    )
    assert found["train", "test"] == (2, 1, 3, 2)
    assert found["train", "val"] == (1, 1, 1, 1)
    assert found["key_unseen", "test_unseen"] == (0, 0, 0, 0)


def test_a_barcode_in_two_partitions_is_the_same_as_itself():
    """No protocol does it, but partitions of other origin may."""
    found = counted((TRAINED, "train"), (TRAINED, "test"), (TRAINED, "test"), (OTHER, "test"))
    assert found["train", "test"] == (2, 1, 3, 2)
    assert counted((OTHER[:200], "train"), (OTHER[:200], "val"))["train", "val"] == (1, 1, 1, 1)


def test_only_the_partition_that_teaches_counts():
    """A query of unseen species is compared with the key, and one of seen species with train."""
    found = counted((KEY, "key_unseen"), (KEY[50:], "test_unseen"), (KEY[:500], "test"), (TRAINED, "pretrain"))
    assert found["key_unseen", "test_unseen"] == (1, 1, 1, 1)
    assert found["train", "test"] == (1, 0, 1, 0)


def test_tables_of_different_specimens_are_refused():
    table = pl.LazyFrame({"processid": ["A"], "dna_barcode": [TRAINED]})
    barcodes, ids = numbered(table, PLACEMENTS.empty().lazy(), 300)
    with pytest.raises(InvariantError, match="different specimens"):
        leakage(barcodes, ids, pl.DataFrame({"processid": ["B"], "split": ["train"]}), 300)


def test_the_specimens_that_leak_are_named():
    ids = ["A", "B", "C", "D"]
    table = pl.LazyFrame({"processid": ids, "dna_barcode": [TRAINED, TRAINED[90:], TESTED, TRAINED[:500]]})
    partitions = pl.DataFrame({"processid": ids, "split": ["train", "test", "test", "val"]})
    found = leaking(*numbered(table, PLACEMENTS.empty().lazy(), 300), partitions, 300)
    assert found.rows() == [("B", "test", "train"), ("D", "val", "train")]
