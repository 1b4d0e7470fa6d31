"""Figures of barcodes: distances, diversity, the barcode gap, completeness, and the barcode of one specimen.

Belongs here: drawings of the tables on barcodes. Does not belong here: comparing them (`distances`, `audit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl.printable import printable
from bioscan_etl.statistics.canvas import (
    BAR,
    BASE_COLOURS,
    DARK_LETTER,
    INK,
    LIGHT,
    PAPER,
    QUIET,
    SECOND,
    THIRD,
    Page,
    boxes,
    legend_below,
    plain_numbers,
    say_empty,
    short,
)
from bioscan_etl.statistics.definitions import LEVELS
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.looks import COLOURS, MARKERS, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

STRIP = 66
"""Bases of a row of a drawn barcode."""
_UNIT_NAMES = {"species": "species", "dna_bin": "BINs", "dna_barcode": "barcodes"}
_UNIT_STYLES = {"species": (BAR, "-", "o"), "dna_bin": (SECOND, "--", "s"), "dna_barcode": (THIRD, ":", "^")}
_SHOWN_SPECIES = 20_000
_RASTERIZED = 2_000  # points, above which they are drawn as pixels


def distances_class(drawn: Drawn, page: Page) -> None:
    """Distances within classes, by name."""
    _distances(drawn, page, "class")


def distances_order(drawn: Drawn, page: Page) -> None:
    """Distances within orders, by name."""
    _distances(drawn, page, "order")


def _distances(drawn: Drawn, page: Page, level: str) -> None:
    groups = drawn.tables["distances"].filter(pl.col("level") == level, pl.col("mean").is_not_null()).sort("group")
    names = groups["group"].to_list()
    page.caption = (
        f"Counted: {int(groups['pairs'].sum()):,} pairs of {int(groups['compared'].sum()):,} distinct barcodes in "
        f"{groups.height:,} groups. Box: quartiles; whiskers: smallest and largest distance."
    )
    (axis,) = page.axes(1.5 + 0.3 * max(3, groups.height))
    axis.set_title(f"Distances within {'classes' if level == 'class' else f'{level}s'}")
    if groups.is_empty():
        say_empty(axis, f"no {level} has enough barcodes that share enough columns")
        return
    places = list(range(groups.height))
    boxes(axis, groups.rows(named=True), places, 0.62, [look(name, level) for name in names], orientation="horizontal")
    axis.set_yticks(places, [short(name) for name in names])
    axis.set_ylim(groups.height - 0.4, -0.6)
    axis.set_xlim(left=0)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    axis.set_xlabel("p-distance over shared columns")


def distances_species(drawn: Drawn, page: Page) -> None:
    """Distances within species: hundredths of all species, by mean distance."""
    bins = drawn.tables["distance_bins"]
    page.caption = (
        f"Counted: {int(bins['pairs'].sum()):,} pairs of barcodes of {int(bins['groups'].sum()):,} species, which are "
        f"sorted by mean distance and cut into {bins.height} bins. Box: quartiles; whiskers: smallest and largest "
        "distance."
    )
    (axis,) = page.axes(3.8, 8)
    axis.set_title(f"Distances within {int(bins['groups'].sum()):,} species")
    if bins.is_empty():
        say_empty(axis, "no species has enough barcodes that share enough columns")
        return
    boxes(axis, bins.rows(named=True), bins["bin"].to_list(), 0.7)
    at = [0, *range(9, bins.height, 10)] if bins.height > 12 else list(range(bins.height))
    axis.set_xticks([bins["bin"][place] for place in at], [f"{bins['x'][place]:.3f}" for place in at])
    axis.set_xlim(0, bins.height + 1)
    axis.set_ylim(bottom=0)
    axis.grid(axis="y")
    axis.set_xlabel("mean p-distance of a bin of species")
    axis.set_ylabel("p-distance")


def sdi_by_rank(drawn: Drawn, page: Page) -> None:
    """Shannon diversity of the barcodes of a group, by rank."""
    table = drawn.tables["barcodes"].filter(pl.col("mean_sdi").is_not_null())
    page.caption = (
        f"Counted: {int(table['groups'].sum()):,} groups with a barcode. Box: quartiles; whiskers: least and most "
        "diverse group; diamond: mean."
    )
    (axis,) = page.axes(5.2)
    axis.set_title("Diversity of barcodes within groups")
    if table.is_empty():
        say_empty(axis, "no group has a barcode")
        return
    renamed = table.select("level", "groups", "mean_sdi", pl.col("^sdi_.*$").name.map(lambda name: name[4:]))
    places = [LEVELS.index(level) for level in renamed["level"]]
    boxes(axis, renamed.rows(named=True), places, 0.6, orientation="horizontal")
    axis.plot(renamed["mean_sdi"].to_list(), places, linestyle="none", marker="D", color=INK, markersize=5)
    names = [f"{level} ({groups:,})" for level, groups in renamed.select("level", "groups").iter_rows()]
    axis.set_yticks(places, names)
    axis.set_ylim(max(places) + 0.6, min(places) - 0.6)
    axis.set_xlim(left=0)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    axis.set_xlabel("Shannon index of a group (bit); in brackets: groups")


def leakage_curve(drawn: Drawn, page: Page) -> None:
    """Share of each evaluated partition's barcodes by the distance to the nearest that a model may have seen."""
    table = drawn.tables["leakage_curve"]
    pairs = [
        (known, evaluated, part)
        for (known, evaluated), part in table.group_by(["known", "evaluated"], maintain_order=True)
        if part["barcodes"][0]
    ]
    said = [f"{part['barcodes'][0]:,} of {evaluated} against {known}" for known, evaluated, part in pairs]
    page.caption = f"Counted: distinct barcodes; {', '.join(said) or 'none'}."
    (axis,) = page.axes(4.9)
    axis.set_title("Evaluated barcodes near a trained one")
    if not pairs:
        say_empty(axis, "no evaluated partition has a barcode")
        return
    for number, (known, evaluated, part) in enumerate(pairs):
        places = range(part.height)
        axis.plot(
            places, (100 * part["near_share"]).to_list(), color=COLOURS[number % len(COLOURS)],
            linestyle="-" if known == "train" else "--", marker=MARKERS[number % len(MARKERS)],
            label=f"{evaluated} to {known}: {part['barcodes'][0]:,}",
        )  # fmt: skip
    axis.set_xticks(range(part.height), [f"{within:g}" for within in part["within"]], fontsize=9, rotation=60)
    axis.set_ylim(0, 103)
    axis.grid(visible=True)
    axis.set_xlabel("p-distance over shared columns, at most")
    axis.set_ylabel("percent of the barcodes")
    legend_below(axis, 2)


