"""The nearest barcode, against a comparison of all pairs."""

import numpy as np
import polars as pl
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st
from test_barcodes_check import real_barcodes

from bioscan_etl.barcodes.clusters import clusters
from bioscan_etl.barcodes.framed import framed, letters
from bioscan_etl.barcodes.nearest import nearest
from bioscan_etl.barcodes.placement import place

WHOLE = drawn(5, seed=9)


def on_frame(texts):
    return place(pl.Series("barcode", sorted(set(texts)), pl.String))


def compared(placed, wanted, offered, least):
    """The same by comparing all letters."""
    found = letters(placed).astype(int)
    answers = []
    for one in wanted:
        best = (np.inf, -1)
        for other in offered:
            both = (found[one] < 4) & (found[other] < 4)
            if both.sum() >= least:
                best = min(best, (float((both & (found[one] != found[other])).sum() / both.sum()), other), key=tuple)
        answers.append(best)
    return [p for p, _ in answers], [at for _, at in answers]


def check(placed, wanted, offered, least=300):
    expected = compared(placed, wanted, offered, least)
    on = framed(placed)
    for many in (1, 3, 1000):  # groups, which no result depends on
        mine, theirs = (in_groups(on, np.array(side, np.int64), many) for side in (wanted, offered))
        p, at = nearest(on, mine, theirs, least)
        assert (p.tolist(), at.tolist()) == expected


def in_groups(on, members, many):
    order = np.argsort(np.arange(len(members)) % many, kind="stable")
    return clusters(on, members[order], (np.arange(len(members)) % many)[order])


@given(
    st.lists(
        st.tuples(st.sampled_from(WHOLE), st.integers(0, 250), st.integers(400, 658), st.integers(0, 657)),
        min_size=2,
        max_size=14,
    ),
    st.integers(0, 2**14 - 1),
)
def test_the_nearest_is_that_of_a_comparison_of_all(chosen, sides):
    texts = [
        (text[:at] + "ACGT"["TACG".index(text[at])] + text[at + 1 :])[begin:end] for text, begin, end, at in chosen
    ]
    placed = on_frame(texts)
    wanted = [row for row in range(placed.height) if sides >> row & 1]
    check(placed, wanted, [row for row in range(placed.height) if row not in wanted])


def test_a_barcode_that_is_offered_is_its_own_nearest():
    placed = on_frame(WHOLE)
    held = in_groups(framed(placed), np.arange(5), 2)
    p, at = nearest(framed(placed), held, held, 300)
    assert (p.tolist(), at.tolist()) == ([0] * 5, list(range(5)))


def test_more_barcodes_than_are_compared_at_a_time(monkeypatch):
    for name, value in (("_ROWS", 3), ("_TILE", 5), ("_FIRST", 2), ("_PAIRS", 7)):
        monkeypatch.setattr(f"bioscan_etl.barcodes.nearest.{name}", value)
    placed = on_frame([text[:600] for text in drawn(40, seed=2)])
    check(placed, list(range(0, 40, 3)), [row for row in range(40) if row % 3])


def test_real_barcodes(shared_data):
    placed = place(real_barcodes(shared_data).head(150).sort())
    check(placed, list(range(0, 150, 5)), [row for row in range(150) if row % 5])
