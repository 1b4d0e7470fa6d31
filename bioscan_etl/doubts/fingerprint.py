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
    return digests(facts_of(frame, columns))


def facts_of(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """The text of which `fingerprint` is the digest, by row."""
    texts = (pl.col(name).cast(pl.String).fill_null(_MISSING) for name in columns)
    return frame.select(facts=pl.concat_str(*texts, separator=_BETWEEN)).to_series()


def digests(texts: pl.Series) -> pl.Series:
    """The first 16 hexadecimal digits of the sha256 of each text."""
    if texts.is_empty():
        return pl.Series("fingerprint", [], dtype=pl.String)
    facts = texts.alias("facts").to_frame().with_row_index("row")
    with duckdb.connect() as connection:
        connection.register("facts", facts.to_arrow())
        query = f"select row, left(sha256(facts), {DIGITS}) as fingerprint from facts"  # noqa: S608
        found = pl.DataFrame(connection.sql(query).to_arrow_table())
    return found.sort("row")["fingerprint"]
