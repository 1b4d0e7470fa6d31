"""Figures of numbers of specimens: partitions, missing values, sizes, classes and orders, abundance.

Belongs here: bars, histograms and curves of counts. Does not belong here: counting (`tables`).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.statistics.canvas import (
    BAR,
    MISSING,
    SECOND,
    SPLIT_COLOURS,
    canvas,
    count_bars,
    plain_numbers,
    say_empty,
)
from bioscan_etl.statistics.categories import group_sizes
from bioscan_etl.statistics.drawn import Drawn

_SIZE_NAMES = {
    "image_measurement_value": "organism pixels at 1024x768 (px), logarithmic",
    "area_fraction": "box area over image area",
    "scale_factor": "shorter box side over 256 px, logarithmic",
}
_LONGEST_LIST = 40


def partition_distribution(drawn: Drawn, path: Path) -> None:
    """Specimens of each partition."""
    table = drawn.tables["partitions"]
    names = table["split"].to_list()
    with canvas(path, 8, 3.6) as (axis,):
        axis.set_title(f"Specimens per partition: {drawn.rows.height:,}")
        count_bars(axis, names, table["samples"].to_list(), [SPLIT_COLOURS[name] for name in names])


def missing_labels(drawn: Drawn, path: Path) -> None:
    """Share of specimens with a label, by rank."""
    _shares(drawn, path, "Labels by rank", list(vocabulary.RANKS), 3.4)


def missing_fields(drawn: Drawn, path: Path) -> None:
    """Share of specimens with a value, by column."""
    fields = drawn.tables["missing"].filter(pl.col("missing") > 0)["field"].to_list()
    _shares(drawn, path, "Columns with missing values", fields, 1.2 + 0.27 * max(3, len(fields)))


def _shares(drawn: Drawn, path: Path, title: str, fields: list[str], height: float) -> None:
    total = drawn.rows.height
    missing = dict(drawn.tables["missing"].select("field", "missing").iter_rows())
    with canvas(path, 8, height) as (axis,):
        axis.set_title(f"{title}: {total:,} specimens")
        if not total or not fields:
            say_empty(axis, "no value is missing" if total else "no specimens")
            return
        shares = [100 * (total - missing[field]) / total for field in fields]
        places = range(len(fields))
        axis.barh(places, shares, color=BAR, height=0.72, label="present")
        axis.barh(places, [100 - share for share in shares], left=shares, color=MISSING, height=0.72, label="missing")
        axis.set_yticks(list(places), fields)
        axis.set_ylim(len(fields) - 0.4, -0.6)
        axis.set_xlim(0, 124)
        axis.set_xticks([0, 25, 50, 75, 100])
        axis.tick_params(axis="y", length=0)
        axis.set_xlabel("percent of specimens")
        for place, field in enumerate(fields):
            axis.text(101.5, place, f"{missing[field]:,} missing", va="center", fontsize=9)
        axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)


def size_distribution(drawn: Drawn, path: Path) -> None:
    """Histograms of the three sizes; those with a long tail on a logarithmic axis."""
    import numpy as np

    with canvas(path, 10, 3, columns=3) as axes:
        for axis, (name, label) in zip(axes, _SIZE_NAMES.items(), strict=True):
            values = drawn.rows[name].drop_nulls().drop_nans().cast(pl.Float64).to_numpy()
            axis.set_title(f"{name}: {values.size:,}", fontsize=10)
            if not values.size:
                say_empty(axis, "no values")
                continue
            is_log = label.endswith("logarithmic") and float(values.max()) > 0
            if is_log:
                positive = values[values > 0]
                low, high = float(positive.min()), float(positive.max())
                edges = np.geomspace(low, high * (1 + 1e-9) if high > low else low * 1.1, 41)
                axis.set_xscale("log")
            else:
                edges = np.linspace(0.0, float(values.max()) or 1.0, 41)
            counts, _ = np.histogram(values, bins=edges)
            axis.stairs(counts, edges, fill=True, color=BAR)
            median = float(np.median(values))
            if median > 0 or not is_log:
                axis.axvline(median, color=SECOND, linewidth=1.5)
            axis.text(
                0.98, 0.97, f"median {_rounded(median)}", ha="right", va="top", transform=axis.transAxes, fontsize=9,
                color="#8a5a2b",
            )  # fmt: skip
            plain_numbers(axis)
            axis.set_xlabel(label)
            axis.set_ylabel("specimens")
            axis.grid(axis="y")


def _rounded(value: float) -> str:
    """A number with about three digits, and no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def records_per_class(drawn: Drawn, path: Path) -> None:
    """Specimens of each class."""
    _records_per(drawn, path, "class", "Specimens per class")


def records_per_order(drawn: Drawn, path: Path) -> None:
    """Specimens of each order."""
    _records_per(drawn, path, "order", "Specimens per order")


def _records_per(drawn: Drawn, path: Path, rank: str, title: str) -> None:
    groups = group_sizes(drawn.rows, rank)
    shown = groups.head(_LONGEST_LIST)
    with canvas(path, 8, 1.3 + 0.24 * max(3, shown.height)) as (axis,):
        more = groups.height - shown.height
        labelled = f"{int(groups['size'].sum()):,} of {drawn.rows.height:,} labelled"
        axis.set_title(f"{title}: {labelled}" + (f"; the {shown.height} largest of {groups.height}" if more else ""))
        if shown.is_empty():
            say_empty(axis, f"no specimen has a label at rank {rank}")
            return
        count_bars(axis, shown["category"].to_list(), shown["size"].to_list(), BAR)


def species_rank_abundance(drawn: Drawn, path: Path) -> None:
    """Specimens of each species, from the commonest to the rarest."""
    groups = group_sizes(drawn.rows, "species")
    with canvas(path, 8, 3.6) as (axis,):
        axis.set_title(f"Species by abundance: {groups.height:,} species")
        if groups.is_empty():
            say_empty(axis, "no specimen has a species label")
            return
        # A step per abundance is enough to draw millions of species.
        steps = (
            groups.with_row_index("rank", offset=1)
            .group_by("size")
            .agg(pl.col("rank").min().alias("first"), pl.col("rank").max().alias("last"))
            .sort("size", descending=True)
        )
        ranks = steps.select(pl.concat_list("first", "last")).to_series().explode().to_list()
        counts = steps.select(pl.concat_list("size", "size")).to_series().explode().to_list()
        axis.plot(ranks, counts, color=BAR, linewidth=2, marker="o", markersize=3)
        axis.set_xscale("log")
        axis.set_yscale("log")
        plain_numbers(axis)
        axis.grid(visible=True)
        axis.set_xlabel("species, commonest first")
        axis.set_ylabel("specimens")
