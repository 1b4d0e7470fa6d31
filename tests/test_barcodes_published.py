"""The published distance: MAFFT's alignment, and edits beside the published pure-Python recipe."""

import shutil
from itertools import combinations

import numpy as np
import pytest
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.columns import PUBLISHED_COLUMNS
from bioscan_etl.barcodes.published import Mafft, align, edits, find_mafft
from bioscan_etl.errors import SourceError

WHOLE = drawn(3, seed=4)
needs_mafft = pytest.mark.skipif(shutil.which("mafft") is None, reason="needs MAFFT: apt-get install mafft")


def recipe(one, other):
    """Optimal string alignment in pure Python, as the published code has it from textdistance."""
    table = {(-1, -1): 0} | {(row, -1): row + 1 for row in range(len(one))}
    table |= {(-1, column): column + 1 for column in range(len(other))}
    for row, mine in enumerate(one):
        for column, theirs in enumerate(other):
            cost = int(mine != theirs)
            best = min(table[row - 1, column], table[row, column - 1]) + 1
            best = min(best, table[row - 1, column - 1] + cost)
            if row and column and mine == other[column - 1] and one[row - 1] == theirs:
                best = min(best, table[row - 2, column - 2] + cost)
            table[row, column] = best
    return table[len(one) - 1, len(other) - 1]


def by_recipe(aligned):
    """Numbers of edits and of differing bases of all pairs."""
    pairs = [pair for pair in combinations(aligned, 2) if pair[0] != pair[1]]
    bases = sum(a != b and a in "acgt" and b in "acgt" for one, other in pairs for a, b in zip(one, other, strict=True))
    return sorted(recipe(one, other) for one, other in pairs), bases


def listed(found):
    return np.repeat(np.arange(len(found.count)), found.count).tolist()


@given(
    st.integers(1, 12).flatmap(lambda n: st.lists(st.text("acgtn-", min_size=n, max_size=n), min_size=2, max_size=6))
)
def test_edits_are_those_of_the_recipe(aligned):
    found = edits(aligned, threads=1)
    assert (listed(found), found.substitutions) == by_recipe(aligned)


def test_a_transposed_pair_that_is_edited_again_counts_as_published():
    """Unrestricted, "ca" becomes "ac" and "abc" by two edits."""
    assert listed(edits(["ca-", "abc"], threads=1)) == [3]


def test_more_barcodes_than_are_compared_at_a_time(monkeypatch):
    monkeypatch.setattr("bioscan_etl.barcodes.published._ROWS", 3)
    aligned = [text[:40].lower() for text in drawn(8, seed=2)]
    found = edits(aligned, threads=2)
    assert (listed(found), found.substitutions) == by_recipe(aligned)


@needs_mafft
def test_a_codon_that_one_lacks_is_a_gap_and_the_end_is_cut():
    texts = [WHOLE[0], WHOLE[0][:300] + WHOLE[0][303:], WHOLE[0][40:]]
    aligned = align(texts, find_mafft())
    assert [one.replace("-", "").upper() for one in aligned] == [text[:PUBLISHED_COLUMNS] for text in texts]
    assert aligned[1].strip("-").count("-") == 3
    found = edits(aligned, threads=1)
    assert found.pairs == 3
    assert found.substitutions <= 6  # the gap may be a column or two beside the cut
    # The 40 columns of a missing beginning count as 40 edits, and so do those that the cut leaves to the others alone.
    assert recipe(aligned[0], aligned[2]) == listed(found)[1] >= 40


@needs_mafft
def test_barcodes_that_differ_behind_the_cut_alone_are_left_out():
    texts = [WHOLE[1], WHOLE[1][:650], WHOLE[2]]
    found = edits(align(texts, find_mafft()), threads=1)
    assert found.pairs == 2


def program(folder, script):
    path = folder / "mafft"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_without_mafft_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="apt-get install mafft"):
        find_mafft()
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program(tmp_path, "exit 3")
    with pytest.raises(SourceError, match="does not state its version"):
        find_mafft()


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo no memory >&2; exit 1", "no memory"), ("exit 2", "status 2"), ("cat; echo '>extra'; echo acgt", "align 2")],
)
def test_an_alignment_that_fails_is_an_error_with_its_reason(tmp_path, script, words):
    with pytest.raises(SourceError, match=words):
        align(WHOLE[:2], Mafft(str(program(tmp_path, script)), "v0"))
