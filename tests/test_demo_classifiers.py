"""The demo corpus carries a benchmark: neither trivial nor hopeless, and all is chance where pictures are dealt."""

import numpy as np
import pytest
from demo_classifiers import Barcodes, crops, distances, image_scores, labelled, left_out, plain_features

from bioscan_etl.demo.corpus import planned

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("specimens", "seed"), [(300, 0), (2000, 0), (2000, 1)])
def test_the_genus_of_a_species_left_out_is_neither_plain_nor_hidden(specimens, seed):
    barcodes = labelled(planned(specimens, seed)[0])
    right, common, count = left_out(barcodes)
    assert count > 70
    # A small corpus has few genera to take for another.
    assert 0.4 < right < (0.8 if specimens > 300 else 0.9)
    assert right > 1.5 * common
    shuffled, _, _ = left_out(barcodes, np.random.default_rng(0).permutation(barcodes.genus))
    assert shuffled < common


def test_distances_overlap_as_on_real_barcodes():
    barcodes = labelled(planned(2000, 0)[0])
    found = distances(barcodes, np.random.default_rng(0))
    assert found["species"] == pytest.approx([0.2, 0.8, 10.3], abs=1.5)
    assert found["genus"] == pytest.approx([11.2, 14.4, 17.2], abs=2)
    assert found["family"] == pytest.approx([14.0, 16.7, 20.1], abs=2)
    lengths = np.array([len(text) for text in barcodes.text])
    assert 400 <= lengths.min() < 500
    assert lengths.max() == 658


def test_neighbours_are_of_other_species_of_the_genus():
    # Two genera of two species, one of a single species: that one is no query.
    text = ["ACGTTGCA" * 60, "ACGTTGCA" * 59 + "A" * 8, "GGATCCTA" * 60, "GGATCCTA" * 59 + "T" * 8, "CCCATTTG" * 60]
    one = Barcodes(text, np.arange(5), np.array([0, 0, 1, 1, 2]), np.zeros(5, np.int64), np.ones(5, bool))
    assert left_out(one) == (1.0, 0.5, 4)
    assert left_out(one, np.array([1, 1, 0, 0, 2]))[0] == 0.0


def test_pictures_tell_the_order_and_their_barcode_and_dealt_ones_tell_nothing():
    draft, pictures, _ = planned(700, 0)
    shown = crops(draft, pictures, 0)
    features = plain_features(shown)
    scores = image_scores(features, shown.specimen, draft, np.random.default_rng(0))
    for task, times in (("image_to_image", 3), ("image_to_dna", 2)):
        right, chance = scores[task]
        assert right >= times * chance, task
    # Dealt several times: a single deal of 200 queries varies.
    dealt = [
        image_scores(features, shown.specimen, draft, np.random.default_rng(seed), shuffled=True) for seed in range(8)
    ]
    for task in scores:
        assert np.mean([one[task][0] for one in dealt]) == pytest.approx(
            np.mean([one[task][1] for one in dealt]), abs=0.06
        )
