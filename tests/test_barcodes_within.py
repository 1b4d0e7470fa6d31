"""Counting barcodes within a few differences: beside a comparison of all pairs."""

import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from test_statistics_distances import changed

from bioscan_etl.barcodes import within as within_module
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import MISSING, framed, letters
from bioscan_etl.barcodes.placement import place
from bioscan_etl.barcodes.within import are_within, within
from bioscan_etl.schema import PLACEMENTS


def corpus():
    wholes = drawn(6)
    texts = [*wholes, *(changed(one, *range(30, 30 + 6 * more, 6)) for one in wholes for more in (1, 2, 3))]
    texts += [one[start:end] for one in wholes for start, end in ((0, 400), (90, 658), (300, 640), (0, 250))]
    frame = pl.DataFrame({"processid": [f"P{at}" for at in range(len(texts))], "dna_barcode": texts})
    return numbered(frame.lazy(), PLACEMENTS.empty().lazy(), 300)[0]


def test_the_counts_are_those_of_all_pairs():
    barcodes = corpus()
    on_frame, found = framed(barcodes), letters(barcodes)
    both = (found[:, None, :] < 4) & (found[None, :, :] < 4)
    shared = both.sum(axis=2)
    differ = ((found[:, None, :] != found[None, :, :]) & both).sum(axis=2)
    wanted, offered = np.arange(0, barcodes.height, 2), np.arange(0, barcodes.height)
    for least, most in ((300, 0), (300, 2), (1, 2), (300, 700)):
        expected = (shared >= least) & (differ <= most)
        assert within(on_frame, wanted, offered, least, most).tolist() == expected[wanted].sum(axis=1).tolist()
        one, other = (side.ravel() for side in np.meshgrid(wanted, offered, indexing="ij"))
        assert are_within(on_frame, one, other, least, most).tolist() == expected[one, other].tolist()


@pytest.mark.parametrize("few", [1, 16])
def test_pairs_that_meet_by_a_stretch_are_those_of_all_pairs(few, monkeypatch):
    """Relatives with up to four changes, ragged ends, N and lacking codons."""
    monkeypatch.setattr("bioscan_etl.barcodes.within._FEW", few)
    rng = np.random.default_rng(3)
    texts = []
    for one in drawn(8, seed=4):
        for _ in range(40):
            text = changed(one, *rng.choice(658, rng.integers(0, 5), replace=False).tolist())
            at = 3 * int(rng.integers(20, 180)) + 1
            ways = (text, text[:at] + text[at + 3 :], text[:at] + "N" * 60 + text[at + 60 :])
            text = ways[int(rng.choice(3, p=[0.7, 0.2, 0.1]))]
            texts.append(text[int(rng.choice([0, 0, 0, 20, 200])) : int(rng.choice([658, 658, 640, 400]))])
    placed = place(pl.Series("barcode", sorted(set(texts)), pl.String))
    on_frame, found = framed(placed), letters(placed)
    assert (found == MISSING).any()
    both = (found[:, None, :] < 4) & (found[None, :, :] < 4)
    shared, differ = both.sum(axis=2), ((found[:, None, :] != found[None, :, :]) & both).sum(axis=2)
    groups, met = set(), within_module.meeting

    def counted(begins, ends, here, there):
        groups.add((len(here), len(there)))
        return met(begins, ends, here, there)

    monkeypatch.setattr(within_module, "meeting", counted)
    wanted, offered = np.flatnonzero(np.arange(len(found)) % 3 == 0), np.flatnonzero(np.arange(len(found)) % 3)
    for least, most in ((300, 2), (100, 2), (1, 1), (1, 0)):
        expected = ((shared >= least) & (differ <= most))[np.ix_(wanted, offered)].sum(axis=1)
        assert within(on_frame, wanted, offered, least, most).tolist() == expected.tolist()
    assert len(groups) > 3  # not all pairs are compared


def test_nothing_is_within_nothing():
    on_frame = framed(corpus())
    none = np.empty(0, np.int64)
    assert within(on_frame, none, np.arange(3), 300, 2).tolist() == []
    assert within(on_frame, np.arange(3), none, 300, 2).tolist() == [0, 0, 0]
