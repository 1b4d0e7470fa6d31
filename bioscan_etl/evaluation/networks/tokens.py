"""Barcodes as tokens: k-mers that do not overlap (spec: benchmarks, BarcodeBERT).

Belongs here: the vocabulary and what is padding. Does not belong here: masking (`pretraining`) and counts of k-mers
that overlap (`kmers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.columns import UNKNOWN, codes
from bioscan_etl.evaluation.kmers import kmer_numbers
from bioscan_etl.evaluation.records import Flags, Numbers

LETTERS = 660
"""Letters that a barcode is cut or padded to."""
MASK, UNK = 0, 1
"""Tokens of what is masked, and of a k-mer with a letter that is not A, C, G or T."""
SPECIAL = 2
"""Number of the first k-mer, that of A only."""
_BASES = 4

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


def vocabulary_size(k: int) -> int:
    """Number of tokens: the special ones and 4^k k-mers."""
    return SPECIAL + int(_BASES**k)


def tokenised(barcodes: pl.Series, k: int, offset: Numbers | int = 0) -> Tokens:
    """Cut barcodes into k-mers.

    As published, a token that a barcode fills only in part is padding. A barcode without a whole k-mer has its first
    token attended, which is <UNK>, so that it has an embedding.

    Args:
        barcodes: upper case text without nulls.
        k: bases of a k-mer, which is also the stride.
        offset: letters that are left out at the start, for all barcodes or for each.

    Returns:
        Tokens `MASK`, `UNK`, and the k-mers in lexical order from `SPECIAL`; no token is `MASK`.
    """
    offsets = np.broadcast_to(np.asarray(offset, np.int64), (len(barcodes),))
    lengths = np.maximum(barcodes.str.len_bytes().to_numpy().astype(np.int64) - offsets, 0)
    width = LETTERS // k
    letters = np.full((len(barcodes), LETTERS), UNKNOWN, np.uint8)
    given = codes(barcodes)
    for skipped in np.unique(offsets).tolist():
        rows = np.flatnonzero(offsets == skipped)
        part = given[rows, skipped : skipped + LETTERS]
        letters[rows, : part.shape[1]] = part
    whole = letters[:, : width * k].reshape(len(barcodes) * width, k).astype(np.int64)
    number, is_known = kmer_numbers(whole, k)
    named = np.where(is_known[:, 0], number[:, 0] + SPECIAL, UNK).reshape(len(barcodes), width)
    numbers = named.astype(np.uint16) if vocabulary_size(k) <= np.iinfo(np.uint16).max else named.astype(np.int32)
    attended = np.arange(width) < np.minimum(lengths, LETTERS)[:, None] // k
    attended[:, 0] = True
    return Tokens(k, numbers, attended)


def kmer_names(k: int) -> Sequence[str]:
    """The vocabulary by number, such as `<MASK>`, `<UNK>`, `AAAA`."""
    letters = np.array(list("ACGT"))
    places = np.arange(_BASES**k)[:, None] // _BASES ** np.arange(k - 1, -1, -1) % _BASES
    return ["<MASK>", "<UNK>", *("".join(word) for word in letters[places])]
