"""Figures of barcodes: distances, diversity, the barcode gap, completeness, and the barcode of one specimen.

Belongs here: drawings of the tables on barcodes. Does not belong here: comparing them (`distances`, `audit`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.statistics.canvas import (
    BAR,
    BASE_COLOURS,
    INK,
    SECOND,
    SPLIT_COLOURS,
    boxes,
    canvas,
    plain_numbers,
    say_empty,
)
from bioscan_etl.statistics.definitions import LEVELS
from bioscan_etl.statistics.drawn import Drawn

_ROW = 66  # bases of a row of the strip
_UNIT_NAMES = {"species": "species", "dna_bin": "BINs", "dna_barcode": "barcodes"}
_UNIT_STYLES = {"species": (BAR, "-", "o"), "dna_bin": (SECOND, "--", "s"), "dna_barcode": ("#2b6cb0", ":", "^")}
_SHOWN_SPECIES = 20_000


def distances_class(drawn: Drawn, path: Path) -> None:
    """Distances within classes, by name."""
    _distances(drawn, path, "class")


def distances_order(drawn: Drawn, path: Path) -> None:
    """Distances within orders, by name."""
    _distances(drawn, path, "order")


def _distances(drawn: Drawn, path: Path, level: str) -> None:
    groups = drawn.tables["distances"].filter(pl.col("level") == level, pl.col("mean").is_not_null()).sort("group")
    with canvas(path, 8, 1.4 + 0.3 * max(3, groups.height)) as (axis,):
        axis.set_title(f"Distances between the barcodes of one {level}: {int(groups['pairs'].sum()):,} pairs")
        if groups.is_empty():
            say_empty(axis, f"no {level} has enough barcodes that share enough columns")
            return
        places = list(range(groups.height))
        boxes(axis, groups.rows(named=True), places, 0.6, orientation="horizontal")
        axis.set_yticks(places, groups["group"].to_list())
        axis.set_ylim(groups.height - 0.4, -0.6)
        axis.set_xlim(left=0)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")
        axis.set_xlabel("p-distance over shared columns; box: quartiles, whiskers: smallest and largest")


def distances_species(drawn: Drawn, path: Path) -> None:
    """Distances within species: hundredths of all species, by mean distance."""
    bins = drawn.tables["distance_bins"]
    with canvas(path, 10, 3.8) as (axis,):
        axis.set_title(
            f"Distances between the barcodes of one species: {int(bins['groups'].sum()):,} species, "
            f"{int(bins['pairs'].sum()):,} pairs"
        )
        if bins.is_empty():
            say_empty(axis, "no species has enough barcodes that share enough columns")
            return
        boxes(axis, bins.rows(named=True), bins["bin"].to_list(), 0.7)
        at = [0, *range(9, bins.height, 10)] if bins.height > 12 else list(range(bins.height))
        axis.set_xticks([bins["bin"][place] for place in at], [f"{bins['x'][place]:.3f}" for place in at])
        axis.set_xlim(0, bins.height + 1)
        axis.set_ylim(bottom=0)
        axis.grid(axis="y")
        axis.set_xlabel("species by mean distance, in up to 100 bins; numbers: mean of a bin")
        axis.set_ylabel("p-distance")


def sdi_by_rank(drawn: Drawn, path: Path) -> None:
    """Shannon diversity of the barcodes of a group, by rank."""
    table = drawn.tables["barcodes"].filter(pl.col("mean_sdi").is_not_null())
    with canvas(path, 8, 3.8) as (axis,):
        axis.set_title("Diversity of barcodes within groups")
        if table.is_empty():
            say_empty(axis, "no group has a barcode")
            return
        renamed = table.select("level", "groups", "mean_sdi", pl.col("^sdi_.*$").name.map(lambda name: name[4:]))
        places = [LEVELS.index(level) for level in renamed["level"]]
        boxes(axis, renamed.rows(named=True), places, 0.6)
        axis.plot(places, renamed["mean_sdi"].to_list(), linestyle="none", marker="D", color=INK, markersize=5)
        names = [
            f"{level}\n{groups:,} group{'' if groups == 1 else 's'}"
            for level, groups in renamed.select("level", "groups").iter_rows()
        ]
        axis.set_xticks(places, names, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.grid(axis="y")
        axis.set_ylabel("Shannon index (bit); diamond: mean")


def leakage_curve(drawn: Drawn, path: Path) -> None:
    """Share of each evaluated partition's barcodes by the distance to the nearest that a model may have seen."""
    table = drawn.tables["leakage_curve"]
    pairs = [
        (known, evaluated, part)
        for (known, evaluated), part in table.group_by(["known", "evaluated"], maintain_order=True)
        if part["barcodes"][0]
    ]
    with canvas(path, 8, 4.2) as (axis,):
        axis.set_title("Evaluated barcodes by distance to the nearest that was trained on")
        if not pairs:
            say_empty(axis, "no evaluated partition has a barcode")
            return
        for number, (known, evaluated, part) in enumerate(pairs):
            places = range(part.height)
            axis.plot(
                places, (100 * part["near_share"]).to_list(), color=SPLIT_COLOURS[str(evaluated)],
                linestyle="-" if known == "train" else "--", marker="os^Dv*"[number % 6],
                label=f"{evaluated} to {known}: {part['barcodes'][0]:,}",
            )  # fmt: skip
        axis.set_xticks(range(part.height), [f"{within:g}" for within in part["within"]], fontsize=9)
        axis.set_ylim(0, 103)
        axis.grid(visible=True)
        axis.set_xlabel("p-distance over shared columns, at most")
        axis.set_ylabel("percent of the barcodes")
        axis.legend(frameon=False, fontsize=9)


