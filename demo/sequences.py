"""COI-like barcodes along a tree of lineages.

Belongs here: drawing sequences that read like 658 bp of COI-5P. They are open at offset 1 in the invertebrate
mitochondrial code (no TAA, no TAG), rich in A and T, and hold TGA, so that the standard code would fail them. The root
is drawn from the profile of COI (`barcodes.profile`), and lineages change as it allows, so that each barcode has its
place on the frame.
Does not belong here: what goes wrong with a sequence (`bioscan_etl.demo.barcode_defects`).

A sequence is a row of a uint8 array of shape (n, 658) that holds ASCII letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes import profile

Sequences = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

LENGTH = 658
OFFSET = 1
CODONS = (LENGTH - OFFSET) // 3

_LETTERS = np.frombuffer(b"ACGT", np.uint8)
_THIRD = (0.44, 0.12, 0.03, 0.41)  # A, C, G, T at third positions, where nearly all changes are
_EVEN = (0.25, 0.25, 0.25, 0.25)  # the profile decides which are taken
_NEVER, _RAREST = -1e4, 1e-6  # logarithm of the share of a stop; least share of another codon
_A, _T = (ord(letter) for letter in "AT")
# Third positions of codons change freely, second ones hardly ever: that keeps most amino acids.
_MUTABILITY = {"first": 0.5, "second": 0.08, "third": 2.42}
_PROPOSED = {"first": 0.8, "second": 0.3, "third": 1.9}  # where the profile decides, more may be proposed
_AT_ONCE = 40  # substitutions proposed before a child is taken for a parent


@dataclass(frozen=True, slots=True)
class _Uneven:
    """How old lineages are, in substitutions that are proposed along one of two branches.

    Attributes:
        age: youngest and oldest family.
        crown: youngest and oldest common ancestor of a genus' species.
        rate: deviation of the logarithm of the rate at which species change.
        second: between two lineages of one species.
    """

    age: tuple[float, float]
    crown: tuple[float, float]
    rate: float
    second: float


# Third positions are nearly saturated where genera part, so that distances within and between genera overlap. On real
# barcodes the 5th, 50th and 95th percentiles are, in %: within species 0.2, 0.8, 10.3; between species of a genus 11.2,
# 14.4, 17.2; between genera of a family 14.0, 16.7, 20.1.
_UNEVEN = _Uneven(age=(1_000.0, 2_150.0), crown=(350.0, 850.0), rate=0.2, second=550.0)
# Multiples of it modulo 1 lie evenly between 0 and 1, wherever one stops: each corpus has genera of every age.
_GOLDEN = 0.618
_TRYPTOPHANS = (8, 64, 86, 169)
# WTVYPP: the stretch of COI that no insect changes.
_MOTIF_AT, _MOTIF = 109, b"TGAACAGTATATCCACCA"
# Read in frame these seven codons have no stop; read in the two other frames, or in any of the other strand's
# three, they have one each. So a barcode is open at one offset only, independent of changes elsewhere. Of all places
# on the frame, they fit there best.
_GUARD_AT, _GUARD = 151, b"TTAATTAATTATATAAATAAT"
_FIXED = ((_MOTIF_AT, _MOTIF), (_GUARD_AT, _GUARD), *((codon, b"TGA") for codon in _TRYPTOPHANS))


def _per_position(values: dict[str, float]) -> npt.NDArray[np.float64]:
    pattern = np.tile([values["first"], values["second"], values["third"]], CODONS)
    weights = np.concatenate([np.full(OFFSET, values["third"]), pattern])
    for codon, letters in _FIXED:
        weights[OFFSET + 3 * codon : OFFSET + 3 * codon + len(letters)] = 0.0
    return weights


@cache
def _log_shares() -> npt.NDArray[np.float64]:
    """Logarithm of the share of each codon at each place, shape (219, 64); TAA and TAG have none.

    The profile has the odds of a codon at a place against its share in the whole frame, but not that share. It follows:
    at each place the shares add up to 1.
    """
    odds = np.exp(profile.weights().reshape(CODONS, 5, 5, 5)[:, :4, :4, :4].reshape(CODONS, 64) / 100)
    anywhere = np.linalg.lstsq(odds, np.ones(CODONS), rcond=None)[0].clip(_RAREST)
    shares: npt.NDArray[np.float64] = np.log(odds * anywhere)
    shares[:, [profile.CODON_NAMES.index(stop) for stop in ("TAA", "TAG")]] = _NEVER
    return shares


def _numbers(codons: Sequences) -> Indices:
    """Codons of shape (…, 3) as numbers 0 to 63, in the order of `profile.CODON_NAMES`."""
    numbers: Indices = np.searchsorted(_LETTERS, codons) @ np.array([16, 4, 1])
    return numbers


def ancestor(rng: np.random.Generator) -> Sequences:
    """One sequence of shape (1, 658): the root of the tree."""
    shares = np.exp(_log_shares())
    upto = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)
    drawn = rng.random((3, CODONS))[0][:, None]  # one number per base is taken, so that a seed keeps its corpus
    chosen = (upto < drawn).sum(axis=1).clip(max=63)
    codons = _LETTERS[np.stack([chosen // 16, chosen // 4 % 4, chosen % 4], axis=1)]
    for codon, letters in _FIXED:
        codons[codon : codon + len(letters) // 3] = np.frombuffer(letters, np.uint8).reshape(-1, 3)
    head = rng.choice(_LETTERS, OFFSET, p=_THIRD).astype(np.uint8)
    return np.concatenate([head, codons.ravel()])[None, :]


def descend(rng: np.random.Generator, parents: Sequences, changes: Indices, *, by_profile: bool = True) -> Sequences:
    """Children of `parents` with substitutions, still open at offset 1.

    Args:
        rng: the random generator.
        parents: shape (n, 658), one row per child.
        changes: shape (n,), substitutions that are proposed for each child; one that makes a stop is refused.
        by_profile: take a codon that fits its place on the frame worse with the ratio of the odds only: about half are
            refused. So lineages stay COI however long they change.

    Returns:
        Shape (n, 658).
    """
    children = parents.copy()
    rows = np.repeat(np.arange(len(parents)), changes)
    cumulative = np.cumsum(_per_position(_PROPOSED if by_profile else _MUTABILITY))
    positions = np.searchsorted(cumulative, rng.random(len(rows)) * cumulative[-1], side="right")
    letters = _LETTERS[
        np.minimum(np.searchsorted(np.cumsum(_EVEN if by_profile else _THIRD), rng.random(len(rows))), 3)
    ]
    same = letters == children[rows, positions]
    letters[same] = np.where(letters[same] == _A, _T, _A)
    children[rows, positions] = letters
    inside = positions >= OFFSET
    codon = (positions[inside] - OFFSET) // 3
    span = OFFSET + 3 * codon[:, None] + np.arange(3)
    hit = rows[inside][:, None]
    fit = _log_shares()
    now = fit[codon, _numbers(children[hit, span])]
    refused = now <= _NEVER
    if by_profile:
        refused |= np.log(rng.random(len(now))) > now - fit[codon, _numbers(parents[hit, span])]
    children[hit[refused], span[refused]] = parents[hit[refused], span[refused]]
    return children


def lineage_tree(
    rng: np.random.Generator,
    order_of_family: Indices,
    family_of_genus: Indices,
    genus_of_cluster: Indices,
    *,
    uneven: bool = False,
) -> Sequences:
    """The consensus barcode of every cluster (a species, named or not), shape (clusters, 658).

    Clusters of one genus differ by about 7 %, genera by 12 %, families by 16 %, orders by 20 %. Uneven lineages are as
    hard to tell apart as real ones: see `_UNEVEN`.
    """

    def level(parents: Sequences, taken: int, rounds: int, *, further: Shares | None = None) -> Sequences:
        changes = taken + rng.integers(-taken // 8, taken // 8 + 1, len(parents))
        # By numbers of their own, so that a seed keeps its corpus, however many are proposed.
        own = np.random.default_rng(int(rng.random(2 * int(changes.sum()))[0] * 2**53))
        if further is not None:
            return _evolved(own, parents, further)
        for _ in range(rounds):
            parents = descend(own, parents, changes)
        return parents

    root = ancestor(rng)
    orders = level(np.repeat(root, int(order_of_family.max()) + 1, axis=0), 70, 12)
    families = level(orders[order_of_family], 50, 8)
    if not uneven:
        genera = level(families[family_of_genus], 36, 5)
        return level(genera[genus_of_cluster], 38, 4)
    (own,) = rng.spawn(1)
    age: Shares = own.uniform(*_UNEVEN.age, len(order_of_family))[family_of_genus]
    spread = (0.5 + np.arange(len(family_of_genus), dtype=np.float64) * _GOLDEN) % 1
    crown: Shares = _UNEVEN.crown[0] + spread * (_UNEVEN.crown[1] - _UNEVEN.crown[0])
    genera = level(families[family_of_genus], 36, 5, further=age - crown)
    rate = np.exp(own.normal(0, _UNEVEN.rate, len(genus_of_cluster)))
    return level(genera[genus_of_cluster], 38, 4, further=crown[genus_of_cluster] * rate)


def _evolved(rng: np.random.Generator, parents: Sequences, proposed: Shares) -> Sequences:
    """Children for which `proposed` substitutions are proposed, some at a time, as `descend` compares with parents."""
    left = np.maximum(np.round(proposed), 0).astype(np.int64)
    while left.any():
        now = np.minimum(left, _AT_ONCE)
        parents, left = descend(rng, parents, now), left - now
    return parents


def haplotypes(
    rng: np.random.Generator,
    consensus: Sequences,
    cluster: Indices,
    first: npt.NDArray[np.bool_],
    *,
    apart: npt.NDArray[np.bool_] | None = None,
) -> Sequences:
    """The barcodes that records carry, shape (haplotypes, 658).

    Args:
        rng: the random generator.
        consensus: shape (clusters, 658).
        cluster: shape (haplotypes,), the cluster of each.
        first: shape (haplotypes,), true where the haplotype is the consensus itself; the others lie within
            1 % of it, so two of one species differ by at most 2 %.
        apart: shape (haplotypes,), true where a haplotype belongs to a second lineage of its cluster, which lies about
            10 % from the first. No barcode alone says that both are one species.
    """
    changes = np.where(first, 0, rng.integers(2, 7, len(cluster)))
    if apart is None:
        return descend(rng, consensus[cluster], changes, by_profile=False)
    # As many numbers are taken as without a second lineage, so that a seed keeps its corpus.
    rng.random(2 * int(changes.sum()))
    (own,) = rng.spawn(1)
    parents = consensus[cluster]
    split, of_split = np.unique(cluster[apart], return_inverse=True)
    parents[apart] = _evolved(own, consensus[split], np.full(len(split), _UNEVEN.second))[of_split]
    return descend(own, parents, np.maximum(changes - 1, 0), by_profile=False)


def as_text(sequences: Sequences) -> list[str]:
    """Sequences as text; shape (n, length) gives n strings."""
    width = sequences.shape[1]
    whole = np.ascontiguousarray(sequences).tobytes().decode("ascii")
    return [whole[start : start + width] for start in range(0, len(whole), width)]


_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction."""
    return sequence.translate(_COMPLEMENT)[::-1]
