"""Counting barcodes within a few differences: beside a comparison of all pairs."""

import numpy as np
import polars as pl
from framed_barcodes import drawn
from test_statistics_distances import changed

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import framed, letters
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


def test_nothing_is_within_nothing():
    on_frame = framed(corpus())
    none = np.empty(0, np.int64)
    assert within(on_frame, none, np.arange(3), 300, 2).tolist() == []
    assert within(on_frame, np.arange(3), none, 300, 2).tolist() == [0, 0, 0]
