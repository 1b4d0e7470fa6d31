"""What the page of figures lets a reader explore: taxa, sites and distances, as small data for its script.

Belongs here: which numbers the page holds, with the places at which the script draws them. Does not belong here: the
page (`gallery`) and its script (`gallery.js`), which draws what is here and computes nothing but what is in view.
Everything is limited in number, so that the page stays small for millions of specimens.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.printable import printable
from bioscan_etl.statistics.figures_places import sites_of
from bioscan_etl.statistics.figures_taxa import rectangles
from bioscan_etl.statistics.looks import DARK_COLOURS, look
from bioscan_etl.statistics.world import land, project
from bioscan_etl.vocabulary import RANKS

_RANKS = RANKS[1:4]
_MOST_TAXA = 30  # of one taxon above
_MOST_SITES = 3_000
_MOST_GROUPS = 60  # of a level
_LEVELS = RANKS[1:]
_ASPECT = 0.56  # height of the treemap over its width
_UNITS = 1_000  # of the map per radius of the earth


def taxa(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Classes, and below each its orders and their families, the largest first.

    Args:
        rows: class, order, family and split.

    Returns:
        name, count, seen and unseen (specimens, in all and in the partitions of seen and unseen species), tile (left,
        top, width and height in percent), colour, light (whether its letters are), and below: the same of the next
        rank.
    """
    counts = (
        rows.lazy()
        .select(*_RANKS, seen=pl.col("split").is_in(vocabulary.SEEN), unseen=pl.col("split").is_in(vocabulary.UNSEEN))
        .filter(pl.col("class").is_not_null())
        .group_by(_RANKS)
        .agg(pl.len().cast(pl.Int64).alias("count"), pl.col("seen", "unseen").sum().cast(pl.Int64))
        .collect()
    )
    return _below(counts, 0, "")


def _below(counts: pl.DataFrame, depth: int, order: str) -> list[dict[str, Any]]:
    rank = _RANKS[depth]
    groups = (
        counts.filter(pl.col(rank).is_not_null())
        .group_by(rank)
        .agg(pl.col("count", "seen", "unseen").sum())
        .sort("count", rank, descending=[True, False])
    )
    named = [(*row, True) for row in groups.head(_MOST_TAXA).iter_rows()]
    rest = groups.slice(_MOST_TAXA)
    if rest.height:
        named.append((f"{rest.height:,} others", *rest.select(pl.col("count", "seen", "unseen").sum()).row(0), False))
        named.sort(key=lambda row: -row[1])
    tiles = rectangles([row[1] for row in named], 0, 0, 100, 100 * _ASPECT)
    found = []
    for (name, count, seen, unseen, is_taxon), (x, y, width, height) in zip(named, tiles, strict=True):
        of = name if rank == "order" else order
        colour = look(of if depth else name, "order" if depth else "class").colour if is_taxon else ""
        more = is_taxon and depth + 1 < len(_RANKS)
        found.append(
            {
                "name": printable(name),
                "count": count,
                "seen": seen,
                "unseen": unseen,
                "tile": [round(value, 2) for value in (x, y / _ASPECT, width, height / _ASPECT)],
                "colour": colour,
                "light": colour in DARK_COLOURS,
                "below": _below(counts.filter(pl.col(rank) == name), depth + 1, of) if more else [],
            }
        )
    return found


def places(rows: pl.DataFrame) -> dict[str, Any]:
    """Collection sites on the map.

    Args:
        rows: coord-lat and coord-lon.

    Returns:
        land: its outline as the path of an SVG; sites: x, y (units of that path), specimens, latitude and longitude of
        the largest ones; total: all sites.
    """
    sites = sites_of(rows)
    shown = sites.head(_MOST_SITES)
    at = (project(shown["lon"].to_numpy(), shown["lat"].to_numpy()) * [_UNITS, -_UNITS]).round().astype(int)
    return {
        "land": "".join(_path(outline) for _, outline in land()),
        "sites": [
            [x, y, size, round(lat, 4), round(lon, 4)]
            for (x, y), (lat, lon, size) in zip(at.tolist(), shown.iter_rows(), strict=True)
        ],
        "total": sites.height,
    }


def _path(outline: Any) -> str:
    """An outline as relative steps in whole units, which are short."""
    points = (outline * [_UNITS, -_UNITS]).round().astype(int)
    steps = (points[1:] - points[:-1]).tolist()
    x, y = points[0].tolist()
    return f"M{x} {y}l{' '.join(f'{dx} {dy}' for dx, dy in steps if dx or dy)}z"


def compared(distances: pl.DataFrame) -> dict[str, list[list[Any]]]:
    """Distances within groups, by level: those with the most barcodes.

    Args:
        distances: the table `distances`.

    Returns:
        name, barcodes, pairs, mean, minimum, lower quartile, median, upper quartile and maximum of each group.
    """
    numbers = ("mean", "minimum", "lower_quartile", "median", "upper_quartile", "maximum")
    found = {}
    for level in _LEVELS:
        groups = (
            distances.filter(pl.col("level") == level, pl.col("mean").is_not_null())
            .sort("barcodes", "group", descending=[True, False])
            .head(_MOST_GROUPS)
            .select("group", "barcodes", "pairs", pl.col(numbers).round(4))
        )
        if groups.height:
            found[level] = [[printable(name), *rest] for name, *rest in groups.iter_rows()]
    return found
