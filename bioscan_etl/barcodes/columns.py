"""The columns of the frame, and letters as numbers.

Belongs here: what is true of any barcode on the frame. Does not belong here: the profile that places it (`profile`).

The frame is COI-5P, 658 columns. Column 1 is the third base of a codon, columns 2 to 658 are 219 whole codons.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

COLUMNS = 658
"""Columns of the frame."""
CODONS = 219
"""Whole codons of the frame; the first begins in column 2."""
PUBLISHED_COLUMNS = 625
"""Letters that the code published with BIOSCAN-5M cuts barcodes to; its distances are edits of such strings."""
UNKNOWN = 4
"""Number of a letter that is not A, C, G or T."""


def codes(barcodes: pl.Series) -> npt.NDArray[np.uint8]:
    """Letters as numbers: A, C, G, T are 0 to 3, all others 4.

    Args:
        barcodes: upper case text without nulls.

    Returns:
        uint8, shape (barcodes, length of the longest); `UNKNOWN` after the end of a shorter one.
    """
    lengths = barcodes.str.len_bytes()
    width = int(lengths.max() or 0)  # type: ignore[arg-type]
    if not width:
        return np.empty((len(barcodes), 0), np.uint8)
    padded = barcodes if lengths.min() == width else barcodes.str.pad_end(width, "-")
    # Arrow's layout has all letters one after the other; reading them from a Python text would copy them twice.
    array = padded.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    text = np.frombuffer(data, np.uint8, len(barcodes) * width, int(np.frombuffer(offsets, np.int64)[array.offset]))
    # Arithmetic on whole arrays takes half the time of looking each letter up in a table.
    # The second and third bit of A, C, G, T are 00, 01, 11, 10: of the last two, the second tells 2 from 3.
    found: npt.NDArray[np.uint8] = text >> np.uint8(1)
    found &= np.uint8(3)
    found ^= (text >> np.uint8(2)) & np.uint8(1)
    other = text != ord("A")
    for base in b"CGT":
        other &= text != base
    np.copyto(found, UNKNOWN, where=other)
    return found.reshape(len(barcodes), width)
