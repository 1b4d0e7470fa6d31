"""Barcodes as tokens: k-mers that do not overlap (spec: benchmarks, BarcodeBERT).

Belongs here: the tokens of many barcodes, some of which are taken at a time. Does not belong here: the vocabulary and
what is padding (`barcodes.tokens`), masking (`pretraining`), and counts of k-mers that overlap (`kmers`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.tokens import kmer_tokens, vocabulary_size
from bioscan_etl.evaluation.records import Flags, Numbers

Token = npt.NDArray[np.uint16] | npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Barcodes as tokens.

    Attributes:
        k: bases of a k-mer.
        numbers: uint16, for k above 7 int32, shape (barcodes, 660 // k).
        attended: whether the whole token is within the barcode, shape (barcodes, 660 // k). The others are padding.
    """

    k: int
    numbers: Token
    attended: Flags

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, positions: Numbers) -> Tokens:
        """The tokens of some barcodes."""
        return Tokens(self.k, self.numbers[positions], self.attended[positions])


def tokenised(barcodes: pl.Series, k: int, offset: Numbers | int = 0) -> Tokens:
    """Cut barcodes into k-mers (`barcodes.tokens.kmer_tokens`).

    Args:
        barcodes: upper case text without nulls.
        k: bases of a k-mer, which is also the stride.
        offset: letters that are left out at the start, for all barcodes or for each.

    Returns:
        Tokens; none is `MASK`.
    """
    offsets = np.broadcast_to(np.asarray(offset, np.int64), (len(barcodes),))
    read = barcodes.str.slice(pl.Series(offsets)) if offsets.any() else barcodes
    numbers, attended = kmer_tokens(read.to_list(), k)
    fits = vocabulary_size(k) <= np.iinfo(np.uint16).max
    return Tokens(k, numbers.astype(np.uint16) if fits else numbers.astype(np.int32), attended)
