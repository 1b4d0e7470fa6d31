"""The accepted specimens of the corpus: those that pass all gates.

Belongs here: the filter through which labels and partitions read specimens. Does not belong here: the gates themselves
(`specimens.assemble`).
"""

from __future__ import annotations

from typing import TypeVar

import polars as pl

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def accepted(specimens: Frame) -> Frame:
    """Specimens that pass all gates."""
    return specimens.filter(pl.col("gates").list.len() == 0).drop("gates")
