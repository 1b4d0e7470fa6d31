"""Tasks of BarcodeBERT on small releases."""

import numpy as np
import polars as pl
import pytest
from evaluated_records import records
from framed_barcodes import drawn
from test_statistics_distances import changed

from bioscan_etl.evaluation.barcodebert import measure, tasks
from bioscan_etl.evaluation.budget import Budget
from bioscan_etl.evaluation.checks import leaks
from bioscan_etl.evaluation.measured import RETRAINED, Sheet

ROOTS = drawn(4)


def near(root, number, step):
    """A barcode that differs from a root in some third bases."""
    rng = np.random.default_rng(number)
    return changed(ROOTS[root], *sorted((3 * rng.choice(219, step, replace=False) + 3).tolist()))


def specimens():
    """Two genera with two species each in train and test, and an unseen species of each genus."""
    rows = []
    for genus, species, split, count in (
        *((genus, species, "train", 5) for genus in "AB" for species in "ab"),
        *((genus, species, "test", 2) for genus in "AB" for species in "ab"),
        *((genus, "c", "test_unseen", 3) for genus in "AB"),
    ):
        for _ in range(count):
            number = len(rows)
            root = "AB".index(genus)
            barcode = changed(
                near(root, ord(species), 30), *((3 * np.random.default_rng(number).choice(219, 3) + 3).tolist())
            )
            rows.append(
                {
                    "split": split,
                    "genus": genus,
                    "species": f"{genus} {species}",
                    "dna_barcode": barcode,
                }
            )
    return rows


def measured(rows, budget=None, seed=0):
    found = records(rows)
    sheet = Sheet(found, seed)
    measure(found, sheet, budget=budget)
    return sheet.table()


def score(table, task, model, subset="all", metric="top1_micro", column="value"):
    chosen = {"task": task, "model": model, "subset": subset, "metric": metric}
    rows = table.filter(*(pl.col(name) == value for name, value in chosen.items()))
    assert rows.height == 1, chosen
    return rows[column].item()


@pytest.fixture(scope="module")
def table():
    return measured(specimens())


MODELS = (
    "4-mers",
    "5-mers",
    "6-mers",
    "6-mers, best 20 by edit distance",
    "6-mers, best 20 by identity in the overlap",
)


@pytest.mark.parametrize("model", MODELS)
def test_easy_barcodes_are_answered(table, model):
    assert score(table, "seen_species", model) == 1
    assert score(table, "unseen_genus", model) == 1
    assert score(table, "left_out_species", model) == 1
    assert score(table, "seen_species", model, column="shuffled") < 0.6


def test_a_classifier_is_asked_for_species(table):
    assert score(table, "seen_species", "logistic regression on 4-mers") == 1
    assert score(table, "seen_species", "logistic regression on 4-mers", column="shuffled") < 0.8


def test_who_is_asked():
    rows = [
        *specimens(),
        {"split": "pretrain", "genus": "A", "dna_barcode": ROOTS[2]},
        {"split": "train", "genus": "C", "species": "C a", "dna_barcode": ROOTS[3]},  # no other species of the genus
        {"split": "train", "genus": "A", "species": "A a", "dna_barcode": specimens()[0]["dna_barcode"] + "NN"},
    ]
    unseen, seen, left_out = tasks(records(rows))
    assert (len(unseen.queries), len(unseen.keys)) == (6, 21)
    assert (len(seen.queries), len(seen.keys)) == (8, 21)
    assert (len(left_out.queries), len(left_out.keys)) == (34, 35)
    assert left_out.is_left_out
    assert not any(task.is_drawn for task in (unseen, seen, left_out))


def test_a_species_that_is_left_out_is_not_met(table):
    """Nearest barcodes are of the own species: were they met, a genus of one species would be answered."""
    rows = [row | {"genus": row["species"]} for row in specimens() if row["split"] == "train"]
    found = measured([*rows, rows[0] | {"species": "A z", "dna_barcode": ROOTS[3]}])
    assert score(found, "left_out_species", "6-mers", column="n") == 6
    assert score(found, "left_out_species", "6-mers") == pytest.approx(0, abs=0.2)


def test_a_copy_moves_from_rest_to_copies(table):
    rows = specimens()
    test = next(row for row in rows if row["split"] == "test")
    leaked = measured([*rows, test | {"split": "train", "dna_barcode": test["dna_barcode"][60:600]}])
    assert score(table, "seen_species", "6-mers", "copies", column="n") == 0
    assert score(leaked, "seen_species", "6-mers", "copies", column="n") == 1
    assert score(leaked, "seen_species", "6-mers", "rest", column="n") == 7
    assert score(leaked, "unseen_genus", "6-mers", "copies", column="n") == 0


def test_an_emptied_partition_is_not_applicable(table):
    found = measured([row for row in specimens() if row["split"] != "test_unseen"])
    unseen = found.filter(pl.col("task") == "unseen_genus")
    assert unseen["value"].null_count() == unseen.height > 0
    assert unseen["note"].str.starts_with("not applicable, because ").all()
    kept = ["task", "model", "subset", "metric", "value", "low", "high", "n"]
    seen = pl.col("task") == "seen_species"
    assert found.filter(seen).select(kept).equals(table.filter(seen).select(kept))


def test_an_empty_release_has_no_score():
    found = measured([])
    assert found.height > 0
    assert found["value"].null_count() == found.height


def test_queries_that_do_not_fit_are_drawn_and_said():
    found = measured(specimens(), Budget(1e-9))
    rows = found.filter(pl.col("model") == "6-mers", pl.col("subset") == "all", pl.col("task") == "left_out_species")
    assert rows["n"].to_list() == [1, 1]
    assert rows["note"][0] == "1 of 34 queries, drawn to fit --budget"
    classifier = found.filter(pl.col("model").str.starts_with("logistic"))
    assert classifier["note"][0].endswith("raise --budget")


def test_few_species_raise_no_false_alarm():
    """One classifier answers all queries of a species alike, so one that learnt shuffled labels is right by luck."""
    asked = [measured(specimens(), seed=seed) for seed in range(4)]
    assert all(leaks(table).passed for table in asked)
    model = "logistic regression on 4-mers"
    controls = {score(table, "seen_species", model, column="shuffled") for table in asked}
    assert all(control * 8 * RETRAINED == pytest.approx(round(control * 8 * RETRAINED)) for control in controls)


def test_the_same_seed_gives_the_same_numbers(table):
    timeless = pl.exclude("cpu_seconds")
    assert measured(specimens()).select(timeless).equals(table.select(timeless))
    other = measured(specimens(), seed=1)
    assert other["value"].equals(table["value"])
    assert not other["shuffled"].equals(table["shuffled"])
