"""Which scores come first, and what they are called over releases."""

import polars as pl
import pytest
from evaluated_scores import NOT_APPLICABLE, ROW, scores

from bioscan_etl.evaluation.headline import BENCHMARK_TITLES, METRICS, RANKS, headline, score_name, title
from bioscan_etl.schema import EVALUATION_METRICS
from bioscan_etl.vocabulary import BENCHMARKS


def test_micro_and_ami_of_all_queries_come_first():
    retrieval = {"benchmark": "retrieval", "task": "dna_to_dna", "keys": "train + key_unseen", "rank": "order"}
    kept = [
        {"benchmark": "clustering", "task": "cluster_records", "metric": "ami"},
        {},
        {**retrieval, "queries": "test_unseen"},
    ]
    left_out = [
        {"subset": "copies"},
        {"subset": "rest"},
        {"metric": "top1_macro"},
        {"metric": "top3_micro"},
        {"model": "4-mers", **NOT_APPLICABLE},
        {**retrieval, "queries": "val_unseen"},
        {**retrieval, "queries": "harmonic mean of test and test_unseen"},
        {**retrieval, "queries": "test", "rank": "family"},
    ]
    assert headline(scores(*kept, *left_out)).equals(scores(*kept))


@pytest.mark.parametrize(("n", "classes", "shown"), [(100, 10, True), (99, 10, False), (100, 9, False)])
def test_few_unseen_barcodes_or_genera_are_no_headline(n, classes, shown):
    unseen = {"task": "unseen_genus", "queries": "test_unseen", "keys": "train"}
    found = headline(scores({**unseen, "n": n, "classes": classes}, {"n": 5, "classes": 2}))
    assert found["task"].to_list() == ["unseen_genus"] * shown + ["left_out_species"]


def test_every_benchmark_and_metric_has_a_name():
    assert BENCHMARK_TITLES.keys() == set(BENCHMARKS)
    assert RANKS.keys() == set(BENCHMARKS)
    assert METRICS.keys() == set(EVALUATION_METRICS)
    assert title("dna_to_dna") == "DNA to DNA"
    assert title("a_new_task") == "A new task"


def test_each_headline_score_has_a_name_of_its_own():
    retrieval = {"benchmark": "retrieval", "task": "dna_to_dna", "model": "5-mers", "keys": "train + key_unseen"}
    clusters = {"benchmark": "clustering", "task": "cluster_records", "metric": "ami", "keys": ""}
    rows = [
        {},
        {"model": "5-mers"},
        {"model": "6-mers, best 20 by edit distance"},
        {"model": "6-mers, best 20 by identity in the overlap"},
        *(
            {**retrieval, "queries": queries, "rank": rank}
            for queries in ("test", "val")
            for rank in ("genus", "order")
        ),
        {**clusters, "queries": "test + test_unseen"},
    ]
    names = [score_name(row) for row in scores(*rows).iter_rows(named=True)]
    assert len(set(names)) == len(names)
    assert names[0] == "left_out_species_6mers_genus"
    assert names[3] == "left_out_species_6mers_best_20_by_identity_in_the_overlap_genus"
    assert names[4] == "dna_to_dna_5mers_genus_test_in_train_key_unseen"
    assert names[-1] == "cluster_records_6mers_genus_test_test_unseen"


def test_a_name_of_a_score_depends_on_no_number():
    assert score_name(ROW) == score_name({**ROW, "value": 0.1, "n": 7, "release": "tiny v2", "seed": 4})
    assert score_name({**ROW, "model": "my\n[weights]|\x1b"}) == "left_out_species_my_weights_genus"


def test_no_score_is_no_headline():
    assert headline(scores({**NOT_APPLICABLE})).height == 0
    assert isinstance(headline(scores({})), pl.DataFrame)
