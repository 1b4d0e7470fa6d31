"""The weights of the profile by column, for barcodes whose place is searched.

Belongs here: codons as numbers, and the weight of a codon in a column. Does not belong here: the profile itself
(`profile`), and the search (`straight`, `gaps`, `placement`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes import profile
from bioscan_etl.barcodes.columns import COLUMNS

Letters = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Weights = npt.NDArray[np.int32]

MOST_LETTERS = 2_000
"""Longer sequences are not placed: they are no barcodes. The whole gene has about 1,540 bp."""
REACH = 18
"""Columns away from a barcode's offset to which gaps may move a part of it; wasps of the family Scelionidae lack 15."""
PAD = 3 * REACH + MOST_LETTERS
"""Columns of `table` on each side of the frame, in which every codon weighs 0."""
CODON_NUMBERS = 125
"""Numbers that three letters can have; see `profile.weights`."""
NO_CODON = 124
"""The number of three unknown letters, which weigh 0 everywhere."""
GAP_OF_CODONS, PER_CODON = 900, 150
"""Costs of a gap of whole codons: once, and for each codon. In hundredths of a natural logarithm of odds."""
GAP_OF_BASES, PER_BASE = 1_600, 150
"""Costs of any other gap: once, and for each base."""
LEAST_PER_CODON = 60
"""Mean weight of a codon below which a sequence is not taken for COI-5P."""
LEAST_CODONS = 40
"""Codons on the frame below which no place is certain."""


def triples(letters: Letters) -> Letters:
    """The number of the three letters that end at each base (see `profile.weights`); uint8, shape of the letters."""
    numbers = np.full(letters.shape, NO_CODON, np.uint8)
    numbers[:, 2:] = (letters[:, :-2] * np.uint8(5) + letters[:, 1:-1]) * np.uint8(5) + letters[:, 2:]
    return numbers


@cache
def table() -> Weights:
    """Weights by the column in which a codon ends, with room on both sides; int32, shape (columns, 125)."""
    padded = np.zeros((COLUMNS + 2 * PAD, CODON_NUMBERS), np.int32)
    padded[PAD + 3 : PAD + COLUMNS : 3] = profile.weights()
    return padded
