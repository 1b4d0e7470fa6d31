"""Which specimens the corpus accepts: those that no gate holds.

Belongs here: the filter that labels and partitions read specimens through. Does not belong here: the gates themselves
(`specimens.assemble`).
"""

from __future__ import annotations

from typing import TypeVar

import polars as pl

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def accepted(specimens: Frame) -> Frame:
    """Specimens that no gate holds."""
    return specimens.filter(pl.col("gates").list.len() == 0).drop("gates")
