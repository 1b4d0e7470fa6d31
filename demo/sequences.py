"""COI-like barcodes along a tree of lineages.

Belongs here: drawing sequences that read like 658 bp of COI-5P. They are open at offset 1 in the invertebrate
mitochondrial code (no TAA, no TAG), rich in A and T, and hold TGA, so that the standard code would fail them. The root
is drawn from the profile of COI (`barcodes.profile`), and lineages change as it allows, so that each barcode has its
place on the frame.
Does not belong here: what goes wrong with a sequence (`bioscan_etl.demo.barcode_defects`).

A sequence is a row of a uint8 array of shape (n, 658) that holds ASCII letters.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes import profile

Sequences = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

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
    rng: np.random.Generator, order_of_family: Indices, family_of_genus: Indices, genus_of_cluster: Indices
) -> Sequences:
    """The consensus barcode of every cluster (a species, named or not), shape (clusters, 658).

    Clusters of one genus differ by about 7 %, genera by 12 %, families by 16 %, orders by 20 %.
    """

    def level(parents: Sequences, taken: int, rounds: int) -> Sequences:
        changes = taken + rng.integers(-taken // 8, taken // 8 + 1, len(parents))
        # By numbers of their own, so that a seed keeps its corpus, however many are proposed.
        own = np.random.default_rng(int(rng.random(2 * int(changes.sum()))[0] * 2**53))
        for _ in range(rounds):
            parents = descend(own, parents, changes)
        return parents

    root = ancestor(rng)
    orders = level(np.repeat(root, int(order_of_family.max()) + 1, axis=0), 70, 12)
    families = level(orders[order_of_family], 50, 8)
    genera = level(families[family_of_genus], 36, 5)
    return level(genera[genus_of_cluster], 38, 4)


def haplotypes(
    rng: np.random.Generator, consensus: Sequences, cluster: Indices, first: npt.NDArray[np.bool_]
) -> Sequences:
    """The barcodes that records carry, shape (haplotypes, 658).

    Args:
        rng: the random generator.
        consensus: shape (clusters, 658).
        cluster: shape (haplotypes,), the cluster of each.
        first: shape (haplotypes,), true where the haplotype is the consensus itself; the others lie within
            1 % of it, so two of one species differ by at most 2 %.
    """
    changes = np.where(first, 0, rng.integers(2, 7, len(cluster)))
    return descend(rng, consensus[cluster], changes, by_profile=False)


def as_text(sequences: Sequences) -> list[str]:
    """Sequences as text; shape (n, length) gives n strings."""
    width = sequences.shape[1]
    whole = np.ascontiguousarray(sequences).tobytes().decode("ascii")
    return [whole[start : start + width] for start in range(0, len(whole), width)]


_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction."""
    return sequence.translate(_COMPLEMENT)[::-1]
