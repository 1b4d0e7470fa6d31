"""Shortcuts: planted cues are found, cues without meaning are not, and what is missing is said."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from evaluation_rows import records

from bioscan_etl.evaluation import shortcuts
from bioscan_etl.evaluation.images import ImageVectors
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.records import NO_LABEL
from bioscan_etl.schema import EVALUATION_DOUBTS

NUMBERS = np.tile(np.arange(4), 30)


def release(**columns: list):
    """Four species, 20 records each in train and 10 in test; nothing beside them says anything."""
    split = ["train"] * 80 + ["test"] * 40
    given = {
        "split": split,
        "genus": [f"Genus{number // 2}" for number in NUMBERS],
        "species": [f"Genus{number // 2} sp{number}" for number in NUMBERS],
        "country": ["Kenya"] * 120,
        "area_fraction": [0.5] * 120,
        "scale_factor": [1.0] * 120,
        "chunk": [""] * 120,
        **columns,
    }
    return records(given, packages=("cropped_256",))


def pictures(colours: np.ndarray, sizes: np.ndarray | None = None, places: np.ndarray | None = None) -> ImageVectors:
    n = len(colours)
    sizes = np.ones((n, 2)) if sizes is None else sizes
    places = np.arange(n) if places is None else places
    features = np.ones((n, 4), np.float16)
    return ImageVectors("means", places, features, colours.astype(np.float32), sizes.astype(np.float32), (), 1.0)


def table(held, images=None) -> pl.DataFrame:
    sheet = Sheet(held, 0)
    shortcuts.measure(held, sheet, images=images)
    return sheet.table().filter(subset="all", metric="top1_micro")


def values(found: pl.DataFrame, rank: str = "species") -> dict[str, float | None]:
    return dict(found.filter(rank=rank).select("model", "value").iter_rows())


def test_the_commonest_label_of_a_value_by_hand():
    held, labels = np.array([0, 0, 0, 1, 1, NO_LABEL]), np.array([2, 1, 2, 3, 1, 3])
    # Value 0 says 2; of value 1, 1 and 3 are equally common, so the first; without a value, the commonest of all is 1.
    asked = np.array([0, 1, NO_LABEL, 7])
    assert shortcuts.commonest_of_value(asked, held, labels).tolist() == [2, 1, 1, 1]
    none = np.zeros(0, np.int64)
    assert shortcuts.commonest_of_value(asked, none, none).tolist() == [NO_LABEL] * 4


def test_the_nearest_in_numbers_by_hand():
    held, labels = np.array([[0.0], [10.0], [np.nan]]), np.array([5, 6, 5])
    asked = np.array([[4.0], [6.0], [np.nan]])
    assert shortcuts.nearest_in_numbers(asked, held, labels).tolist() == [5, 6, 5]


def test_a_planted_province_is_a_shortcut_and_no_other_cue_is():
    found = table(release(province_state=[f"P{number}" for number in NUMBERS]))
    scores = values(found)
    assert scores["province"] == 1
    assert scores["country"] == scores["batch"] == scores["date"] == 0.25
    assert scores["all cues"] == 1
    row = found.filter(model="province", rank="species")
    assert row["majority"][0] == 0.25
    assert row["shuffled"][0] < 0.6
    assert row["n_keys"][0] == 80


def test_a_planted_colour_is_a_shortcut():
    draws = np.random.default_rng(0)
    colours = 50.0 * NUMBERS[:, None] + draws.random((120, 3))
    scores = values(table(release(), pictures(colours)))
    assert scores["mean colour"] == 1
    assert scores["image size"] < 0.5
    assert scores["all cues"] == 1


def test_a_planted_size_tells_the_genus_only():
    sizes = np.stack([256 + 10.0 * (NUMBERS // 2), np.full(120, 256.0)], axis=1)
    found = table(release(), pictures(np.ones((120, 3)), sizes))
    assert values(found, "genus")["image size"] == 1
    assert values(found, "species")["image size"] <= 0.5


def test_all_cues_take_the_nearest_in_colour_of_those_that_agree():
    # Species 0 and 1 have one colour, 2 and 3 another; the countries tell the two of a colour apart.
    country = [f"C{number % 2}" for number in NUMBERS]
    colours = 100.0 * np.repeat((NUMBERS // 2)[:, None], 3, axis=1)
    scores = values(table(release(country=country), pictures(colours)))
    assert scores["all cues"] == 1
    assert scores["country"] == scores["mean colour"] == 0.5


def test_without_images_their_cues_are_not_applicable():
    found = table(release())
    scores = values(found)
    assert scores["image size"] is scores["mean colour"] is None
    note = found.filter(model="mean colour")["note"].unique().to_list()
    assert note == ["not applicable, because images were left out of this run"]
    assert scores["all cues"] == 0.25


def test_an_image_that_is_missing_falls_back_to_the_commonest_label():
    colours = 50.0 * np.repeat(NUMBERS[:, None], 3, axis=1)
    places = np.where(np.arange(120) < 100, np.arange(120), NO_LABEL)
    scores = values(table(release(), pictures(colours, places=places)))
    assert scores["mean colour"] == pytest.approx((20 + 5) / 40)


def test_an_emptied_partition_is_not_applicable():
    held = release()
    for split in ("test", "train"):
        rows = held.rows.filter(pl.col("split") != split)
        found = table(replace(held, rows=rows))
        assert found["value"].null_count() == found.height > 0
        assert found["note"].str.starts_with("not applicable, because ").all()


def test_a_missing_label_does_not_count():
    species = [f"Genus{number // 2} sp{number}" for number in NUMBERS]
    species[0] = species[-1] = None
    row = table(release(species=species)).filter(model="country", rank="species")
    assert (row["n"][0], row["n_keys"][0]) == (39, 79)


def test_labels_against_neighbours_stand_beside_the_scores():
    held = release()
    found = shortcuts.measure(held, Sheet(held, 0))
    assert found[shortcuts.DOUBTS].schema == EVALUATION_DOUBTS.schema()
    assert found[shortcuts.REPORTS].is_empty()
