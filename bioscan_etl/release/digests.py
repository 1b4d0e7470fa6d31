"""MD5 of texts, which stays the same over versions of libraries, as polars' own hash does not.

Belongs here: columns of texts. Does not belong here: sums of files (`manifest`).
"""

from __future__ import annotations

import polars as pl


def md5(texts: pl.Series) -> pl.Series:
    """The MD5 of each text, 32 hex digits in lower case.

    Args:
        texts: text of length n without nulls.

    Returns:
        `digest`, text of length n, in the same order.

    Example:
        >>> md5(pl.Series(["ABC001-20"])).str.head(4).to_list()
        ['4842']
    """
    import duckdb  # reading a form needs no digest

    # polars has no MD5. DuckDB's is vectorised, and a projection keeps the order of rows.
    with duckdb.connect() as connection:
        table = connection.from_arrow(pl.DataFrame({"text": texts}).to_arrow())
        return pl.Series("digest", table.project("md5(text) AS digest").to_arrow_table()["digest"], dtype=pl.String)
