"""Barcodes as numbers for a model: k-mers that do not overlap, in BarcodeBERT's vocabulary.

Belongs here: which number a k-mer has, and which tokens are padding (spec: benchmarks, BarcodeBERT). Does not belong
here: models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

LENGTH = 660
"""Letters of a barcode that a model sees; a shorter one is padded with N."""
LETTERS = b"ACGT"
MASK, UNKNOWN = 0, 1
"""Numbers of `<MASK>` and `<UNK>`; the k-mers follow from 2 on, in lexical order."""
SPECIAL = 2
MOST = 12
"""Longest k-mer: 4^12 is 17 million tokens."""

_OTHER = len(LETTERS)
_DIGIT = np.full(256, _OTHER, np.uint8)
_DIGIT[list(LETTERS)] = np.arange(len(LETTERS))


def vocabulary_size(k: int) -> int:
    """Number of tokens: `<MASK>`, `<UNK>` and the 4^k k-mers.

    Raises:
        ValueError: k is no number from 1 to `MOST`.
    """
    if not 1 <= k <= MOST:
        raise ValueError(f"k={k} is no length of a k-mer; give a number from 1 to {MOST}")
    return SPECIAL + int(len(LETTERS) ** k)


def kmer_tokens(
    barcodes: Sequence[str], k: int = 4, length: int = LENGTH
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The tokens of barcodes, and which of them a model attends to.

    A barcode is cut, or padded with N, to `length` letters, and read k letters at a time. A k-mer with any letter but
    A, C, G and T is `<UNK>`. Letters beyond the last whole k-mer are left out. N at the end of a barcode is padding.
    As published, a token that a barcode fills only in part is padding, too. The first token is attended always, so that
    each barcode has an embedding.

    Args:
        barcodes: n texts of single-byte letters, upper case.
        k: letters of a k-mer, 1 to `MOST`.
        length: letters of a barcode.

    Returns:
        Tokens, int64 (n, length // k), and the attention mask, bool of the same shape: False where a token is padding.

    Raises:
        ValueError: k is no such number, or longer than a barcode.
    """
    vocabulary_size(k)
    if length < k:
        raise ValueError(f"length={length} is shorter than a k-mer of {k} letters")
    count = length // k
    used = count * k
    stripped = [barcode[:used].rstrip("N") for barcode in barcodes]
    letters = "".join(barcode.ljust(used, "N") for barcode in stripped).encode("latin-1", "replace")
    padded = np.frombuffer(letters, np.uint8)
    lengths = np.fromiter(map(len, stripped), np.int64, len(stripped))
    digits = _DIGIT[padded].reshape(len(stripped), count, k)
    places = len(LETTERS) ** np.arange(k - 1, -1, -1, dtype=np.int64)
    tokens = np.where((digits == _OTHER).any(axis=2), UNKNOWN, digits @ places + SPECIAL)
    attended = np.arange(1, count + 1) * k <= lengths[:, None]
    attended[:, 0] = True
    return tokens, attended
