"""Barcodes beside each other: placed on the letters of one of them.

Belongs here: alignment of a few barcodes. Does not belong here: finding those that are near one (`neighbours`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

_GAP = "-"


def place_on(reference: str, other: str) -> str:
    """A barcode on the columns of another: as long as the reference, `-` where it has no base.

    >>> place_on("ACGTACGT", "CGTTCG")
    '-CGTTCG-'
    """
    letters = [_GAP] * len(reference)
    for step in Levenshtein.opcodes(reference, other):
        if step.tag in ("equal", "replace"):
            letters[step.src_start : step.src_end] = other[step.dest_start : step.dest_end]
    return "".join(letters)


def differing(reference: str, placed: str) -> list[int]:
    """Columns (0-based) at which both have a base and the bases differ.

    >>> differing("ACGN-A", "ATGCGT")
    [1, 5]
    """
    if len(reference) != len(placed):
        raise ValueError(f"a barcode of {len(placed)} columns is not placed on one of {len(reference)}")
    one, two = (np.frombuffer(letters.encode("utf-32-le"), np.uint32) for letters in (reference, placed))
    differ = one != two
    for unknown in map(ord, ("N", _GAP)):
        differ &= (one != unknown) & (two != unknown)
    found: list[int] = np.flatnonzero(differ).tolist()
    return found


def beside(reference: str, others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `barcode`, with `placed` and `differing` added."""
    found = []
    for row in others:
        placed = place_on(reference, row["barcode"])
        found.append(row | {"placed": placed, "differing": differing(reference, placed)})
    return found
