"""Bands of bits of perceptual hashes: similar hashes are found without a comparison of all pairs.

Two hashes that differ in at most `bits` bits differ in at most as many bands; cut into `bits + agreeing` bands they
agree in at least `agreeing` of them, and so have the same key for one choice of bands.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

HASH_BITS = 64


def band_masks(bits: int, agreeing: int) -> list[int]:
    """The bits that a key takes, one mask per choice of `agreeing` of the `bits + agreeing` bands."""
    edges = np.linspace(0, HASH_BITS, bits + agreeing + 1).round().astype(int)
    bands = [sum(1 << bit for bit in range(low, high)) for low, high in pairwise(edges.tolist())]
    return [sum(chosen) for chosen in combinations(bands, agreeing)]
