"""What stands beside a number: subsets, controls, notes."""

import numpy as np
import polars as pl
import pytest
from evaluated_records import DIGEST, records

from bioscan_etl.evaluation.measured import Clock, Question, Sheet, stated_versions
from bioscan_etl.schema import EVALUATION

QUESTION = Question("barcodebert", "seen_species", "6-mers", ("test",), ("train",))


def sheet(seed=0):
    return Sheet(records([]), seed)


def row_of(table, subset="all", metric="top1_micro"):
    return table.row(by_predicate=(pl.col("subset") == subset) & (pl.col("metric") == metric), named=True)


def test_a_hand_worked_case():
    found = sheet()
    labels = np.array([0, 0, 1, -1])
    key_labels = np.array([0, 0, 1, -1])
    chosen = np.array([[0], [2], [2], [3]])
    found.answered(
        QUESTION,
        "species",
        labels,
        key_labels[chosen],
        key_labels,
        copies=np.array([True, False, False, True]),
        chosen=chosen,
        seconds=1.5,
    )
    table = found.table()
    EVALUATION.conform(table)
    everything = row_of(table)
    assert everything["value"] == pytest.approx(2 / 3)
    assert everything["majority"] == pytest.approx(2 / 3)
    assert (everything["n"], everything["classes"], everything["n_keys"], everything["cpu_seconds"]) == (3, 2, 4, 1.5)
    assert (everything["queries"], everything["keys"]) == ("test", "train")
    assert everything["digest"] == DIGEST
    assert everything["chance"] == pytest.approx((2 / 4 + 2 / 4 + 1 / 4) / 3)
    assert row_of(table, metric="top1_macro")["chance"] == pytest.approx((2 / 4 + 1 / 4) / 2)
    assert row_of(table, metric="top1_macro")["value"] == pytest.approx(0.75)
    assert row_of(table, metric="top1_macro")["majority"] == pytest.approx(0.5)
    assert row_of(table, "copies")["value"] == 1
    assert row_of(table, "rest")["value"] == pytest.approx(0.5)
    assert row_of(table, "copies")["n"] + row_of(table, "rest")["n"] == 3


def test_shuffled_labels_are_those_of_the_same_keys():
    rng = np.random.default_rng(0)
    key_labels = rng.integers(0, 5, 500)
    chosen = rng.integers(0, 500, (400, 1))
    found = sheet()
    found.answered(QUESTION, "genus", key_labels[chosen][:, 0], key_labels[chosen], key_labels, chosen=chosen)
    row = row_of(found.table())
    assert row["value"] == 1
    assert row["shuffled"] == pytest.approx(0.2, abs=0.03)
    assert row["shuffled"] == pytest.approx(row["chance"], abs=0.02)


def test_a_planted_leak_shows_in_the_control():
    """Answers that do not come from the labels of the keys: shuffling these changes nothing."""
    labels = np.arange(100) % 7
    found = sheet()
    found.answered(QUESTION, "genus", labels, labels[:, None], labels, shuffled=labels[:, None])
    assert row_of(found.table())["shuffled"] == 1


def test_a_missing_label_changes_the_rows_that_count_it_and_no_other():
    labels = np.array([0, 1, 1, 0])
    answers = labels[:, None]
    whole, lacking = sheet(), sheet()
    copies = np.array([True, False, False, False])
    whole.answered(QUESTION, "species", labels, answers, labels, copies=copies)
    lacking.answered(QUESTION, "species", np.array([-1, 1, 1, 0]), answers, labels, copies=copies)
    before, after = whole.table(), lacking.table()
    changed = before.join(after, on=["subset", "metric", "n"], how="anti")
    assert changed["subset"].unique().sort().to_list() == ["all", "copies"]
    assert row_of(after, "copies")["value"] is None
    assert row_of(after, "copies")["note"] == "not applicable, because no query's barcode is the same as a key's"