def barcode_gap(drawn: Drawn, path: Path) -> None:
    """Largest distance within a species against the smallest to another."""
    audited = drawn.tables["species_audit"].drop_nulls(["largest_within", "nearest_other"])
    with canvas(path, 6, 5.4) as (axis,):
        without = audited.filter(pl.col("gap") <= 0)
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
                part["largest_within"].to_numpy(), part["nearest_other"].to_numpy(), s=14, color=colour, alpha=0.6,
                marker=marker, linewidths=0, label=name, rasterized=part.height > 2_000,
            )  # fmt: skip
        limit = 1.05 * max(0.02, *audited.select(pl.col("largest_within", "nearest_other").max()).row(0))
        axis.plot([0, limit], [0, limit], color=INK, linewidth=1, linestyle="--")
        axis.set_xlim(0, limit)
        axis.set_ylim(0, limit)
        axis.set_aspect("equal")
        axis.grid(visible=True)
        axis.set_xlabel("largest p-distance within the species")
        axis.set_ylabel("smallest p-distance to another of the family")
        axis.legend(frameon=False, fontsize=9)


def rarefaction(drawn: Drawn, path: Path) -> None:
    """Expected numbers of species, BINs and barcodes among fewer specimens."""
    table = drawn.tables["rarefaction"]
    with canvas(path, 8, 4) as (axis,):
        axis.set_title("Completeness: distinct values among fewer specimens")
        if table.is_empty():
            say_empty(axis, "no specimen has a species, a BIN or a barcode")
            return
        for unit, name in _UNIT_NAMES.items():
            curve = table.filter(pl.col("unit") == unit)
            if curve.height:
                colour, line, marker = _UNIT_STYLES[unit]
                last = curve["expected"][-1]
                axis.plot(
                    curve["samples"].to_list(), curve["expected"].to_list(), color=colour, linestyle=line,
                    marker=marker, markersize=4, label=f"{name}: {last:,.0f}",
                )  # fmt: skip
        axis.set_xscale("log")
        axis.set_yscale("log")
        plain_numbers(axis)
        axis.grid(visible=True)
        axis.set_xlabel("specimens, drawn at random")
        axis.set_ylabel("expected distinct values")
        axis.legend(frameon=False, fontsize=9)


def barcode_strip(drawn: Drawn, path: Path) -> None:
    """The barcode of one specimen, in rows, each base as a letter in its colour."""
    from matplotlib.colors import ListedColormap

    sample = drawn.sample
    barcode = (sample or {}).get("dna_barcode")
    rows = -(-len(barcode) // _ROW) if barcode else 1
    with canvas(path, 10, 0.9 + 0.25 * rows) as (axis,):
        if not sample or not barcode:
            say_empty(axis, "no barcode")
            return
        taxon = sample["taxon"]
        title = f"Barcode of {sample['processid']}" + (f", {taxon}" if taxon else "")
        axis.set_title(f"{title}: {len(barcode)} letters")
        letters = "ATCG"
        padded = barcode.ljust(rows * _ROW)
        codes: Any = [  # -1, not found, becomes 4: grey; behind the end there is nothing
            [float("nan") if base == " " else letters.find(base) % 5 for base in padded[start : start + _ROW]]
            for start in range(0, len(padded), _ROW)
        ]
        axis.pcolormesh(
            codes, cmap=ListedColormap(list(BASE_COLOURS.values())), vmin=0, vmax=4, edgecolors="white", linewidth=0.6
        )
        for place, base in enumerate(barcode):
            dark = base in "ATC"
            axis.text(
                place % _ROW + 0.5, place // _ROW + 0.52, base, ha="center", va="center", fontsize=7,
                color="white" if dark else INK,
            )  # fmt: skip
        axis.set_ylim(rows, 0)
        axis.set_yticks([row + 0.5 for row in range(rows)], [str(row * _ROW + 1) for row in range(rows)], fontsize=8)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
