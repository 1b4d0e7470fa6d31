"""The text that describes a specimen to a language model.

Belongs here: its words. Does not belong here: where it is written (`release.forms.archives`) and read (`torch`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema, vocabulary


def described() -> pl.Expr:
    """`<order> <family> <genus> <species>` of a row of the metadata; a missing rank is `not_classified`.

    This is the text that CLIBD trains on, so that its published text encoders see what they know (spec: benchmarks,
    CLIBD).
    """
    names = [pl.col(rank).fill_null(schema.NOT_CLASSIFIED) for rank in vocabulary.DESCRIBED_RANKS]
    return pl.concat_str(names, separator=" ")
