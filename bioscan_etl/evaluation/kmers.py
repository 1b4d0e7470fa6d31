"""Barcodes as counts of k-mers: overlapping ones for comparison, and tokens for networks.

Belongs here: k-mers of A, C, G and T. Does not belong here: searching (`search`) and training (`networks`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.columns import codes
from bioscan_etl.evaluation.records import NO_LABEL, Numbers, Records
from bioscan_etl.evaluation.search import Vectors, normalised

_ROWS = 2000  # barcodes whose k-mers are counted at a time
_BASES = 4

Counts = npt.NDArray[np.uint8]


class KmerVectors:
    """Counts of all k-mers of barcodes, as vectors of length 1.

    A k-mer with N counts for nothing. A count above 255 is 255.

    Attributes:
        counts: uint8, shape (barcodes, 4^k).
    """

    def __init__(self, barcodes: pl.Series, k: int) -> None:
        """Count.

        Args:
            barcodes: text.
            k: bases of a k-mer, at least 1.
        """
        # Filled part by part: those of 300,000 barcodes are 1.3 GB, which memory holds once.
        self.counts = np.empty((len(barcodes), _BASES**k), np.uint8)
        done = 0
        for part in _counted(barcodes, k):
            self.counts[done : done + len(part)] = part
            done += len(part)

    def __len__(self) -> int:
        return len(self.counts)

    def at(self, positions: Numbers) -> Vectors:
        """As of `search.Embedded`: shape (positions, 4^k)."""
        return normalised(self.counts[positions].astype(np.float32))


def _counted(barcodes: pl.Series, k: int) -> Iterator[Counts]:
    width = _BASES**k
    for start in range(0, len(barcodes), _ROWS):
        letters = codes(barcodes[start : start + _ROWS]).astype(np.int64)
        rows = len(letters)
        if letters.shape[1] < k:
            yield np.zeros((rows, width), np.uint8)
            continue
        number, is_known = kmer_numbers(letters, k)
        row = np.broadcast_to(np.arange(rows)[:, None], number.shape)
        flat = np.bincount((row * width + number)[is_known], minlength=rows * width)
        yield np.minimum(flat, np.iinfo(np.uint8).max).astype(np.uint8).reshape(rows, width)


def kmer_numbers(letters: Numbers, k: int) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The number of the k-mer that begins at each place, in lexical order of A, C, G, T.

    Args:
        letters: A, C, G, T as 0 to 3, everything else above, shape (rows, length); length at least k.
        k: bases of a k-mer.

    Returns:
        int64 and whether it has bases only, both of shape (rows, length - k + 1).
    """
    places = letters.shape[1] - k + 1
    number = np.zeros((len(letters), places), np.int64)
    is_known = np.ones(number.shape, np.bool_)
    for at in range(k):
        base = letters[:, at : at + places]
        is_known &= base < _BASES
        number = number * _BASES + np.minimum(base, _BASES - 1)
    return number, is_known


class BarcodeVectors:
    """Counts of k-mers of the barcodes of some rows, by the number of the barcode in a release.

    Most barcodes of a release are those of pretrain, which few benchmarks ask for.
    """

    def __init__(self, records: Records, rows: Numbers, k: int) -> None:
        """Count.

        Args:
            records: the release.
            rows: rows of it; one without a barcode counts for nothing.
            k: bases of a k-mer.
        """
        held = np.unique(records.barcode_ids[rows])
        held = held[held != NO_LABEL]
        self._places = np.full(len(records.barcodes), NO_LABEL)
        self._places[held] = np.arange(len(held))
        self._vectors = KmerVectors(records.barcodes.gather(held), k)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def counted(self) -> int:
        """Number of barcodes that are counted."""
        return len(self._vectors)

    def at(self, positions: Numbers) -> Vectors:
        """As of `search.Embedded`; positions are numbers of barcodes of the rows, float32, shape (positions, 4^k)."""
        return self._vectors.at(self._places[positions])
