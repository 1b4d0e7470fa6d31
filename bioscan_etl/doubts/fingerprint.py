"""Fingerprints: of the facts that a doubt rests on, and of what it is about.

Belongs here: hashing rows. Does not belong here: which facts count (`kinds`).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

DIGITS = 16
_MISSING, _BETWEEN = "\x00", "\x1f"


def fingerprint(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """16 hexadecimal digits per row: sha256 of the values, a missing one being none of the texts.

    Args:
        frame: has the columns, of any type that can be cast to text.
        columns: in the order in which they count.
    """
    texts = (pl.col(name).cast(pl.String).fill_null(_MISSING) for name in columns)
    facts = frame.select(facts=pl.concat_str(*texts, separator=_BETWEEN)).with_row_index("row")
    if facts.is_empty():
        return pl.Series("fingerprint", [], dtype=pl.String)
    with duckdb.connect() as connection:
        connection.register("facts", facts.to_arrow())
        query = f"select row, left(sha256(facts), {DIGITS}) as fingerprint from facts"  # noqa: S608
        found = pl.DataFrame(connection.sql(query).to_arrow_table())
    return found.sort("row")["fingerprint"]
