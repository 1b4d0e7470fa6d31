"""The columns of the frame in which barcodes differ most, as few words of bits: what a search compares first.

Most differences between barcodes of one gene are at the third position of a codon, because they leave the protein as it
is. Unrelated barcodes differ in nearly half of these columns. The columns are the 192 third positions in the middle of
the frame, which nearly all barcodes reach. They are fixed, so that no result depends on the corpus.

A pair has at least as many differences as its variable columns show. So a pair that shows more than a limit there is
beyond the limit, without a look at the rest.

Belongs here: these words. Does not belong here: what is searched with them (`nearest`, `within`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioscan_etl.barcodes.framed import Framed

WORDS = 3
"""Words of 64 columns."""
FIRST = 45  # the column, from 0, of the first; columns 45, 48 … 618 are third positions of codons

_PART = 50_000  # barcodes whose bits are held at a time

_Numbers = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]
Planes = tuple[_Words, _Words, _Words]
"""low, high and known of some barcodes, mostly each of shape (words, barcodes)."""


def variable_words(barcodes: Framed | Planes, members: _Numbers) -> Planes:
    """The words of some barcodes.

    Args:
        barcodes: on the frame; or low, high and known as in `Framed`, each of shape (barcodes, 11).
        members: their positions.

    Returns:
        low, high and known, each of shape (WORDS, members).
    """
    whole = (barcodes.low, barcodes.high, barcodes.known) if isinstance(barcodes, Framed) else barcodes
    columns = np.arange(FIRST, FIRST + 3 * 64 * WORDS, 3)
    planes = []
    for plane in whole:
        words = np.empty((WORDS, len(members)), np.uint64)
        for start in range(0, len(members), _PART):
            part = slice(start, start + _PART)
            bits = np.unpackbits(plane[members[part]].view(np.uint8), axis=1)[:, columns]
            words[:, part] = np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64).T
        planes.append(words)
    low, high, known = planes
    return low, high, known


def differing(rows: Planes, columns: Planes) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Differences of each of some barcodes to each of others, in the columns of their words that both have.

    Args:
        rows: low, high and known, each of shape (words, rows).
        columns: the same of the others.

    Returns:
        uint8 for up to 3 words, else uint16; shape (rows, columns).
    """
    shape = (rows[0].shape[1], columns[0].shape[1])
    bits, other = np.empty(shape, np.uint64), np.empty(shape, np.uint64)
    counted = np.empty(shape, np.uint8)
    found = np.zeros(shape, np.uint8 if len(rows[0]) <= 3 else np.uint16)
    for word in range(len(rows[0])):
        low, high, known = (plane[word, :, None] for plane in rows)
        np.bitwise_xor(low, columns[0][word], out=bits)
        np.bitwise_xor(high, columns[1][word], out=other)
        bits |= other
        bits &= known
        bits &= columns[2][word]
        found += np.bitwise_count(bits, out=counted)
    return found
