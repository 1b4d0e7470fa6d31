"""Retrieval: the nearest records by hand and by a slow search, planted pairs and shuffled ones, what is missing."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from evaluation_rows import records
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.evaluation import retrieval
from bioscan_etl.evaluation.images import ImageVectors
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.records import NO_LABEL
from bioscan_etl.evaluation.search import Stored

LETTERS = np.array(list("ACGT"))


def looking(vectors: list, ids: list) -> retrieval.Looking:
    stored = Stored(np.float32(vectors))
    return retrieval.Looking("dna_to_dna", "k", stored, stored, np.array(ids), np.array(ids), stored.vectors.shape[1])


def test_a_found_barcode_stands_for_its_records_in_the_order_of_the_release():
    # Rows 0 to 4 are keys: barcodes 1, 0, 1, 2, 0. Row 5 asks with barcode 2, which lies beside barcode 0.
    model = looking([[1, 0], [0, 1], [1, 0.1]], [1, 0, 1, 2, 0, 2])
    found = retrieval.nearest_records(model, np.array([5]), np.arange(5), 5)
    assert found.tolist() == [[3, 1, 4, 0, 2]]


def test_fewer_keys_than_asked_for_leave_blanks():
    model = looking([[1, 0], [0, 1]], [0, 1, 0])
    assert retrieval.nearest_records(model, np.array([2]), np.arange(2), 4).tolist() == [[0, 1, -1, -1]]
    assert retrieval.nearest_records(model, np.array([2]), np.arange(0), 2).tolist() == [[-1, -1]]
    assert retrieval.nearest_records(model, np.arange(0), np.arange(2), 2).shape == (0, 2)


@given(st.integers(0, 10_000))
def test_records_are_those_of_a_search_over_all_records(seed):
    draws = np.random.default_rng(seed)
    vectors = draws.normal(size=(6, 4))
    ids = draws.integers(0, 6, 20)
    model = looking(vectors, ids)
    keys, queries = np.arange(14), np.arange(14, 20)
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    similar = np.round(unit[ids[queries]] @ unit[ids[keys]].T, 5)
    first = {barcode: int(np.flatnonzero(ids[keys] == barcode)[0]) for barcode in set(ids[keys].tolist())}
    slow = [
        sorted(keys.tolist(), key=lambda key, row=row: (-similar[row, key], first[int(ids[key])], key))[:5]
        for row in range(len(queries))
    ]
    assert retrieval.nearest_records(model, queries, keys, 5).tolist() == slow


SPLITS = ("train", "val", "test", "key_unseen", "val_unseen", "test_unseen")


def release(per_species: int = 6):
    """Six seen species in train, val and test, two unseen ones; each of its own genus, in one of two orders."""
    draws = np.random.default_rng(0)
    rows = []
    for number in range(8):
        text = "".join(draws.choice(LETTERS, 400))
        splits = SPLITS[:3] if number < 6 else SPLITS[3:]
        for split in splits:
            for _ in range(per_species if split in retrieval.KEYS else 3):
                at = int(draws.integers(0, 399))
                rows.append((split, number, text[:at] + str(draws.choice(LETTERS)) + text[at + 1 :]))
    held = records(
        {
            "split": [split for split, _, _ in rows],
            "species": [f"Genus{number} species" for _, number, _ in rows],
            "genus": [f"Genus{number}" for _, number, _ in rows],
            "family": [f"Family{number}" for _, number, _ in rows],
            "order": [f"Order{number % 2}" for _, number, _ in rows],
            "dna_barcode": [barcode for _, _, barcode in rows],
            "area_fraction": [0.5] * len(rows),
            "chunk": [""] * len(rows),
        },
        packages=("cropped_256",),
    )
    return held, np.array([number for _, number, _ in rows])


def pictures(numbers: np.ndarray, *, known: bool = True) -> ImageVectors:
    """Images that show the species, with noise."""
    n = len(numbers)
    draws = np.random.default_rng(1)
    features = draws.normal(size=(8, 16))[numbers] + 0.1 * draws.normal(size=(n, 16))
    places = np.arange(n) if known else np.full(n, NO_LABEL)
    kept = features.astype(np.float16), np.zeros((n, 3), np.float32), np.zeros((n, 2), np.float32)
    return ImageVectors("means", places, *kept, (), 1.0)


def table(held, images=None, **options) -> pl.DataFrame:
    sheet = Sheet(held, 0)
    retrieval.measure(held, sheet, images=images, **options)
    return sheet.table()


@pytest.fixture(scope="module")
def scores():
    held, numbers = release()
    return table(held, pictures(numbers))


def value(scores: pl.DataFrame, **where) -> float:
    found = scores.filter(subset="all", metric="top1_micro").filter(**where)
    assert found.height == 1
    return found["value"][0]


def test_planted_species_are_found_by_barcode_and_by_image(scores):
    for task in ("dna_to_dna", "image_to_image"):
        for queries in ("val", "test", "val_unseen", "test_unseen"):
            assert value(scores, task=task, queries=queries, rank="species") == 1


def test_a_map_that_is_learnt_from_pairs_leads_from_images_to_barcodes(scores):
    model = "{} (means, 5-mers)"
    how = {"task": "image_to_dna", "queries": "test", "rank": "species"}
    assert value(scores, model=model.format("aligned by ridge regression"), **how) == 1
    assert value(scores, model=model.format("unaligned"), **how) < 0.6
    assert value(scores, model=model.format("aligned on shuffled pairs"), **how) < 0.6


def test_keys_are_all_keys_for_seen_and_unseen_queries(scores):
    assert scores["keys"].unique().to_list() == ["train + key_unseen"]
    assert scores["n_keys"].unique().to_list() == [6 * 6 + 2 * 6]
    assert scores.filter(queries="test", task="dna_to_dna", subset="all")["n"].unique().to_list() == [18]


def test_every_answer_is_counted_among_one_three_and_five_over_queries_and_labels(scores):
    found = scores.filter(task="dna_to_dna", queries="test", rank="genus", subset="all")
    assert found["metric"].to_list() == [f"top{k}_{average}" for k in (1, 3, 5) for average in ("micro", "macro")]
    assert found["classes"].to_list() == [6] * 6


def test_the_harmonic_mean_of_seen_and_unseen(scores):
    model = "unaligned (means, 5-mers)"
    for metric in ("top1_micro", "top5_macro"):
        rows = scores.filter(model=model, rank="order", subset="all", metric=metric)
        seen, unseen, both = (
            rows.filter(queries=queries).row(0, named=True)
            for queries in ("test", "test_unseen", "harmonic mean of test and test_unseen")
        )
        assert both["value"] == pytest.approx(2 / (1 / seen["value"] + 1 / unseen["value"]))
        assert both["n"] == seen["n"] + unseen["n"]
        assert both["low"] <= both["value"] <= both["high"]


def test_shuffled_labels_of_the_keys_leave_chance(scores):
    rows = scores.filter(subset="all", metric="top1_micro", rank="species", queries="test", task="dna_to_dna")
    assert rows["shuffled"][0] < 0.4
    assert rows["majority"][0] == pytest.approx(1 / 6)


def test_the_note_says_how_a_map_was_fitted(scores):
    notes = scores.filter(model="aligned by ridge regression (means, 5-mers)", queries="test")["note"]
    assert notes[0].startswith("fitted on 36 pairs of train, penalty ")
    assert notes[0].endswith(" of least error on val")


def test_a_missing_label_does_not_count(scores):
    held, _ = release()
    at = int(held.of(("test",))[0])
    rows = held.rows.with_columns(
        species=pl.when(pl.int_range(pl.len()) != at).then("species"),
    )
    changed = table(replace(held, rows=rows)).filter(task="dna_to_dna", queries="test", subset="all")
    assert changed.filter(rank="species")["n"].unique().to_list() == [17]
    assert changed.filter(rank="genus")["n"].unique().to_list() == [18]


def test_an_emptied_partition_changes_its_own_rows_only(scores):
    held, numbers = release()
    rows = held.rows.with_columns(
        split=pl.when(pl.col("split") == "test_unseen").then(pl.lit("other_heldout")).otherwise("split")
    )
    emptied = table(replace(held, rows=rows), pictures(numbers))
    where = pl.col("queries").str.contains("test_unseen")
    assert emptied.filter(where, pl.col("value").is_not_null()).is_empty()
    said = emptied.filter(where, subset="all")["note"].unique().sort().to_list()
    assert said == [
        "not applicable, because there is no query with a label",
        "not applicable, because there is no score for test_unseen",
    ]
    columns = ["task", "model", "queries", "rank", "subset", "metric", "value", "low", "high", "n", "n_keys"]
    assert emptied.filter(~where).select(columns).equals(scores.filter(~where).select(columns))


def test_without_images_their_tasks_are_not_applicable():
    held, numbers = release()
    for images, why in ((None, "images were left out of this run"), (False, "no image of the release can be read")):
        seen = None if images is None else pictures(numbers, known=False)
        found = table(held, seen).filter(pl.col("task") != "dna_to_dna")
        assert found["task"].unique().sort().to_list() == ["image_to_dna", "image_to_image"]
        assert set(found["note"]) == {f"not applicable, because {why}"}


def test_without_pairs_of_train_there_is_no_map():
    held, numbers = release()
    rows = held.rows.with_columns(split=pl.col("split").replace("train", "other_heldout"))
    found = table(replace(held, rows=rows), pictures(numbers)).filter(task="image_to_dna")
    assert set(found["note"]) == {"not applicable, because no specimen of train has an image and a barcode"}


def test_without_pairs_of_val_the_penalty_is_fixed():
    held, numbers = release()
    rows = held.rows.with_columns(split=pl.col("split").replace("val", "other_heldout"))
    found = table(replace(held, rows=rows), pictures(numbers))
    note = found.filter(model="aligned by ridge regression (means, 5-mers)", queries="test")["note"][0]
    assert note == "fitted on 36 pairs of train, penalty 0.3, fixed"


def test_queries_are_drawn_to_fit_a_budget_and_that_is_stated():
    from bioscan_etl.evaluation.budget import Budget

    held, _ = release()
    one, other = (table(held, budget=Budget(1e-4, 0)) for _ in range(2))
    drawn = one.filter(task="dna_to_dna", queries="test", rank="species", subset="all")
    assert drawn["n"][0] < 18
    assert drawn["note"][0] == f"{drawn['n'][0]} of 18 queries, drawn to fit --budget"
    assert one.drop("cpu_seconds").equals(other.drop("cpu_seconds"))
