"""The nearest barcode of another family, against a comparison of all pairs."""

from dataclasses import replace

import numpy as np
import polars as pl
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.distances import p_of_pairs
from bioscan_etl.barcodes.framed import Framed, framed
from bioscan_etl.barcodes.outside import Labelled, nearest_outside
from bioscan_etl.barcodes.placement import place

WHOLE = drawn(4, seed=8)


def labelled(groups, families, names, bounds):
    """Barcodes of groups; their positions are filled in by `check`."""
    of = [np.array(one, np.int64) for one in (groups, families, names)]
    return Labelled(np.arange(len(groups)), *of, np.array(bounds, float))


def compared(barcodes: Framed, given_: Labelled, least: int):
    """The same by comparing all pairs."""
    count = len(given_.members)
    best = [(bound, -1, -1) for bound in given_.bounds]
    for one in range(count):
        others = np.arange(count)
        p = p_of_pairs(barcodes, given_.members[np.full(count, one)], given_.members[others], least)
        group = given_.groups[one]
        for other, distance in zip(given_.groups, p, strict=True):
            if given_.families[other] != given_.families[group] and given_.names[other] != given_.names[group]:
                found = (float(distance), int(given_.names[other]), int(other))
                if distance < given_.bounds[group] and (best[group][2] < 0 or found < best[group]):
                    best[group] = found
    return [p if other >= 0 else np.inf for p, _, other in best], [other for *_, other in best]


def check(texts, given_, least=300):
    distinct = sorted(set(texts))
    barcodes = framed(place(pl.Series("barcode", distinct, pl.String)))
    given_ = replace(given_, members=np.array([distinct.index(text) for text in texts], np.int64))
    p, group = nearest_outside(barcodes, given_, least)
    assert (p.tolist(), group.tolist()) == compared(barcodes, given_, least)
    return group.tolist()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(WHOLE),
            st.integers(0, 200),
            st.integers(450, 658),
            st.integers(0, 657),
            st.integers(0, 8),
        ),
        min_size=1,
        max_size=14,
    ),
    st.lists(st.sampled_from([0.0, 0.01, 0.1, 0.25, np.inf]), min_size=9, max_size=9),
)
def test_the_nearest_is_that_of_a_comparison_of_all(chosen, bounds):
    chosen.sort(key=lambda one: one[-1])
    texts = [
        (text[:at] + "ACGT"["TACG".index(text[at])] + text[at + 1 :])[begin:end] for text, begin, end, at, _ in chosen
    ]
    numbers = {group: number for number, group in enumerate(dict.fromkeys(group for *_, group in chosen))}
    # Nine groups in three families; the last of each family has the name of the first of the next.
    groups = [numbers[group] for *_, group in chosen]
    families = [group // 3 for group in numbers]
    names = [(group - group // 3) for group in numbers]
    check(texts, labelled(groups, families, names, bounds[: len(numbers)]))


def test_clusters_of_several_barcodes_in_more_blocks_than_one(monkeypatch):
    for name, value in (("_ROWS", 2), ("_TILE", 3), ("_PAIRS", 5)):
        monkeypatch.setattr(f"bioscan_etl.barcodes.apart.{name}", value)
    rng = np.random.default_rng(5)
    texts, groups = [], []
    for group, text in enumerate([*drawn(6, seed=1), *drawn(6, seed=1)]):  # families 0 and 1 hold the same ancestors
        for _ in range(4):
            letters = list(text)
            for at in rng.integers(0, 658, rng.integers(1, 12)):
                letters[at] = "ACGT"[rng.integers(0, 4)]
            texts.append("".join(letters))
            groups.append(group)
    one = labelled(groups, [0] * 6 + [1] * 6, range(12), [0.3] * 6 + [np.inf] * 6)
    assert check(texts, one) == [6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]


def test_a_fragment_that_its_species_has_only_at_a_distance_is_found():
    """Five differences are 1.6 % of 310 columns: too far for one cluster if the bound is near."""
    fragment = WHOLE[0][300:610]
    far = "".join(
        "ACGT"["TACG".index(base)] if at in {9, 60, 120, 180, 240} else base for at, base in enumerate(fragment)
    )
    texts = [fragment + WHOLE[0][610:612], far, far]
    assert check(texts, labelled([0, 0, 1], [0, 1], [0, 1], [0.002, 0.002])) == [1, 0]


def test_as_near_as_the_family_is_not_nearer_and_of_equals_the_first_by_name_counts():
    texts = [WHOLE[0]] * 4
    assert check(texts, labelled(range(4), [0, 1, 1, 2], [3, 2, 1, 0], [0.2, 0, 0.1, 0.1])) == [3, -1, 3, 2]


def test_nothing_to_compare_with():
    assert check([], labelled([], [], [], [])) == []
    assert check([WHOLE[0], WHOLE[1]], labelled([0, 1], [0, 0], [0, 1], [np.inf] * 2)) == [-1, -1]
    assert check([WHOLE[0], WHOLE[0][:200]], labelled([0, 1], [0, 1], [0, 1], [np.inf] * 2)) == [-1, -1]


def test_what_is_reported_is_the_share_of_the_clusters():
    said = []
    barcodes = framed(place(pl.Series("barcode", WHOLE, pl.String)))
    nearest_outside(barcodes, labelled(range(4), range(4), range(4), [1] * 4), 300, lambda *words: said.append(words))
    assert said[-1] == ("barcodes of other families", 4, 4)