def test_several_answers():
    labels = np.array([0, 1])
    answers = np.array([[1, 0, 2], [2, 2, 2]])
    found = sheet()
    found.answered(QUESTION, "species", labels, answers, np.array([0, 1, 2]), ks=(1, 3, 5))
    values = {row["metric"]: row["value"] for row in found.table().iter_rows(named=True)}
    assert values["top1_micro"] == 0
    assert values["top3_micro"] == values["top5_macro"] == 0.5


def test_an_emptied_partition_is_a_note():
    nothing = np.empty(0, np.int64)
    found = sheet()
    found.answered(QUESTION, "species", nothing, nothing[:, None], np.array([0]), chosen=nothing[:, None])
    found.answered(QUESTION, "genus", np.array([0]), np.array([[-1]]), nothing, chosen=np.array([[-1]]))
    notes = found.table()["note"].unique(maintain_order=True).to_list()
    assert notes == [
        "not applicable, because there is no query with a label",
        "not applicable, because there is no key with a label",
    ]
    assert found.table()["value"].null_count() == found.table().height == 4


def test_clusters():
    found = sheet()
    question = Question("clustering", "cluster_records", "5-mers", ("test",), ())
    labels = np.array([0, 0, 0, 1, 1, 1, -1])
    found.clustered(question, "species", labels, np.array([4, 4, 4, 2, 2, 2, 9]))
    found.clustered(question, "order", np.zeros(7, np.int64), np.arange(7))
    one, other = found.table().iter_rows(named=True)
    assert one["value"] == pytest.approx(1)
    assert (one["n"], one["classes"], one["majority"], one["keys"]) == (6, 2, 0, "")
    assert one["shuffled"] < 0.5
    assert other["note"] == "not applicable, because 7 records have 1 label; two are needed"


def test_rows_of_a_task_are_together():
    found = sheet()
    first, second = (Question("barcodebert", task, "m", ("test",), ("train",)) for task in ("a", "b"))
    for question, rank in ((first, "genus"), (second, "genus"), (first, "species")):
        found.not_applicable(question, rank, "it is a test")
    assert found.table()["task"].to_list() == ["a", "a", "b"]


def test_time_adds_up_and_versions_are_stated():
    clock = Clock(1.0)
    with clock.running():
        sum(range(200_000))
    assert clock.seconds > 1
    assert "numpy 2" in stated_versions()
    assert stated_versions(("rapidfuzz",)).split(", ")[-1].startswith("rapidfuzz ")


def test_harmonic_means_of_two_sets_of_queries():
    held = sheet()
    keys = np.array([0, 0, 1, 2])
    for queries, answers in (("val", [0, 1, 1, 2]), ("val_unseen", [0, 0, 0, 0])):
        labels = np.array([0, 0, 1, 2])
        question = Question("retrieval", "t", "m", (queries,), ("train",))
        held.answered(question, "genus", labels, np.array(answers)[:, None], keys, seconds=1.5)
    both = Question("retrieval", "t", "m", ("harmonic mean",), ("train",))
    held.harmonic(both, "genus", ("val",), ("val_unseen",))
    row = row_of(held.table().filter(queries="harmonic mean"))
    assert row["value"] == pytest.approx(2 / (1 / 0.75 + 1 / 0.5))
    assert row["majority"] == 0.5
    assert (row["n"], row["classes"], row["n_keys"], row["cpu_seconds"]) == (8, 6, 4, 3)
    assert row["low"] < row["value"] < row["high"]


def test_a_harmonic_mean_needs_both_scores():
    held = sheet()
    for queries, n in (("val", 1), ("val_unseen", 0)):
        question = Question("retrieval", "t", "m", (queries,), ("train",))
        held.answered(question, "genus", np.zeros(n, np.int64), np.zeros((n, 1), np.int64), np.array([0]))
    both = Question("retrieval", "t", "m", ("harmonic mean",), ("train",))
    held.harmonic(both, "genus", ("val",), ("val_unseen",))
    row = row_of(held.table().filter(queries="harmonic mean"))
    assert row["value"] is None
    assert row["note"] == "not applicable, because there is no score for val_unseen"
