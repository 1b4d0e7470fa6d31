"""The identities of a whole column of barcodes, of which only those that are rewritten are copied.

Belongs here: that. Does not belong here: what the identity of a barcode is (`identity`), and numbers in place of
barcodes (`numbering`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.identity import IS_IDENTITY, barcode_identity

_PIECE = 20_000  # sequences whose letters are copied at a time
_LETTERS = 1 << 18  # letters that are compared at a time: they fit into the processor's cache


def barcode_identities(sequences: pl.Series) -> pl.Series:
    """`barcode_identity` of a column: only the few that are no identities are rewritten, the others are not copied.

    Args:
        sequences: text of length n.

    Returns:
        `barcode`, text of length n, in the same order.
    """
    rows = sequences.alias("barcode").to_frame().with_row_index("at")
    is_identity = pl.col("barcode").str.contains(f"^{IS_IDENTITY}$").fill_null(value=False)
    other = rows[_with_other_letters(sequences)].filter(~is_identity)
    if other.is_empty():
        return rows["barcode"]
    rewritten = other.lazy().with_columns(barcode_identity(pl.col("barcode"))).collect()
    kept = np.ones(rows.height, np.bool_)
    kept[other["at"]] = False
    return pl.concat([rows.filter(kept), rewritten], rechunk=True).sort("at")["barcode"]


def _with_other_letters(sequences: pl.Series) -> npt.NDArray[np.uint32]:
    """The positions of sequences that are null, empty, or have a letter that is not A, C, G or T, ascending.

    numpy compares all letters of some thousand sequences at once: four times as fast as a pattern.
    """
    found = [np.empty(0, np.uint32)]
    for start in range(0, len(sequences), _PIECE):
        texts = sequences[start : start + _PIECE].rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        _, places, letters = texts.buffers()
        ends = np.frombuffer(places, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        code = np.frombuffer(letters or b"", np.uint8)
        odd = [np.empty(0, np.int64)]
        for at in range(int(ends[0]), int(ends[-1]), _LETTERS):
            piece = code[at : min(at + _LETTERS, int(ends[-1]))]
            known = piece == ord("A")
            for base in b"CGT":
                known |= piece == base
            odd.append(np.flatnonzero(~known) + at)
        lacks = ends[1:] == ends[:-1]
        lacks[np.searchsorted(ends, np.concatenate(odd), side="right") - 1] = True
        found.append((np.flatnonzero(lacks) + start).astype(np.uint32))
    return np.concatenate(found)
