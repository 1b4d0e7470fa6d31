"""Where the specimens of each partition were collected, and how far that differs from where those of train were.

Belongs here: countries by partition, and distances between partitions. Does not belong here: drawing
(`figures_places`), and what partitions share of barcodes (`leakage_curve`).

The total variation is half the sum of the differences of the shares: the share of a partition that would have to move
to other countries to be as train is. It does not say which countries are near each other. The Jensen-Shannon distance
gives more weight to countries that one side lacks (Endres & Schindelin 2003, doi:10.1109/TIT.2003.813506). scipy has it
as `spatial.distance.jensenshannon`; three lines are no reason for such a dependency.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.statistics.definitions import PARTITION_COUNTRIES_TABLE, PARTITION_SHIFT_TABLE
from bioscan_etl.vocabulary import SPLITS

REFERENCE = "train"
"""The partition that others are compared with."""
_Shares = npt.NDArray[np.float64]


def partition_countries(rows: pl.DataFrame) -> pl.DataFrame:
    """`definitions.PARTITION_COUNTRIES_TABLE`, by partition, the most frequent country first, then by name.

    Args:
        rows: split and country of each specimen; those without a country are not counted.
    """
    known = rows.select("split", "country").drop_nulls().filter(pl.col("split").is_in(SPLITS))
    counted = known.group_by("split", "country").agg(samples=pl.len().cast(pl.Int64))
    ordered = counted.sort(_place(), -pl.col("samples"), "country")
    shares = (
        ordered["samples"].to_numpy() / ordered.select(pl.col("samples").sum().over("split")).to_series().to_numpy()
    )
    return PARTITION_COUNTRIES_TABLE.conform(ordered.with_columns(samples_share=pl.Series(shares, dtype=pl.Float64)))


def partition_shift(countries: pl.DataFrame) -> pl.DataFrame:
    """`definitions.PARTITION_SHIFT_TABLE`: a row per entry of `vocabulary.SPLITS`.

    Distances are null if the partition or train has no specimen with a country.

    Args:
        countries: `definitions.PARTITION_COUNTRIES_TABLE`.
    """
    at = countries.select(split=_place(), country=pl.col("country").rank("dense").cast(pl.Int64) - 1)
    counts = np.zeros((len(SPLITS), countries["country"].n_unique()), np.int64)
    counts[at["split"].to_numpy(), at["country"].to_numpy()] = countries["samples"].to_numpy()
    totals, known = counts.sum(axis=1), counts[SPLITS.index(REFERENCE)]
    found = []
    for split, count, total in zip(SPLITS, counts, totals, strict=True):
        variation = distance = None
        if total and known.sum():
            variation, distance = _distances(count / total, known / known.sum())
        beyond = int(count[known == 0].sum())
        has = int((count > 0).sum())
        found.append((split, int(total), has, beyond, beyond / max(int(total), 1), variation, distance))
    return pl.DataFrame(found, schema=PARTITION_SHIFT_TABLE.schema(), orient="row")


def _place() -> pl.Expr:
    return pl.col("split").replace_strict({split: at for at, split in enumerate(SPLITS)}, return_dtype=pl.Int64)


def _distances(one: _Shares, other: _Shares) -> tuple[float, float]:
    """Total variation, and the Jensen-Shannon distance in base 2; both are between 0 and 1."""
    middle = (one + other) / 2
    divergence = sum(
        float((side[side > 0] * np.log2(side[side > 0] / middle[side > 0])).sum()) / 2 for side in (one, other)
    )
    return float(np.abs(one - other).sum() / 2), float(np.sqrt(min(max(divergence, 0.0), 1.0)))
