"""What benchmarks will cost."""

import pytest
from framed_barcodes import drawn

from bioscan_etl import schema
from bioscan_etl.evaluation.budget import Budget
from bioscan_etl.evaluation.estimate import ESTIMATE, READING, estimate, in_words
from bioscan_etl.evaluation.images import PACKAGE, SECONDS
from bioscan_etl.evaluation.records import READ, records_of
from bioscan_etl.vocabulary import BENCHMARKS

import polars as pl  # isort: skip


def records(per_split: int = 3, pictured: bool = True):
    """Two species of a genus in each partition; half of them with an image."""
    splits = ("train", "test", "val", "test_unseen", "val_unseen", "key_unseen", "pretrain")
    rows = [
        {
            "processid": f"{split}-{number}",
            "split": split,
            "genus": "Aedes",
            "species": f"Aedes {'ab'[number % 2]}",
            "area_fraction": 0.2 if pictured and number % 2 else None,
        }
        for split in splits
        for number in range(per_split)
    ]
    for row, barcode in zip(rows, drawn(len(rows)), strict=True):
        row["dna_barcode"] = barcode
    types = {name: schema.METADATA_EXTENDED[name].dtype for name in READ}
    return records_of(
        pl.DataFrame(rows, schema=types), root=None, release="tiny v1", digest="0" * 64, packages=(PACKAGE,)
    )


def by_name(found):
    return {row["benchmark"]: row for row in found.iter_rows(named=True)}


def test_every_benchmark_has_an_estimate():
    found = estimate(records(), BENCHMARKS, Budget())
    assert found.schema == ESTIMATE
    assert found["benchmark"].to_list() == [READING, *BENCHMARKS]
    assert (found["cpu_minutes"] > 0).all()


def test_queries_keys_and_images_are_counted():
    found = by_name(estimate(records(4), BENCHMARKS, Budget()))
    # The images of train, the four evaluated partitions and key_unseen are read once for all benchmarks.
    assert (found[READING]["keys"], found[READING]["images"]) == (28, 12)
    assert all(found[name]["images"] == 0 for name in BENCHMARKS)
    # test_unseen in train, test in train, and all 28 labelled barcodes among themselves.
    assert (found["barcodebert"]["queries"], found["barcodebert"]["keys"]) == (4 + 4 + 28, 28)
    assert (found["clustering"]["queries"], found["clustering"]["keys"]) == (8, 0)
    assert (found["retrieval"]["queries"], found["retrieval"]["keys"]) == (16, 8)
    assert (found["shortcuts"]["queries"], found["shortcuts"]["keys"]) == (4, 4)


def test_images_cost_what_one_was_measured_to_cost():
    without = by_name(estimate(records(4, pictured=False), BENCHMARKS, Budget()))[READING]
    found = by_name(estimate(records(4), BENCHMARKS, Budget()))[READING]
    assert without["images"] == 0
    assert 60 * (found["cpu_minutes"] - without["cpu_minutes"]) == pytest.approx(12 * SECONDS)
    assert by_name(estimate(records(4), ["barcodebert"], Budget()))[READING]["images"] == 0
    assert SECONDS <= 0.09  # spec: benchmarks, Measured


def test_more_records_cost_more_and_never_more_than_the_budget():
    few, many = (by_name(estimate(records(size), BENCHMARKS, Budget())) for size in (2, 12))
    assert all(many[name]["cpu_minutes"] > few[name]["cpu_minutes"] for name in (READING, *BENCHMARKS))
    # Images are read whatever the budget is.
    small = by_name(estimate(records(12, pictured=False), BENCHMARKS, Budget(seconds=1e-3)))
    assert all(small[name]["cpu_minutes"] <= 1e-3 / 60 for name in ("clustering", "retrieval", "shortcuts"))
    assert small["barcodebert"]["queries"] < many["barcodebert"]["queries"]


def test_a_release_without_evaluated_records_costs_almost_nothing():
    found = estimate(records(0), BENCHMARKS, Budget())
    assert found["queries"].to_list() == [0] * 5
    assert found["images"].sum() == 0
    assert found["cpu_minutes"].sum() < 0.01


def test_networks_cost_the_minutes_that_they_are_given():
    plain, trained = (by_name(estimate(records(), BENCHMARKS, Budget(), minutes)) for minutes in (0.0, 7.0))
    more = {name: trained[name]["cpu_minutes"] - plain[name]["cpu_minutes"] for name in (READING, *BENCHMARKS)}
    assert more == pytest.approx({READING: 0, "barcodebert": 7, "clustering": 0, "retrieval": 7, "shortcuts": 0})


def test_the_estimate_in_words():
    frame = estimate(records(4), ["barcodebert", "clustering"], Budget())
    reading, barcodebert, clustering, total = in_words(frame)
    assert reading == "reading 28 distinct barcodes and 12 images: about 0.0 processor minutes"
    assert barcodebert.endswith(" processor minutes, 36 queries, 28 keys")
    assert clustering.endswith(", 8 queries, 0 keys")
    assert total.startswith("all: about ")