def barcode_gap(drawn: Drawn, page: Page) -> None:
    """Largest distance within a species against the smallest to another."""
    audited = drawn.tables["species_audit"].drop_nulls(["largest_within", "nearest_other"])
    without = audited.filter(pl.col("gap") <= 0)
    page.caption = (
        f"Counted: {audited.height:,} species with two distinct barcodes and another species in the family; "
        f"{without.height:,} have no gap: they lie on or below the dashed line."
    )
    (axis,) = page.axes(5.6)
    axis.set_title(f"Barcode gap: {audited.height:,} species, {without.height:,} without one")
    if audited.is_empty():
        say_empty(axis, "no two species of a family have barcodes that share enough columns")
        return
    # All that lack a gap are shown; of the others, as many as a page can hold.
    step = -(-audited.height // _SHOWN_SPECIES)
    parts = (
        ("gap", audited.filter(pl.col("gap") > 0).gather_every(step), BAR, "o"),
        ("no gap", without.head(_SHOWN_SPECIES), SECOND, "^"),
    )
    for name, part, colour, marker in parts:
        axis.scatter(
            part["largest_within"].to_numpy(), part["nearest_other"].to_numpy(), s=16, color=colour, alpha=0.7,
            marker=marker, linewidths=0, label=name, rasterized=part.height > _RASTERIZED,
        )  # fmt: skip
    limit = 1.05 * max(0.02, *audited.select(pl.col("largest_within", "nearest_other").max()).row(0))
    axis.plot([0, limit], [0, limit], color=QUIET, linewidth=1, linestyle="--")
    axis.set_xlim(0, limit)
    axis.set_ylim(0, limit)
    axis.set_aspect("equal")
    axis.grid(visible=True)
    axis.set_xlabel("largest p-distance within the species")
    axis.set_ylabel("smallest p-distance to another of the family")
    axis.legend()


def rarefaction(drawn: Drawn, page: Page) -> None:
    """Expected numbers of species, BINs and barcodes among fewer specimens."""
    table = drawn.tables["rarefaction"]
    said = []
    (axis,) = page.axes(4)
    axis.set_title("Distinct values among fewer specimens")
    page.caption = "Counted: no specimen."
    if table.is_empty():
        say_empty(axis, "no specimen has a species, a BIN or a barcode")
        return
    for unit, name in _UNIT_NAMES.items():
        curve = table.filter(pl.col("unit") == unit)
        if curve.height:
            colour, line, marker = _UNIT_STYLES[unit]
            last = curve["expected"][-1]
            said.append(f"{last:,.0f} {name} in {curve['samples'][-1]:,} specimens")
            axis.plot(
                curve["samples"].to_list(), curve["expected"].to_list(), color=colour, linestyle=line,
                marker=marker, markersize=4, label=f"{name}: {last:,.0f}",
            )  # fmt: skip
    page.caption = f"Counted: {', '.join(said)} that have one. Expected numbers if fewer are drawn at random."
    axis.set_xscale("log")
    axis.set_yscale("log")
    plain_numbers(axis)
    axis.grid(visible=True)
    axis.set_xlabel("specimens, drawn at random")
    axis.set_ylabel("expected distinct values")
    axis.legend()


def barcode_strip(drawn: Drawn, page: Page) -> None:
    """The barcode of one specimen, in rows, each base as a letter in its colour."""
    sample = drawn.sample
    barcode = (sample or {}).get("dna_barcode")
    (axis,) = page.axes(0.9 + 0.25 * (-(-len(barcode) // STRIP) if barcode else 1), 10)
    page.caption = "No specimen has a barcode."
    if not sample or not barcode:
        say_empty(axis, "no barcode")
        return
    taxon = sample["taxon"]
    title = f"Barcode of {sample['processid']}" + (f", {taxon}" if taxon else "")
    page.caption = f"{printable(title)}. Counted: {len(barcode)} letters, {STRIP} in a row, numbered from 1."
    axis.set_title(f"{short(title, 70)}: {len(barcode)} letters")
    strip(axis, barcode)


def strip(axis: Axes, barcode: str, size: float = 9) -> None:
    """Draw a barcode as a grid of letters, `STRIP` in a row.

    Args:
        axis: that is drawn on.
        barcode: its letters; those other than A, T, C and G are grey.
        size: of a cell, in points.
    """
    from matplotlib.colors import ListedColormap

    rows = -(-len(barcode) // STRIP)
    letters = "ATCG"
    padded = barcode.ljust(rows * STRIP)
    codes: Any = [  # -1, not found, becomes 4: grey; behind the end there is nothing
        [float("nan") if base == " " else letters.find(base) % 5 for base in padded[start : start + STRIP]]
        for start in range(0, len(padded), STRIP)
    ]
    axis.pcolormesh(
        codes, cmap=ListedColormap(list(BASE_COLOURS.values())), vmin=0, vmax=4, edgecolors=PAPER, linewidth=0.6
    )
    # A letter is a marker, drawn at all its places at once: texts take ten times as long.
    for base in sorted(set(barcode)):
        places = [place for place, found in enumerate(barcode) if found == base]
        axis.plot(
            [place % STRIP + 0.5 for place in places],
            [place // STRIP + 0.5 for place in places],
            linestyle="none",
            marker=_letter(base),
            markersize=0.75 * size,
            markeredgewidth=0,
            color=LIGHT if base in "ATC" else DARK_LETTER,
            label=base,
        )
    axis.set_ylim(rows, 0)
    axis.set_yticks([row + 0.5 for row in range(rows)], [str(row * STRIP + 1) for row in range(rows)], fontsize=8)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _letter(base: str) -> Path:
    """The outline of a letter with its middle at 0, as a marker."""
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    outline = TextPath((0, 0), base, size=10)
    (x0, y0), (x1, y1) = outline.get_extents().get_points()
    return Path(outline.vertices - [(x0 + x1) / 2, (y0 + y1) / 2], outline.codes)
