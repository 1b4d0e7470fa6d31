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

_CODE = np.full(256, UNKNOWN, np.uint8)
_CODE[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4, dtype=np.uint8)


def codes(barcodes: pl.Series) -> npt.NDArray[np.uint8]:
    """Letters as numbers: A, C, G, T are 0 to 3, all others 4.

    Args:
        barcodes: upper case text without nulls.

    Returns:
        uint8, shape (barcodes, length of the longest); `UNKNOWN` after the end of a shorter one.
    """
    width = int(barcodes.str.len_bytes().max() or 0)  # type: ignore[arg-type]
    if not width:
        return np.empty((len(barcodes), 0), np.uint8)
    text = barcodes.str.pad_end(width, "-").str.join("").item()
    return _CODE[np.frombuffer(text.encode(), np.uint8)].reshape(len(barcodes), width)
