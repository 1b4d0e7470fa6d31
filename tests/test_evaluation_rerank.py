"""Candidates in the order of their overlap and of their edits."""

import numpy as np
from evaluated_records import records
from framed_barcodes import drawn, noise
from test_statistics_distances import changed

from bioscan_etl.evaluation.rerank import by_edits, by_overlap

WHOLE = drawn(3)


def ids(found, barcodes):
    return np.array([found.barcodes.to_list().index(barcode) for barcode in barcodes])


def test_a_fragment_is_nearer_in_its_overlap_and_farther_by_edits():
    query = WHOLE[0]
    fragment, near = changed(query, 200)[100:600], changed(query, *range(3, 60, 3))
    found = records([{"split": "train", "species": "A a", "dna_barcode": text} for text in (query, fragment, near)])
    asked, candidates = ids(found, [query]), ids(found, [near, fragment])[None, :]
    assert by_overlap(found, asked, candidates).tolist() == candidates[:, ::-1].tolist()
    assert by_edits(found.barcodes, asked, candidates).tolist() == candidates.tolist()


def test_equal_candidates_keep_their_order_and_missing_ones_are_last():
    query, one, other = WHOLE[0], changed(WHOLE[0], 100), changed(WHOLE[0], 200)
    found = records([{"split": "train", "species": "A a", "dna_barcode": text} for text in (query, one, other)])
    a, b = ids(found, [one, other])
    for order in (by_overlap, lambda _, q, c: by_edits(found.barcodes, q, c)):
        assert order(found, ids(found, [query]), np.array([[-1, b, a]])).tolist() == [[b, a, -1]]
    assert by_edits(found.barcodes, np.empty(0, np.int64), np.empty((0, 3), np.int64)).shape == (0, 3)


def test_a_barcode_without_a_place_is_compared_by_edits():
    strange = noise(1)[0]
    similar = changed(strange, 10, 20)
    found = records(
        [{"split": "train", "species": "A a", "dna_barcode": text} for text in (strange, similar, WHOLE[0])]
    )
    asked = ids(found, [strange])
    candidates = ids(found, [WHOLE[0], similar])[None, :]
    assert not found.is_placed[found.frame_positions[asked]].any()
    assert by_overlap(found, asked, candidates).tolist() == candidates[:, ::-1].tolist()
