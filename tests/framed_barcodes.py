"""Barcodes drawn from the shipped profile: each codon by its odds in its place. No real sequence is needed."""

import numpy as np

from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.columns import CODONS

_STOPS = {"TAA", "TAG"}


def drawn(count: int, seed: int = 0) -> list[str]:
    """Whole barcodes of 658 bp without stop codons, different from each other."""
    rng = np.random.default_rng(seed)
    weights = profile.weights().reshape(CODONS, 5, 5, 5)[:, :4, :4, :4].reshape(CODONS, 64) / 100
    odds = np.exp(weights - weights.max(axis=1, keepdims=True))
    odds[:, [name in _STOPS for name in profile.CODON_NAMES]] = 0
    shares = odds / odds.sum(axis=1, keepdims=True)
    chosen = np.stack([rng.choice(64, count, p=share) for share in shares], axis=1)
    return ["A" + "".join(profile.CODON_NAMES[codon] for codon in row) for row in chosen]


def noise(count: int, seed: int = 0) -> list[str]:
    """Sequences of 658 random bases in the shares of COI."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), 658, p=[0.3, 0.16, 0.16, 0.38])) for _ in range(count)]
