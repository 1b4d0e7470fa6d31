"""The synthetic barcodes, held against a translation of their own."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.placement import place
from bioscan_etl.demo.sequences import LENGTH, as_text, descend, haplotypes, lineage_tree, reverse_complement

_STOPS = {"TAA", "TAG"}  # NCBI code 5, invertebrate mitochondrial


def _stops(sequence: str, offset: int, stops: set[str]) -> int:
    return sum(sequence[at : at + 3] in stops for at in range(offset, len(sequence) - 2, 3))


@pytest.fixture(scope="module")
def consensus() -> np.ndarray:
    rng = np.random.default_rng(5)
    order_of_family = np.array([0, 1, 0, 2])
    family_of_genus = np.array([0, 0, 1, 2, 3])
    return lineage_tree(rng, order_of_family, family_of_genus, np.repeat(np.arange(5), 6))


def test_every_barcode_is_open_at_offset_one_only_in_the_invertebrate_code(consensus):
    for sequence in as_text(consensus):
        assert len(sequence) == LENGTH == 658
        assert set(sequence) == set("ACGT")
        assert _stops(sequence, 1, _STOPS) == 0
        assert _stops(sequence, 1, {*_STOPS, "TGA"}) > 0, "the standard code must fail"
        assert _stops(sequence, 0, _STOPS) > 0
        assert _stops(sequence, 2, _STOPS) > 0
        assert all(_stops(reverse_complement(sequence), offset, _STOPS) for offset in range(3))


def test_barcodes_are_rich_in_a_and_t(consensus):
    share = np.isin(consensus, np.frombuffer(b"AT", np.uint8)).mean()
    assert 0.65 < share < 0.78


def test_species_of_a_genus_differ_less_than_genera_and_families(consensus):
    def distance(one: int, other: int) -> float:
        return float((consensus[one] != consensus[other]).mean())

    within = [distance(a, b) for a in range(6) for b in range(a)]
    assert 0.06 < np.mean(within) < 0.13
    assert np.mean(within) < np.mean([distance(a, b) for a in range(6) for b in range(6, 12)])
    assert distance(0, 24) > 0.17, "another order"


def test_every_barcode_has_its_place_on_the_frame(consensus):
    rng = np.random.default_rng(6)
    drawn = haplotypes(rng, consensus, np.repeat(np.arange(len(consensus)), 3), np.zeros(3 * len(consensus), bool))
    placed = place(pl.Series("barcode", sorted(set(as_text(drawn)))))
    assert placed["doubt"].null_count() == placed.height > 60
    assert placed["missing_columns"].list.len().sum() == 0
    assert set(placed["first"]) == {1}


def test_records_of_a_species_stay_within_two_percent(consensus):
    rng = np.random.default_rng(6)
    drawn = haplotypes(rng, consensus, np.zeros(40, np.int64), np.arange(40) == 0)
    assert (drawn[0] == consensus[0]).all()
    spread = [(one != other).mean() for one in drawn for other in drawn]
    assert 0 < max(spread) <= 0.02


def _uneven(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Consensus barcodes of 12 families of 3 genera of 4 species, and the genus of each."""
    family_of_genus = np.repeat(np.arange(12), 3)
    genus = np.repeat(np.arange(36), 4)
    return lineage_tree(rng, np.arange(12) % 4, family_of_genus, genus, uneven=True), genus


def test_uneven_lineages_overlap_as_real_ones_do_and_stay_coi():
    drawn, genus = _uneven(np.random.default_rng(8))
    apart = 100 * (drawn[:, None] != drawn[None]).mean(axis=2)
    one, other = np.triu_indices(len(drawn), 1)
    same = genus[one] == genus[other]
    of_family = (genus[one] // 3 == genus[other] // 3) & ~same
    low, middle, high = np.percentile(apart[one, other][same], (5, 50, 95))
    assert 9 < low < 13
    assert 12 < middle < 16
    assert 15 < high < 19
    low, middle, high = np.percentile(apart[one, other][of_family], (5, 50, 95))
    assert 12.5 < low < 15.5
    assert 15 < middle < 18.5
    assert 17 < high < 22
    assert all(_stops(sequence, 1, _STOPS) == 0 for sequence in as_text(drawn))
    placed = place(pl.Series("barcode", sorted(set(as_text(drawn)))))
    assert placed["doubt"].null_count() == placed.height == len(drawn)
    assert set(placed["first"]) == {1}


def test_uneven_lineages_leave_the_numbers_of_what_is_drawn_next():
    states = []
    for uneven in (False, True):
        rng = np.random.default_rng(9)
        consensus = lineage_tree(rng, np.array([0, 1]), np.array([0, 1]), np.array([0, 0, 1]), uneven=uneven)
        cluster, first = np.array([0, 0, 1, 2, 2]), np.array([True, False, True, True, False])
        haplotypes(rng, consensus, cluster, first, apart=~first if uneven else None)
        states.append(rng.random())
    assert states[0] == states[1]


def test_a_second_lineage_of_a_species_lies_apart_from_the_first():
    rng = np.random.default_rng(10)
    consensus, _ = _uneven(rng)
    cluster = np.repeat(np.arange(len(consensus)), 4)
    place_in = np.arange(len(cluster)) % 4
    drawn = haplotypes(rng, consensus, cluster, place_in == 0, apart=place_in > 1).reshape(len(consensus), 4, LENGTH)
    assert (drawn[:, 0] == consensus).all()
    assert (drawn[:, 0] != drawn[:, 1]).mean(axis=1).max() < 0.01
    assert (drawn[:, 2] != drawn[:, 3]).mean(axis=1).max() < 0.02
    between = (drawn[:, 0] != drawn[:, 2]).mean(axis=1)
    assert 0.07 < np.median(between) < 0.13


@given(st.integers(0, 2**32 - 1), st.integers(0, 400))
def test_any_number_of_changes_leaves_the_frame_open(seed, changes):
    rng = np.random.default_rng(seed)
    root = lineage_tree(rng, np.array([0]), np.array([0]), np.array([0]))
    child = descend(rng, root, np.array([changes]))
    assert _stops(as_text(child)[0], 1, _STOPS) == 0
    assert (child != root).sum() <= changes


@given(st.text("ACGTNRYacgt-", max_size=60))
def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence(sequence):
    assert reverse_complement(reverse_complement(sequence)) == sequence
