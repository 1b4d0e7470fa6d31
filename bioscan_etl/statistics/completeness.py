"""How much of what lives where was collected a release has: estimates from what was found once and twice.

The estimates assume that specimens are drawn from one population, each with the same chance to get a label. Species
labels break that: specialists name the groups that they know. BINs are given to nearly all barcodes, so their numbers
can be trusted more than those of species.

Belongs here: richness, coverage and rarefaction. Does not belong here: counting categories (`tables`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.statistics.definitions import COMPLETENESS_TABLE, RAREFACTION_TABLE, UNITS

_POINTS = 40
_COLUMN = {unit: "barcode_id" if unit == "dna_barcode" else unit for unit in UNITS}

_Numbers = npt.NDArray[np.int64]


def completeness(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Richness and coverage of species, BINs and barcodes, in all specimens and by order, and rarefaction.

    Args:
        rows: order, species, dna_bin and barcode_id of each specimen.

    Returns:
        completeness and rarefaction, as `definitions` has them. Without any value, a unit has no row.
    """
    found, curves = [], []
    for unit, column in _COLUMN.items():
        counts = rows.select("order", value=column).drop_nulls("value").group_by("order", "value").agg(size=pl.len())
        whole = counts.group_by("value").agg(pl.col("size").sum())["size"].to_numpy().astype(np.int64)
        if not len(whole):
            continue
        found.append((unit, None, *_estimates(whole)))
        for (order,), part in counts.drop_nulls("order").sort("order").group_by(["order"], maintain_order=True):
            found.append((unit, order, *_estimates(part["size"].to_numpy().astype(np.int64))))
        curves += [(unit, size, expected) for size, expected in _rarefied(whole)]
    return {
        "completeness": pl.DataFrame(found, schema=COMPLETENESS_TABLE.schema(), orient="row"),
        "rarefaction": pl.DataFrame(curves, schema=RAREFACTION_TABLE.schema(), orient="row"),
    }


def _estimates(sizes: _Numbers) -> tuple[int, int, int, int, float, float | None]:
    """samples, observed, once, twice, chao1 and coverage of groups of these sizes.

    Chao1 is bias-corrected, so that it exists without any group of two (Chao 1984, doi:10.2307/4615964; Chiu et al.
    2014, doi:10.1111/biom.12200). Coverage is that of Chao & Jost 2012, doi:10.1890/11-1952.1; without a group of two
    its own corrected form; None if no group is larger than one, since nothing then is known.
    """
    total, observed = int(sizes.sum()), len(sizes)
    once, twice = int((sizes == 1).sum()), int((sizes == 2).sum())
    chao1 = observed + (total - 1) / total * once * (once - 1) / (2 * (twice + 1))
    if once == total:
        return total, observed, once, twice, chao1, None
    if once == 0:
        return total, observed, once, twice, chao1, 1.0
    more = (total - 1) * once
    share = more / (more + 2 * twice) if twice else (total - 1) * (once - 1) / ((total - 1) * (once - 1) + 2)
    return total, observed, once, twice, chao1, 1 - once / total * share


def _rarefied(sizes: _Numbers) -> list[tuple[int, float]]:
    """The expected number of groups among so many specimens, drawn without replacement, up to all of them."""
    total = int(sizes.sum())
    distinct, times = np.unique(sizes, return_counts=True)
    # Logarithm of the factorial of 0 to total, once; the chance to miss a group is a quotient of binomials.
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    steps = np.unique(np.round(np.geomspace(1, total, _POINTS)).astype(np.int64))
    curve = []
    for drawn in steps.tolist():
        kept = total - distinct
        can_miss = kept >= drawn
        missed = np.zeros(len(distinct))
        left = kept[can_miss]
        missed[can_miss] = np.exp(
            factorial[left] - factorial[left - drawn] - factorial[total] + factorial[total - drawn]
        )
        curve.append((drawn, math.fsum(times * (1 - missed))))
    return curve
