"""Reading frames: which genetic code a lineage has, and where a sequence has no stop codon.

Belongs here: the codes' stop codons, the lineages' codes, the search for an open frame. Does not belong
here: what a closed frame means for a record (`check`).

Source: NCBI, "The Genetic Codes" (translation tables 1, 2, 5, 9 and 13) and the codes that the NCBI taxonomy
gives to lineages.
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

# A class goes before its phylum; None stands for every class. The lancelets are chordates without the
# vertebrates' code, and all tunicates share the ascidians'.
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

# Tryptophan, threonine, any, tyrosine, proline, proline: 98 % of the sample's barcodes have it forwards and
# none as reverse complement, so it tells the strand where a frame is closed for another reason.
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
    """All IUPAC codons of a genetic code that stop whatever their ambiguous letters stand for.

    TAR is a stop of code 5, being TAA or TAG; a codon with N never is one.
    """
    stops = set(STOP_CODONS[code])
    return tuple(
        "".join(codon)
        for codon in product(_AMBIGUITY, repeat=3)
        if {"".join(bases) for bases in product(*(_AMBIGUITY[letter] for letter in codon))} <= stops
    )


def genetic_code(phylum: pl.Expr, class_: pl.Expr, default: int) -> pl.Expr:
    """NCBI code of a record's lineage (Int32): by class, else by phylum, else the default."""
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

    Whole codons only are read: one or two letters left over at the end are no codon. A stop as the last
    codon counts too, because COI-5P ends long before the gene does.

    Args:
        sequence: upper case letters without gaps.
        code: NCBI code, one of `STOP_CODONS`.

    Returns:
        Int32; null where all three frames are closed, the sequence is missing, or the code unknown.
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
