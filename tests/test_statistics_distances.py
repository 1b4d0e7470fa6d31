"""Distances within groups: who is compared, and what is said of a group, a rank and a hundredth of the species."""

import polars as pl
import pytest
from framed_barcodes import drawn
from test_barcodes_check import real_barcodes

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.barcodes.placement import place
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.settings import StatisticsSettings
from bioscan_etl.statistics.definitions import (
    DISTANCE_BINS_TABLE,
    DISTANCE_LEVELS_TABLE,
    DISTANCES_TABLE,
    LEVELS,
)
from bioscan_etl.statistics.distances import distances

TRANSITION = str.maketrans("ACGT", "GTAC")
WHOLE = drawn(30)


def changed(text, *places):
    letters = list(text)
    for at in places:
        letters[at] = letters[at].translate(TRANSITION)
    return "".join(letters)


def measured(specimens, settings=None, least=300):
    """The tables for specimens given as (barcode, labels by level)."""
    frame = pl.DataFrame(
        [
            {"processid": f"P-{number:04}", "dna_barcode": text} | dict.fromkeys(LEVELS) | labels
            for number, (text, labels) in enumerate(specimens)
        ],
        schema={"processid": pl.String, "dna_barcode": pl.String, **dict.fromkeys(LEVELS, pl.String)},
    )
    barcodes, ids = numbered(frame.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), least)
    rows = frame.join(ids, on="processid")
    return distances(rows, *comparable(barcodes), settings or StatisticsSettings(), least)


def of_group(tables, level, group):
    return tables["distances"].row(by_predicate=(pl.col("level") == level) & (pl.col("group") == group), named=True)


CLOSE = [WHOLE[0], changed(WHOLE[0], 3), changed(WHOLE[0], 3, 9), changed(WHOLE[0], 3, 9, 15)]


def test_a_group_worked_out_by_hand():
    """Four barcodes in a row: distances of 1, 1, 1, 2, 2 and 3 columns of 658."""
    row = of_group(measured([(text, {"species": "A b"}) for text in CLOSE]), "species", "A b")
    assert (row["barcodes"], row["compared"], row["pairs"], row["left_out"]) == (4, 4, 6, 0)
    assert row["mean"] == pytest.approx(10 / 6 / 658)
    quartiles = ("minimum", "lower_quartile", "median", "upper_quartile", "maximum")
    assert [round(row[name] * 658) for name in quartiles] == [1, 1, 1, 2, 3]
    assert row["mean_k2p"] == pytest.approx(10 / 6 / 658, rel=0.01)
    assert row["mean_k2p"] > row["mean"]


def test_levels_are_means_of_groups():
    far = [(text, {"genus": "B", "species": f"B {number}"}) for number, text in enumerate(WHOLE[1:6])]
    tables = measured([*((text, {"genus": "A", "species": "A b"}) for text in CLOSE), *far])
    genera = tables["distance_levels"].row(by_predicate=pl.col("level") == "genus", named=True)
    means = [of_group(tables, "genus", name)["mean"] for name in "AB"]
    assert (genera["groups"], genera["too_small"], genera["pairs"]) == (2, 0, 16)
    assert genera["mean"] == pytest.approx(sum(means) / 2)
    assert genera["mean_of_625"] == pytest.approx(625 * sum(means) / 2)
    species = tables["distance_levels"].row(by_predicate=pl.col("level") == "species", named=True)
    assert (species["groups"], species["too_small"], species["pairs"]) == (1, 5, 6)


def test_a_group_is_of_distinct_barcodes_and_has_at_least_four():
    three = [(text, {"species": "A b"}) for text in [*CLOSE[:3], CLOSE[0]]]
    tables = measured(three)
    assert tables["distances"].filter(pl.col("level") == "species").is_empty()
    tables = measured(three, StatisticsSettings(min_group_barcodes=3))
    assert of_group(tables, "species", "A b")["barcodes"] == 3


def test_barcodes_in_doubt_are_not_compared_and_short_overlaps_are_left_out():
    specimens = [(text, {"species": "A b"}) for text in [*CLOSE, CLOSE[0][:350], CLOSE[0][308:], "ACGT" * 100]]
    row = of_group(measured(specimens), "species", "A b")
    assert (row["barcodes"], row["compared"]) == (6, 6)
    assert (row["pairs"], row["left_out"]) == (14, 1)


def test_of_a_large_group_some_are_chosen_by_their_letters_alone():
    settings = StatisticsSettings(max_group_barcodes=5)
    labels = {"family": "F", "species": "A b"}
    one = measured([(text, labels) for text in WHOLE[:12]], settings)
    row = of_group(one, "family", "F")
    assert (row["barcodes"], row["compared"], row["pairs"]) == (12, 5, 10)
    assert of_group(one, "species", "A b")["pairs"] == 66
    # More specimens of barcodes that are there, of another group, and in another order: the same five.
    more = [(text, labels) for text in [*reversed(WHOLE[:12]), WHOLE[3]]] + [(WHOLE[20], {"family": "G"})]
    assert of_group(measured(more, settings), "family", "F") == row
    other = measured([(text, labels) for text in WHOLE[:12]], settings.model_copy(update={"seed": 1}))
    assert of_group(other, "family", "F")["mean"] != row["mean"]


def test_bins_hold_hundredths_of_the_species_by_mean():
    specimens = []
    for number in range(120):
        text = changed(WHOLE[number % 30], 600 + number // 30)
        specimens += [(changed(text, *range(3, 3 + 3 * step * (1 + number % 7), 3)), {"species": f"A {number:03}"})
                      for step in range(4)]  # fmt: skip
    bins = measured(specimens)["distance_bins"]
    assert bins.height == 100
    assert (bins["groups"].sum(), bins["pairs"].sum()) == (120, 720)
    assert bins["x"].is_sorted()
    assert (bins["minimum"] <= bins["x"]).all()
    assert (bins["x"] <= bins["maximum"]).all()


def test_nothing_to_compare():
    tables = measured([])
    assert tables["distance_levels"]["groups"].to_list() == [0] * len(LEVELS)
    for name, table in (("distances", DISTANCES_TABLE), ("distance_bins", DISTANCE_BINS_TABLE)):
        assert tables[name].schema == table.schema()
        assert tables[name].is_empty()
    assert tables["distance_levels"].schema == DISTANCE_LEVELS_TABLE.schema()


def test_real_barcodes_twice(shared_data):
    """The same numbers again, whatever threads do."""
    texts = real_barcodes(shared_data).head(500)
    specimens = [(text, {"phylum": "P", "order": "AB"[number % 2]}) for number, text in enumerate(texts)]
    one, other = (measured(specimens) for _ in range(2))
    assert all(one[name].equals(other[name]) for name in one)
    assert place(texts)["doubt"].null_count() == of_group(one, "phylum", "P")["barcodes"]
