"""Targets are the same numbers in every run, whatever the order in which species are counted."""

import numpy as np
import polars as pl

from bioscan_etl.splits.targets import review


def corpus():
    """Species of 400 different sizes, whose targets are fractions that no sum holds exactly."""
    species = pl.Series(np.repeat([f"Genus name{number}" for number in range(400)], np.arange(20, 420)))
    number = pl.Series(np.arange(len(species)))
    barcode = pl.Series(np.random.default_rng(0).choice(list("ACGT"), (len(species), 12)).tolist()).list.join("")
    return pl.DataFrame({"processid": number.cast(pl.String), "species": species, "dna_barcode": barcode})


def test_the_order_of_records_decides_no_digit():
    table = corpus()
    turn = pl.col("processid").cast(pl.Int64) % 10
    split = pl.when(turn == 0).then(pl.lit("val")).when(turn == 1).then(pl.lit("test")).otherwise(pl.lit("train"))
    partitions = table.select("processid", split=split)
    first = review(table, partitions)
    assert first.partitions["target_samples"].drop_nulls().sum() > 1_000
    for seed in range(10):
        again = review(table.sample(fraction=1, shuffle=True, seed=seed), partitions)
        assert again.partitions.equals(first.partitions)
        assert again.classes.equals(first.classes)
