"""What the figures of a release are drawn from.

Belongs here: the input of all figures. Does not belong here: drawing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from bioscan_etl.vocabulary import RANKS

ROWS = (
    *RANKS,
    "country",
    "coord-lat",
    "coord-lon",
    "image_measurement_value",
    "area_fraction",
    "scale_factor",
    "split",
)
"""Columns of `schema.METADATA_EXTENDED` that figures are drawn from."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A release as figures see it.

    Attributes:
        rows: `ROWS` of the released specimens.
        tables: tables of `statistics.definitions` by name; a figure of a table that is missing is left out.
        sample: processid, taxon and dna_barcode of one specimen, whose barcode is shown; None: none has a barcode.
    """

    rows: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    sample: Mapping[str, str | None] | None


def sample_of(released: pl.LazyFrame) -> dict[str, str | None] | None:
    """The specimen with a barcode and the most labels, the first by process ID among these.

    Args:
        released: rows of `schema.METADATA_EXTENDED`.
    """
    labels = pl.sum_horizontal(pl.col(rank).is_not_null().cast(pl.Int32) for rank in RANKS)
    chosen = (
        released.filter(pl.col("dna_barcode").is_not_null())
        .select("processid", labels=labels)
        .sort("labels", "processid", descending=[True, False])
        .head(1)
        .collect()
    )
    if chosen.is_empty():
        return None
    named = released.filter(pl.col("processid") == chosen["processid"].item())
    found: dict[str, str | None] = named.select("processid", "taxon", "dna_barcode").collect().row(0, named=True)
    return found
