"""Barcodes beside each other: placed on the letters of one of them.

Belongs here: alignment of a few barcodes. Does not belong here: finding those that are near one (`neighbours`).
"""

from __future__ import annotations

from typing import Any

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
    unknown = "N" + _GAP
    pairs = enumerate(zip(reference, placed, strict=True))
    return [at for at, (one, two) in pairs if one != two and one not in unknown and two not in unknown]


def beside(reference: str, others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `barcode`, with `placed` and `differing` added."""
    found = []
    for row in others:
        placed = place_on(reference, row["barcode"])
        found.append(row | {"placed": placed, "differing": differing(reference, placed)})
    return found
