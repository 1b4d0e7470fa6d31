"""Which letters make two barcodes the same: the one definition, as polars expression and as DuckDB SQL.

Belongs here: the identity of a barcode. Does not belong here: numbering barcodes that are the same (`numbering`), and
cleaning a sequence as delivered (`sequences`, `check`).

Two records have the same barcode if their sequences, as a release writes them, differ in N at the ends at most (spec:
DNA barcodes; the release, rule 3). A release knows A, C, G, T and N; every other letter, and a gap, is N.
"""

from __future__ import annotations

import polars as pl

_NO_BASE = "[^ACGTNacgtn]"
_IS_IDENTITY = "[ACGT]([ACGTN]*[ACGT])?"


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


def barcode_identities(sequences: pl.Series) -> pl.Series:
    """`barcode_identity` of a column: only the few that are no identities are rewritten, the others are not copied.

    Args:
        sequences: text of length n.

    Returns:
        `barcode`, text of length n, in the same order.
    """
    rows = sequences.alias("barcode").to_frame().with_row_index("at")
    is_identity = rows.select(pl.col("barcode").str.contains(f"^{_IS_IDENTITY}$").fill_null(value=False)).to_series()
    other = rows.filter(~is_identity)
    if other.is_empty():
        return rows["barcode"]
    other = other.lazy().with_columns(barcode_identity(pl.col("barcode"))).collect()
    return pl.concat([rows.filter(is_identity), other], rechunk=True).sort("at")["barcode"]


def barcode_identity_sql(sequence: str) -> str:
    """`barcode_identity` for DuckDB.

    Args:
        sequence: SQL of a text, such as the name of a column.
    """
    made = f"nullif(trim(upper(regexp_replace({sequence}, '{_NO_BASE}', 'N', 'g')), 'N'), '')"
    # Almost all barcodes of a table are identities, and matching a pattern is faster than replacing by it.
    return f"CASE WHEN regexp_full_match({sequence}, '{_IS_IDENTITY}') THEN {sequence} ELSE {made} END"
