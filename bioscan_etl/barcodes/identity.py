"""Which letters make two barcodes the same: the one definition, as polars expression and as DuckDB SQL.

Belongs here: the identity of a barcode. Does not belong here: the identities of a whole column (`identities`),
numbering barcodes that are the same (`numbering`), and cleaning a sequence as delivered (`sequences`, `check`).

Two records have the same barcode if their sequences, as a release writes them, differ in N at the ends at most (spec:
DNA barcodes; the release, rule 3). A release knows A, C, G, T and N; every other letter, and a gap, is N.
"""

from __future__ import annotations

import polars as pl

_NO_BASE = "[^ACGTNacgtn]"
IS_IDENTITY = "[ACGT]([ACGTN]*[ACGT])?"
"""Pattern of a whole barcode that is its own identity."""


def as_released(sequence: pl.Expr) -> pl.Expr:
    """A sequence as a release writes it: upper case, everything but A, C, G, T as N; null for null.

    Only letters of ASCII are left when cases are changed, so that no other alphabet's upper case counts.
    """
    return sequence.str.replace_all(_NO_BASE, "N").str.to_uppercase()


def barcode_identity(sequence: pl.Expr) -> pl.Expr:
    """What tells a barcode from others: the sequence `as_released`, without N at both ends; null if nothing is left.

    The identity of an identity is itself.

    >>> pl.select(barcode_identity(pl.lit("NNacRT-GN"))).item()
    'ACNTNG'
    """
    stripped = as_released(sequence).str.strip_chars("N")
    return pl.when(stripped != "").then(stripped)


def barcode_identity_sql(sequence: str) -> str:
    """`barcode_identity` for DuckDB.

    Args:
        sequence: SQL of a text, such as the name of a column.
    """
    made = f"nullif(trim(upper(regexp_replace({sequence}, '{_NO_BASE}', 'N', 'g')), 'N'), '')"
    # Almost all barcodes of a table are identities, and matching a pattern is faster than replacing by it.
    return f"CASE WHEN regexp_full_match({sequence}, '{IS_IDENTITY}') THEN {sequence} ELSE {made} END"
