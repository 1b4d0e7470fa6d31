"""The words in which the change log and the report give a curator's reason.

Belongs here: these. Does not belong here: applying decisions, which each stage does to its own data.
"""

from __future__ import annotations

import polars as pl


def line_reason() -> pl.Expr:
    """A curator's reason as the change log states it. Reads reason, note, curator and date."""
    note = pl.when(pl.col("note").is_not_null()).then(pl.format(": {}", "note")).otherwise(pl.lit(""))
    return pl.concat_str("reason", note, pl.format(" ({}, {})", "curator", "date"))
