"""Figures of numbers of specimens: partitions, missing values, sizes, classes and orders, abundance.

Belongs here: bars, histograms and curves of counts. Does not belong here: counting (`tables`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.statistics.canvas import (
    BAR,
    INK,
    MISSING,
    PAPER,
    SPLIT_COLOURS,
    Page,
    compact,
    count_bars,
    legend_below,
    plain,
    plain_numbers,
    say_empty,
)
from bioscan_etl.statistics.categories import group_sizes
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.looks import look

_SIZE_NAMES = {
    "image_measurement_value": ("Organism pixels", "px at 1024x768"),
    "area_fraction": ("Area fraction", "box area over image area"),
    "scale_factor": ("Scale factor", "shorter side of the box over 256 px"),
}
_LONGEST_LIST = 40
_BINS = 40
_WIDE_RANGE = 500  # largest over smallest value, from which powers of ten alone fill an axis


def partition_distribution(drawn: Drawn, page: Page) -> None:
    """Specimens of each partition."""
    table = drawn.tables["partitions"]
    names = table["split"].to_list()
    page.caption = f"Counted: {drawn.rows.height:,} specimens, each in one partition."
    (axis,) = page.axes(3.4)
    axis.set_title(f"Specimens per partition: {drawn.rows.height:,}")
    count_bars(axis, names, table["samples"].to_list(), [SPLIT_COLOURS[name] for name in names])


def missing_labels(drawn: Drawn, page: Page) -> None:
    """Share of specimens with a label, by rank."""
    _shares(drawn, page, "Labels by rank", list(vocabulary.RANKS), 3.4)


def missing_fields(drawn: Drawn, page: Page) -> None:
    """Share of specimens with a value, by column."""
    fields = drawn.tables["missing"].filter(pl.col("missing") > 0)["field"].to_list()
    _shares(drawn, page, "Columns with missing values", fields, 1.4 + 0.27 * max(3, len(fields)))


def _shares(drawn: Drawn, page: Page, title: str, fields: list[str], height: float) -> None:
    total = drawn.rows.height
    missing = dict(drawn.tables["missing"].select("field", "missing").iter_rows())
    page.caption = f"Counted: {total:,} specimens. At the right: how many lack a value."
    (axis,) = page.axes(height)
    axis.set_title(title)
    if not total or not fields:
        say_empty(axis, "no value is missing" if total else "no specimens")
        return
    shares = [100 * (total - missing[field]) / total for field in fields]
    places = range(len(fields))
    axis.barh(places, shares, color=BAR, height=0.72, label="present")
    axis.barh(
        places, [100 - share for share in shares], left=shares, color=MISSING, height=0.72, label="missing",
        hatch="////", edgecolor=PAPER, linewidth=0,
    )  # fmt: skip
    axis.set_yticks(list(places), fields)
    axis.set_ylim(len(fields) - 0.4, -0.6)
    axis.set_xlim(0, 127)
    axis.set_xticks([0, 25, 50, 75, 100])
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(f"percent of {total:,} specimens; at the right: missing")
    for place, field in enumerate(fields):
        axis.text(101.5, place, f"{missing[field]:,}", va="center", fontsize=9)
    legend_below(axis, 2)


def size_distribution(drawn: Drawn, page: Page) -> None:
    """Histograms of the three sizes, on logarithmic axes: all have a long tail."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    said = []
    axes = page.axes(7.2, rows=3)
    for axis, (name, (title, unit)) in zip(axes, _SIZE_NAMES.items(), strict=True):
        values = drawn.rows[name].drop_nulls().drop_nans().cast(pl.Float64).to_numpy()
        middle = f", median {plain(float(np.median(values)))}" if values.size else ""
        axis.set_title(f"{title}: {values.size:,} specimens{middle}", fontsize=11)
        positive = values[values > 0]
        said.append(f"{title} of {values.size:,} specimens, {values.size - positive.size:,} of them 0 and not drawn")
        if not positive.size:
            say_empty(axis, "no specimen has a value above 0" if values.size else "no values")
            continue
        # Whole pixels leave gaps between narrow bins.
        low, high = float(positive.min()), float(positive.max())
        edges = np.geomspace(low, high * (1 + 1e-9) if high > low else low * 1.1, _BINS + 1)
        counts, _ = np.histogram(positive, bins=edges)
        axis.set_xscale("log")
        axis.stairs(counts, edges, fill=True, color=BAR)
        median = float(np.median(values))
        if median > 0:
            axis.axvline(median, color=INK, linewidth=1.5, linestyle="--")
        plain_numbers(axis)
        if high < _WIDE_RANGE * low:
            axis.xaxis.set_minor_formatter(_some_minors)
        axis.tick_params(axis="x", which="both", labelsize=9)
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.yaxis.set_major_formatter(lambda value, _: compact(value))
        axis.set_xlabel(f"{unit}, logarithmic")
        axis.set_ylabel("specimens")
        axis.grid(axis="y")
    page.caption = f"Counted: {'; '.join(said)}. Dashed: median."


def _some_minors(value: float, _: object) -> str:
    """Numbers at 2 and 5 times the powers of ten: the axis of a size may span one power of ten alone."""
    return compact(value) if f"{value:e}"[0] in "25" and value > 0 else ""


def records_per_class(drawn: Drawn, page: Page) -> None:
    """Specimens of each class."""
    _records_per(drawn, page, "class")


def records_per_order(drawn: Drawn, page: Page) -> None:
    """Specimens of each order."""
    _records_per(drawn, page, "order")


def _records_per(drawn: Drawn, page: Page, rank: str) -> None:
    groups = group_sizes(drawn.rows, rank)
    shown = groups.head(_LONGEST_LIST)
    labelled = int(groups["size"].sum())
    page.caption = f"Counted: {labelled:,} of {drawn.rows.height:,} specimens, which have a label at rank {rank}."
    (axis,) = page.axes(1.4 + 0.26 * max(3, shown.height))
    if groups.height > shown.height:
        axis.set_title(f"Specimens per {rank}: the {shown.height} largest of {groups.height}")
        page.caption += f" The {shown.height} largest of {groups.height} groups are shown."
    else:
        axis.set_title(f"Specimens per {rank}: {groups.height:,}")
    if shown.is_empty():
        say_empty(axis, f"no specimen has a label at rank {rank}")
        return
    names = shown["category"].to_list()
    looks = [look(name, rank) for name in names]
    count_bars(axis, names, shown["size"].to_list(), [one.colour for one in looks], [one.hatch for one in looks])


def species_rank_abundance(drawn: Drawn, page: Page) -> None:
    """Specimens of each species, from the commonest to the rarest."""
    groups = group_sizes(drawn.rows, "species")
    labelled = int(groups["size"].sum())
    page.caption = f"Counted: {labelled:,} specimens with a species label, of {groups.height:,} species."
    (axis,) = page.axes(3.6)
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
    axis.set_xlabel("species, commonest first, logarithmic")
    axis.set_ylabel("specimens, logarithmic")
