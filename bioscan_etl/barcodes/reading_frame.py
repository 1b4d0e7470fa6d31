"""Reading frames: the genetic code of a lineage, and the frame of a sequence without stop codons.

Belongs here: the codes' stop codons, the lineages' codes, the search for an open frame. Does not belong
here: what a closed frame means for a record (`check`).

Source: NCBI, "The Genetic Codes" (translation tables 1, 2, 5, 9 and 13) and the codes that the NCBI taxonomy
assigns to lineages.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import polars as pl

STOP_CODONS: dict[int, tuple[str, ...]] = {
    1: ("TAA", "TAG", "TGA"),  # standard: never right for mitochondria of animals, kept for comparison
    2: ("TAA", "TAG", "AGA", "AGG"),  # vertebrate mitochondrial
    5: ("TAA", "TAG"),  # invertebrate mitochondrial
    9: ("TAA", "TAG"),  # echinoderm and flatworm mitochondrial
    13: ("TAA", "TAG"),  # ascidian mitochondrial
}

# A class takes precedence over its phylum; None means every class. Lancelets are chordates, but do not have the
# vertebrate code; all tunicates have the ascidian code.
LINEAGE_CODES: tuple[tuple[str, str | None, int], ...] = (
    ("chordata", None, 2),
    ("chordata", "ascidiacea", 13),
    ("chordata", "thaliacea", 13),
    ("chordata", "appendicularia", 13),
    ("chordata", "larvacea", 13),
    ("chordata", "leptocardii", 5),
    ("chordata", "cephalochordata", 5),
    ("tunicata", None, 13),
    ("echinodermata", None, 9),
    ("platyhelminthes", None, 9),
)

# Tryptophan, threonine, any, tyrosine, proline, proline: 98 % of the sample's barcodes have it and no reverse
# complement has it, so it identifies the strand even if the frame is closed.
COI_MOTIF = "TG[AG]AC[A-Z]{4}TA[CT]CC[A-Z]CC"

_AMBIGUITY = {
    "A": "A",
    "C": "C",
    "G": "G",
    "T": "T",
    "R": "AG",
    "Y": "CT",
    "S": "CG",
    "W": "AT",
    "K": "GT",
    "M": "AC",
    "B": "CGT",
    "D": "AGT",
    "H": "ACT",
    "V": "ACG",
    "N": "ACGT",
}


@cache
def certain_stops(code: int) -> tuple[str, ...]:
    """All IUPAC codons of a genetic code that are stop codons for every resolution of their ambiguous letters.

    TAR is a stop codon of code 5 because it is TAA or TAG; a codon with N never is.
    """
    stops = set(STOP_CODONS[code])
    return tuple(
        "".join(codon)
        for codon in product(_AMBIGUITY, repeat=3)
        if {"".join(bases) for bases in product(*(_AMBIGUITY[letter] for letter in codon))} <= stops
    )


def genetic_code(phylum: pl.Expr, class_: pl.Expr, default: int) -> pl.Expr:
    """NCBI code of a record's lineage (Int32): by class, otherwise by phylum, otherwise the default."""
    phylum, class_ = (rank.str.strip_chars().str.to_lowercase() for rank in (phylum, class_))
    by_phylum = {name: code for name, group, code in LINEAGE_CODES if group is None}
    by_class = {f"{name}\t{group}": code for name, group, code in LINEAGE_CODES if group is not None}
    both = pl.concat_str(phylum, class_, separator="\t")
    return pl.coalesce(
        both.replace_strict(by_class, default=None, return_dtype=pl.Int32),
        phylum.replace_strict(by_phylum, default=None, return_dtype=pl.Int32),
        pl.lit(default, pl.Int32),
    )


def open_frame(sequence: pl.Expr, code: pl.Expr) -> pl.Expr:
    """First offset (0, 1 or 2) at which a sequence has no stop codon.

    Only complete codons are read; one or two letters at the end are ignored. A stop codon at the end also
    counts, because COI-5P ends long before the gene does.

    Args:
        sequence: upper case letters without gaps.
        code: NCBI code, one of `STOP_CODONS`.

    Returns:
        Int32; null if all three frames are closed, the sequence is missing, or the code is unknown.
    """
    by_stops: dict[tuple[str, ...], list[int]] = {}
    for number in STOP_CODONS:
        by_stops.setdefault(certain_stops(number), []).append(number)
    return pl.coalesce(
        pl.when(code.is_in(numbers)).then(_first_open(sequence, stops)) for stops, numbers in by_stops.items()
    ).cast(pl.Int32)


def _first_open(sequence: pl.Expr, stops: tuple[str, ...]) -> pl.Expr:
    choice = "|".join(stops)
    return pl.coalesce(
        pl.when(~sequence.str.contains(rf"^[A-Z]{{{offset}}}(?:[A-Z]{{3}})*?(?:{choice})")).then(pl.lit(offset))
        for offset in range(3)
    )
