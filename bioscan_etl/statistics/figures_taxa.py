"""Figures of the tree of taxa: treemaps of classes and insect orders, and rings of class, order and family.

Belongs here: areas and angles of taxa. Does not belong here: bars of their counts (`figures_counts`).

Rectangles are laid out by the package squarify (Bruls, Huizing & van Wijk 2000, doi:10.1007/978-3-7091-6783-0_4), which
is small, has no dependencies and is maintained. Libraries that also draw (plotly, altair) would bring a browser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.printable import printable
from bioscan_etl.statistics.canvas import DARK_LETTER, LIGHT, MISSING, PAPER, Page, say_empty, short
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.looks import DARK_COLOURS, Look, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TILES = 40
_INSECTS = "Insecta"
_OTHERS = Look(MISSING, "", "o")
_RINGS = vocabulary.RANKS[1:4]
_SMALLEST_ANGLE = 360 / 400  # degrees; smaller taxa of a ring are drawn together
_LABELLED_ANGLE = 360 / 60
_RADII = (0.28, 0.52, 0.76, 1.0)


def rectangles(sizes: Sequence[int], x: float, y: float, width: float, height: float) -> list[tuple[float, ...]]:
    """The tiles of a treemap: x, y, width and height of each, whose areas are as the sizes.

    Args:
        sizes: above 0, the largest first.
        x: left edge of the whole.
        y: lower edge of the whole.
        width: of the whole.
        height: of the whole.
    """
    import squarify  # type: ignore[import-untyped]

    if not sizes:
        return []
    tiles = squarify.squarify(squarify.normalize_sizes(sizes, width, height), x, y, width, height)
    return [(tile["x"], tile["y"], tile["dx"], tile["dy"]) for tile in tiles]


def treemap_class(drawn: Drawn, page: Page) -> None:
    """Specimens of each class, in all and with a seen or an unseen species."""
    _treemap(drawn.rows, page, "class", "classes")


def treemap_order(drawn: Drawn, page: Page) -> None:
    """Specimens of each order of insects, in all and with a seen or an unseen species."""
    _treemap(drawn.rows.filter(pl.col("class") == _INSECTS), page, "order", "insect orders")


def _treemap(rows: pl.DataFrame, page: Page, rank: str, names: str) -> None:
    parts = {
        "All": rows,
        f"Seen species ({', '.join(vocabulary.SEEN)})": rows.filter(pl.col("split").is_in(vocabulary.SEEN)),
        f"Unseen species ({', '.join(vocabulary.UNSEEN)})": rows.filter(pl.col("split").is_in(vocabulary.UNSEEN)),
    }
    counted = [_sizes(part, rank) for part in parts.values()]
    totals = [sum(size for _, size in sizes) for sizes in counted]
    page.caption = (
        f"Counted: {totals[0]:,} of {rows.height:,} specimens{' of class Insecta' if rank == 'order' else ''}, which "
        f"have a label at rank {rank}; {totals[1]:,} in the partitions of seen species, {totals[2]:,} in those of "
        "unseen species. Area: specimens, to a scale of its own in each part."
    )
    axes = page.axes(7.6, rows=3)
    for axis, title, sizes, total in zip(axes, parts, counted, totals, strict=True):
        axis.set_title(f"{title}: {total:,}", fontsize=11)
        if sizes:
            _tiles(axis, sizes, rank)
        else:
            say_empty(axis, f"no specimen here has one of the {names}")


def _sizes(rows: pl.DataFrame, rank: str) -> list[tuple[str, int]]:
    """Specimens of the taxa of a rank, the largest first; the smallest of many together, without a name."""
    counts = (
        rows.select(rank).drop_nulls().group_by(rank).agg(size=pl.len().cast(pl.Int64))
        .sort("size", rank, descending=[True, False])
    )  # fmt: skip
    sizes: list[tuple[str, int]] = counts.head(_MOST_TILES).rows()
    rest = counts.slice(_MOST_TILES)
    if rest.height:
        sizes.append((f"{rest.height:,} others", int(rest["size"].sum())))
        sizes.sort(key=lambda one: -one[1])
    return sizes


def _tiles(axis: Axes, sizes: list[tuple[str, int]], rank: str) -> None:
    from matplotlib.patches import Rectangle

    width, height = 6.0, 2.1
    axis.set_xlim(0, width)
    axis.set_ylim(0, height)
    axis.set_axis_off()
    for (name, size), (x, y, across, up) in zip(
        sizes, rectangles([size for _, size in sizes], 0, 0, width, height), strict=True
    ):
        one = _OTHERS if name.endswith(" others") else look(name, rank)
        axis.add_patch(
            Rectangle((x, y), across, up, facecolor=one.colour, hatch=one.hatch, edgecolor=PAPER, linewidth=1)
        )
        _label(axis, (x, y, across, up), name, f"{size:,}", one)


def _label(axis: Axes, tile: tuple[float, ...], name: str, count: str, one: Look) -> None:
    """The name and number of a tile, if they fit; inches are taken."""
    x, y, across, up = tile
    name = short(name)
    for size in (11, 9, 7):
        letter = size / 72
        lines = [name, count] if up > 2.9 * letter else [name]
        if across > 0.64 * letter * max(map(len, lines)) + 0.06 and up > 1.4 * letter:
            dark = one.colour in DARK_COLOURS
            axis.text(
                x + across / 2, y + up / 2, "\n".join(lines), ha="center", va="center", fontsize=size,
                color=LIGHT if dark else DARK_LETTER, linespacing=1.2,
                bbox={"facecolor": one.colour, "edgecolor": "none", "pad": 1.2} if one.hatch else None,
            )  # fmt: skip
            return


def taxonomy_sunburst(drawn: Drawn, page: Page) -> None:
    """Shares of specimens by class, order and family, as rings."""
    counts = (
        drawn.rows.lazy().select(_RINGS).filter(pl.col("class").is_not_null())
        .group_by(_RINGS).agg(size=pl.len().cast(pl.Int64)).collect()
    )  # fmt: skip
    total = int(counts["size"].sum())
    page.caption = (
        f"Counted: {total:,} of {drawn.rows.height:,} specimens, which have a class. Rings from the inside: class, "
        "order, family. The angle is the share; gaps have no label at that rank; light: several small taxa together."
    )
    (axis,) = page.axes(6.2)
    axis.set_title("Classes, orders and families")
    if not total:
        say_empty(axis, "no specimen has a class")
        return
    axis.set_axis_off()
    axis.set_aspect("equal")
    axis.set_xlim(-1.02, 1.02)
    axis.set_ylim(-1.02, 1.02)
    axis.text(0, 0, f"{total:,}\nspecimens", ha="center", va="center", fontsize=10)
    _ring(axis, counts, total, (), 0, 90.0)


def _ring(axis: Axes, rows: pl.DataFrame, total: int, above: tuple[str, ...], depth: int, start: float) -> None:
    """Draw the taxa below others, clockwise from an angle in degrees, and what lies below these."""
    rank = _RINGS[depth]
    counts = (
        rows.filter(pl.col(rank).is_not_null()).group_by(rank).agg(pl.col("size").sum())
        .sort("size", rank, descending=[True, False])
    )  # fmt: skip
    small = 0
    for name, size in counts.iter_rows():
        angle = 360 * size / total
        if angle < _SMALLEST_ANGLE:
            small += size
            continue
        lineage = (*above, name)
        _wedge(axis, depth, start - angle, start, _ring_look(lineage), name if angle >= _LABELLED_ANGLE else "")
        if depth + 1 < len(_RINGS):
            _ring(axis, rows.filter(pl.col(rank) == name), total, lineage, depth + 1, start)
        start -= angle
    if small:
        _wedge(axis, depth, start - 360 * small / total, start, _OTHERS, "")


def _ring_look(lineage: tuple[str, ...]) -> Look:
    """Orders and their families have the look of the order; classes are quiet."""
    return look(lineage[1]) if len(lineage) > 1 else Look("#a9b4ae", "", "o")


def _wedge(axis: Axes, depth: int, first: float, last: float, one: Look, name: str) -> None:
    from matplotlib.patches import Wedge

    inner, outer = _RADII[depth : depth + 2]
    axis.add_patch(
        Wedge(
            (0, 0),
            outer,
            first,
            last,
            width=outer - inner,
            facecolor=one.colour,
            hatch=one.hatch,
            edgecolor=PAPER,
            linewidth=0.7,
            alpha=None if depth < len(_RINGS) - 1 else 0.75,
        )
    )
    if not name:
        return
    middle, radius = math.radians((first + last) / 2), (inner + outer) / 2
    turn = math.degrees(middle) % 360
    turn = turn - 180 if 90 < turn < 270 else turn
    whole = last - first > 300  # of a ring that is nearly closed, the name lies flat
    name = printable(name)
    fitting = int((outer - inner) * 48) if not whole else 99
    shown = name if len(name) <= fitting else f"{name[: fitting - 1]}…"
    axis.text(
        radius * math.cos(middle), radius * math.sin(middle), shown,
        rotation=0 if whole else turn, rotation_mode="anchor", ha="center", va="center", fontsize=7.5,
        color=LIGHT if one.colour in DARK_COLOURS else DARK_LETTER,
        bbox={"facecolor": one.colour, "edgecolor": "none", "pad": 0.6} if one.hatch else None,
    )  # fmt: skip
