"""COI-like barcodes along a tree of lineages.

Belongs here: drawing sequences that read like 658 bp of COI-5P. They are open at offset 1 in the invertebrate
mitochondrial code (no TAA, no TAG), rich in A and T, and hold TGA, so that the standard code would fail them.
Does not belong here: what goes wrong with a sequence (`bioscan_etl.demo.barcode_defects`).

A sequence is a row of a uint8 array of shape (n, 658) that holds ASCII letters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Sequences = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

LENGTH = 658
OFFSET = 1
CODONS = (LENGTH - OFFSET) // 3

_LETTERS = np.frombuffer(b"ACGT", np.uint8)
_SHARES = {"first": (0.30, 0.17, 0.22, 0.31), "second": (0.17, 0.23, 0.17, 0.43), "third": (0.44, 0.12, 0.03, 0.41)}
_A, _G, _T = (ord(letter) for letter in "AGT")
# Third positions of codons change freely, second ones hardly ever: that keeps most amino acids.
_MUTABILITY = {"first": 0.5, "second": 0.08, "third": 2.42}
_TRYPTOPHANS = (16, 47, 93, 140, 188)
# WTVYPP: the stretch of COI that no insect changes.
_MOTIF_AT, _MOTIF = 118, b"TGAACAGTATATCCACCA"
# Read in frame these seven codons have no stop; read in the two other frames, or in any of the other strand's
# three, they have one each. So a barcode is open at one offset only, independent of changes elsewhere.
_GUARD_AT, _GUARD = 70, b"TTAATTAATTATATAAATAAT"
_FIXED = ((_MOTIF_AT, _MOTIF), (_GUARD_AT, _GUARD), *((codon, b"TGA") for codon in _TRYPTOPHANS))


def _per_position(values: dict[str, float]) -> npt.NDArray[np.float64]:
    pattern = np.tile([values["first"], values["second"], values["third"]], CODONS)
    weights = np.concatenate([np.full(OFFSET, values["third"]), pattern])
    for codon, letters in _FIXED:
        weights[OFFSET + 3 * codon : OFFSET + 3 * codon + len(letters)] = 0.0
    return weights


def _stops(codons: Sequences) -> npt.NDArray[np.bool_]:
    """Whether codons of shape (…, 3) are TAA or TAG."""
    third = (codons[..., 2] == _A) | (codons[..., 2] == _G)
    stops: npt.NDArray[np.bool_] = (codons[..., 0] == _T) & (codons[..., 1] == _A) & third
    return stops


def ancestor(rng: np.random.Generator) -> Sequences:
    """One sequence of shape (1, 658): the root of the tree."""
    columns = [rng.choice(_LETTERS, CODONS, p=_SHARES[name]) for name in ("first", "second", "third")]
    codons = np.stack(columns, axis=1).astype(np.uint8)
    codons[_stops(codons), 1] = ord("T")
    for codon, letters in _FIXED:
        codons[codon : codon + len(letters) // 3] = np.frombuffer(letters, np.uint8).reshape(-1, 3)
    head = rng.choice(_LETTERS, OFFSET, p=_SHARES["third"]).astype(np.uint8)
    return np.concatenate([head, codons.ravel()])[None, :]


def descend(rng: np.random.Generator, parents: Sequences, changes: Indices) -> Sequences:
    """Children of `parents` with substitutions, still open at offset 1.

    Args:
        rng: the random generator.
        parents: shape (n, 658), one row per child.
        changes: shape (n,), substitutions drawn per child; some hit the same place or are taken back
            because they would make a stop codon.

    Returns:
        Shape (n, 658).
    """
    children = parents.copy()
    rows = np.repeat(np.arange(len(parents)), changes)
    cumulative = np.cumsum(_per_position(_MUTABILITY))
    positions = np.searchsorted(cumulative, rng.random(len(rows)) * cumulative[-1], side="right")
    third = np.cumsum(_SHARES["third"])
    # The composition of third positions, where nearly all changes are.
    letters = _LETTERS[np.minimum(np.searchsorted(third, rng.random(len(rows))), 3)]
    same = letters == children[rows, positions]
    letters[same] = np.where(letters[same] == _A, _T, _A)
    children[rows, positions] = letters
    inside = positions >= OFFSET
    starts = OFFSET + (positions[inside] - OFFSET) // 3 * 3
    span = starts[:, None] + np.arange(3)
    hit = rows[inside][:, None]
    broken = _stops(children[hit, span])
    children[hit[broken], span[broken]] = parents[hit[broken], span[broken]]
    return children


def lineage_tree(
    rng: np.random.Generator, order_of_family: Indices, family_of_genus: Indices, genus_of_cluster: Indices
) -> Sequences:
    """The consensus barcode of every cluster (a species, named or not), shape (clusters, 658).

    Clusters of one genus differ by about 8 to 12 %, genera, families and orders by more.
    """

    def level(parents: Sequences, changes: int) -> Sequences:
        jitter = rng.integers(-changes // 8, changes // 8 + 1, len(parents))
        return descend(rng, parents, changes + jitter)

    root = ancestor(rng)
    orders = level(np.repeat(root, int(order_of_family.max()) + 1, axis=0), 70)
    families = level(orders[order_of_family], 50)
    genera = level(families[family_of_genus], 36)
    return level(genera[genus_of_cluster], 38)


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
    return descend(rng, consensus[cluster], changes)


def as_text(sequences: Sequences) -> list[str]:
    """Sequences as text; shape (n, length) gives n strings."""
    width = sequences.shape[1]
    whole = np.ascontiguousarray(sequences).tobytes().decode("ascii")
    return [whole[start : start + width] for start in range(0, len(whole), width)]


_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction."""
    return sequence.translate(_COMPLEMENT)[::-1]
