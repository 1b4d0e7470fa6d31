"""Wrong pairs: who carries whose picture or barcode, and what an ideal classifier then reaches."""

import numpy as np
import polars as pl
import pytest

from bioscan_etl.demo.corpus import planned, write_demo
from bioscan_etl.demo.sequences import as_text
from bioscan_etl.demo.wrong_pairs import ideal_scores, wrong_pairs


@pytest.fixture(scope="module", params=[(300, 0), (900, 3)])
def corpus(request):
    draft, pictures, _ = planned(*request.param)
    return draft, pictures


def _order(draft) -> np.ndarray:
    labels = draft.taxonomy
    return labels.order_of_family[labels.family_of_genus[labels.genus_of_cluster]][draft.cluster]


def test_a_share_of_pictures_is_exchanged_between_specimens_of_two_orders(corpus):
    draft, pictures = corpus
    order = _order(draft)
    assert len(draft.picture_of) == 2 * round(0.015 * len(draft.cluster))
    number = {name: at for at, name in enumerate(draft.specimens["processid"])}
    shown = {number[one.processid]: one.shown for one in pictures if one.processid and not one.fault}
    for specimen, owner in draft.picture_of.items():
        assert draft.picture_of[owner] == specimen
        assert order[owner] != order[specimen]
        assert shown[specimen] == owner


def test_a_share_of_barcodes_is_exchanged_with_their_bins_and_no_barcode_gets_two_labels(corpus):
    draft, _ = corpus
    assert 2 <= len(draft.barcode_of) <= 2 * round(0.0075 * len(draft.cluster))
    bins = draft.taxonomy.clusters["bin"]
    carriers = np.bincount(draft.haplotype, minlength=len(draft.barcodes))
    kinds = set()
    for specimen, owner in draft.barcode_of.items():
        assert draft.barcode_of[owner] == specimen
        assert draft.cluster[owner] != draft.cluster[specimen]
        assert carriers[draft.haplotype[specimen]] == 1
        assert draft.specimens["bin_uri"][specimen] == bins[int(draft.cluster[owner])]
        roles = {draft.taxonomy.clusters["role"][int(draft.cluster[one])] for one in (specimen, owner)}
        kinds |= roles
        if roles == {"seen"}:
            genus = draft.taxonomy.genus_of_cluster[draft.cluster[[specimen, owner]]]
            assert genus[0] == genus[1]
        else:
            assert _order(draft)[specimen] != _order(draft)[owner]
    assert kinds == {"seen", "dark"}


def test_the_truth_names_each_wrong_pair_and_what_is_carried(corpus):
    draft, _ = corpus
    pairs = wrong_pairs(draft)
    assert dict(pairs["part"].value_counts().iter_rows()) == {
        "image": len(draft.picture_of),
        "barcode": len(draft.barcode_of),
    }
    both = pairs.join(pairs, left_on=["processid", "part"], right_on=["of", "part"])
    assert both.height == pairs.height
    notes = {truth.row: truth.expected_value for truth in draft.truths if truth.kind == "wrong_barcode"}
    carried = as_text(draft.barcodes[draft.haplotype])
    assert notes == {specimen: carried[specimen] for specimen in draft.barcode_of}


def test_an_ideal_classifier_errs_on_wrong_pairs_only(corpus):
    draft, _ = corpus
    found = {(query, rank): (count, right) for query, rank, count, right, _ in ideal_scores(draft).iter_rows()}
    size = len(draft.cluster)
    assert found["image", "order"] == (size, size - len(draft.picture_of))
    count, right = found["dna", "species"]
    assert count == draft.taxonomy.clusters["species"].is_not_null().to_numpy()[draft.cluster].sum()
    named = [one for one in draft.barcode_of if draft.taxonomy.clusters["species"][int(draft.cluster[one])]]
    # A barcode of a cluster without a species says none.
    assert count - right == len(named) > 0
    assert found["dna", "genus"][1] <= found["dna", "genus"][0]
    both = len(
        draft.picture_of.keys()
        | {one for one in draft.barcode_of if _order(draft)[one] != _order(draft)[draft.barcode_of[one]]}
    )
    assert found["image_to_dna", "order"] == (size, size - both)


def test_the_corpus_is_written_with_both_tables(tmp_path):
    write_demo(tmp_path, 120, 1)
    pairs = pl.read_csv(tmp_path / "truth" / "pairs.csv")
    assert pairs.columns == ["processid", "part", "of"]
    assert pairs.filter(part="image").height == 4
    ideal = pl.read_csv(tmp_path / "truth" / "ideal.csv")
    assert ideal.columns == ["query", "rank", "specimens", "right", "share"]
    assert ideal.filter(query="image")["share"].to_list() == [116 / 120]
