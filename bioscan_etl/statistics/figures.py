"""Figures that describe a release, as SVG with the same bytes for the same data.

Belongs here: drawing. Does not belong here: counting (`bioscan_etl.statistics.tables`). matplotlib is imported
inside functions and draws without a display. For an empty release, each figure states that there is no data.

Texts are drawn as outlines, so a figure looks the same on every machine and no label can break the file. Each
SVG has its description as `<title>`, the same as in `titles.FIGURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.io.write import atomic_file
from bioscan_etl.statistics.tables import group_sizes, partitions
from bioscan_etl.statistics.titles import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASE_COLOURS: Mapping[str, str] = MappingProxyType(
    {"A": "#d7301f", "T": "#2b6cb0", "C": "#2f9e44", "G": "#f2c037", "N": "#9aa0a6"}
)
_INK = "#23302b"
_BAR = "#2f6f5e"
_SECOND = "#c8823a"
_MISSING = "#c9cfcb"
_SPLIT_COLOURS = dict(
    zip(
        vocabulary.SPLITS,
        ("#7d8f88", "#2f6f5e", "#5b9e8b", "#9ccabd", "#8a5a2b", "#c8823a", "#e4b98a", "#b9c2bd"),
        strict=True,
    )
)
_STYLE: Any = {  # matplotlib types its keys as one long literal
    "svg.hashsalt": "bioscan-etl",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8b9690",
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "text.parse_math": False,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": "#e3e8e5",
    "figure.facecolor": "white",
    "figure.dpi": 100,
}
_SIZE_NAMES = {
    "image_measurement_value": "organism pixels at 1024x768 (px)",
    "area_fraction": "box area over image area",
    "scale_factor": "shorter box side over 256 px",
}
_LONGEST_LIST = 40
_SMALLEST_ISLAND = 0.05  # square degrees


def draw_figures(metadata: pl.DataFrame, folder: Path) -> list[Path]:
    """Draw all figures of `titles.FIGURES` as `<name>.svg`.

    Args:
        metadata: `schema.METADATA_EXTENDED`; it may be empty, and columns may be all null.
        folder: created if missing.

    Returns:
        The paths, in the order of `FIGURES`, whose values are the alternative texts of the figures.
    """
    drawers: Mapping[str, Callable[[pl.DataFrame, Path], None]] = {
        "partition_distribution": _partition_distribution,
        "missing_labels": _missing_labels,
        "size_distribution": _size_distribution,
        "records_per_class": _records_per_class,
        "records_per_order": _records_per_order,
        "species_rank_abundance": _species_rank_abundance,
        "site_map": _site_map,
        "barcode_strip": _barcode_strip,
    }
    paths = []
    for name in FIGURES:
        paths.append(folder / f"{name}.svg")
        drawers[name](metadata, paths[-1])
    return paths


@contextmanager
def _canvas(path: Path, width: float, height: float, columns: int = 1) -> Iterator[list[Axes]]:
    """Axes side by side in a new figure of this size in inches, saved as SVG at the end."""
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context():
        rcdefaults()  # a user's own matplotlibrc must not change the bytes
        rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield list(figure.subplots(1, columns, squeeze=False)[0])
        with atomic_file(path) as stream:
            description = {"Date": None, "Creator": None, "Title": FIGURES.get(path.stem, path.stem)}
            figure.savefig(stream, format="svg", metadata=description)


def _say_empty(axis: Axes, text: str) -> None:
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color="#6b7671")


def _count_bars(axis: Axes, names: list[str], counts: list[int], colours: list[str] | str) -> None:
    """Horizontal bars, the first on top, logarithmic, each with its number."""
    places = range(len(names))
    axis.barh(places, counts, color=colours, height=0.72)
    axis.set_xscale("symlog", linthresh=1)
    axis.set_xlim(0, max(2, *counts) * 4)
    _plain_numbers(axis)
    axis.set_yticks(list(places), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    axis.set_xlabel("specimens, logarithmic")
    for place, count in zip(places, counts, strict=True):
        axis.annotate(f"{count:,}", (count, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)


def _partition_distribution(metadata: pl.DataFrame, path: Path) -> None:
    table = partitions(metadata)
    names = table["split"].to_list()
    with _canvas(path, 8, 3.6) as (axis,):
        axis.set_title("Specimens per partition")
        _count_bars(axis, names, table["samples"].to_list(), [_SPLIT_COLOURS[name] for name in names])


def _missing_labels(metadata: pl.DataFrame, path: Path) -> None:
    total = metadata.height
    labelled = metadata.select(pl.col(rank).count() for rank in vocabulary.RANKS).row(0)
    with _canvas(path, 8, 3.4) as (axis,):
        axis.set_title("Labels by rank")
        if not total:
            _say_empty(axis, "no specimens")
            return
        shares = [100 * count / total for count in labelled]
        places = range(len(vocabulary.RANKS))
        axis.barh(places, shares, color=_BAR, height=0.72, label="labelled")
        axis.barh(places, [100 - share for share in shares], left=shares, color=_MISSING, height=0.72, label="missing")
        axis.set_yticks(list(places), vocabulary.RANKS)
        axis.set_ylim(len(vocabulary.RANKS) - 0.4, -0.6)
        axis.set_xlim(0, 124)
        axis.set_xticks([0, 25, 50, 75, 100])
        axis.tick_params(axis="y", length=0)
        axis.set_xlabel("percent of specimens")
        for place, count in enumerate(labelled):
            axis.text(101.5, place, f"{total - count:,} missing", va="center", fontsize=9)
        axis.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), fontsize=9)


def _size_distribution(metadata: pl.DataFrame, path: Path) -> None:
    import numpy as np
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    with _canvas(path, 10, 3, columns=3) as axes:
        for axis, (name, label) in zip(axes, _SIZE_NAMES.items(), strict=True):
            values = metadata[name].drop_nulls().drop_nans().cast(pl.Float64).to_numpy()
            axis.set_title(name)
            if not values.size:
                _say_empty(axis, "no values")
                continue
            largest = float(values.max())
            counts, edges = np.histogram(values, bins=40, range=(0.0, largest or 1.0))
            axis.stairs(counts, edges, fill=True, color=_BAR)
            median = float(np.median(values))
            axis.axvline(median, color=_SECOND, linewidth=1.5)
            axis.annotate(
                f"median {median:,.4g}",
                (median, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, -10),
                textcoords="offset points",
                fontsize=9,
                color="#8a5a2b",
            )
            axis.set_xlim(left=0)
            axis.xaxis.set_major_locator(MaxNLocator(4))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
            axis.set_xlabel(label)
            axis.set_ylabel("specimens")
            axis.grid(axis="y")


def _records_per_class(metadata: pl.DataFrame, path: Path) -> None:
    _records_per(metadata, path, "class", "Specimens per class")


def _records_per_order(metadata: pl.DataFrame, path: Path) -> None:
    _records_per(metadata, path, "order", "Specimens per order")


def _records_per(metadata: pl.DataFrame, path: Path, rank: str, title: str) -> None:
    groups = group_sizes(metadata, rank)
    shown = groups.head(_LONGEST_LIST)
    with _canvas(path, 8, 1.3 + 0.24 * max(3, shown.height)) as (axis,):
        more = groups.height - shown.height
        axis.set_title(title + (f": the {shown.height} largest of {groups.height}" if more else ""))
        if shown.is_empty():
            _say_empty(axis, f"no specimen has a label at rank {rank}")
            return
        _count_bars(axis, shown["category"].to_list(), shown["size"].to_list(), _BAR)


def _species_rank_abundance(metadata: pl.DataFrame, path: Path) -> None:
    groups = group_sizes(metadata, "species")
    with _canvas(path, 8, 3.6) as (axis,):
        axis.set_title(f"Species by abundance: {groups.height:,} species")
        if groups.is_empty():
            _say_empty(axis, "no specimen has a species label")
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
        axis.plot(ranks, counts, color=_BAR, linewidth=2, marker="o", markersize=3)
        axis.set_xscale("log")
        axis.set_yscale("log")
        _plain_numbers(axis)
        axis.grid(visible=True)
        axis.set_xlabel("species, commonest first")
        axis.set_ylabel("specimens")


def _plain_numbers(axis: Axes) -> None:
    """Whole numbers with thousands separators on the logarithmic axes, nothing between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for scale in (axis.xaxis, axis.yaxis):
        if scale.get_scale() == "linear":
            continue
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 or value == 0 else ""))
        scale.set_minor_formatter(NullFormatter())


def _site_map(metadata: pl.DataFrame, path: Path) -> None:
    sites = (
        metadata.select(lat="coord-lat", lon="coord-lon")
        .drop_nulls()
        .drop_nans()
        .group_by("lat", "lon")
        .len("size")
        .sort("size", "lat", "lon", descending=[True, False, False])
    )
    with _canvas(path, 10, 5.4) as (axis,):
        axis.set_title(f"Collection sites: {sites.height:,}")
        axis.set_aspect("equal")
        axis.set_xlim(-180, 180)
        axis.set_ylim(-90, 90)
        axis.set_xticks(range(-180, 181, 30), [_degrees(lon, "WE") for lon in range(-180, 181, 30)])
        axis.set_yticks(range(-90, 91, 30), [_degrees(lat, "SN") for lat in range(-90, 91, 30)])
        axis.grid(visible=True)
        _draw_land(axis)
        if sites.is_empty():
            axis.text(0, 0, "no specimen has coordinates", ha="center", va="center", color="#6b7671")
            return
        # Area grows with the logarithm; the largest are drawn first so that small ones stay visible.
        area = sites.select(8 + 22 * (pl.col("size").log(10))).to_series().to_numpy()
        axis.scatter(
            sites["lon"].to_numpy(),
            sites["lat"].to_numpy(),
            s=area,
            color=_SECOND,
            alpha=0.7,
            linewidths=0.4,
            edgecolors="white",
        )


def _draw_land(axis: Axes) -> None:
    """The world's land in outline, coarse enough for a page: to 0.3 degrees, without the smallest islands."""
    import shapely
    from matplotlib.collections import PolyCollection

    from bioscan_etl.geography.borders import areas

    shapes = shapely.get_parts(shapely.from_wkb(areas()["wkb"].to_numpy()))
    coarse = shapely.simplify(shapes[shapely.area(shapes) > _SMALLEST_ISLAND], 0.3)
    rings = [shapely.get_coordinates(shape) for shape in shapely.get_exterior_ring(coarse)]
    axis.add_collection(PolyCollection(rings, facecolors="#edf1ee", edgecolors="#c3ccc7", linewidths=0.4, zorder=0.5))


def _degrees(value: int, letters: str) -> str:
    return f"{abs(value)}°" + (letters[value > 0] if value else "")


def _barcode_strip(metadata: pl.DataFrame, path: Path) -> None:
    """The barcode of the specimen with the most labels, the first by process ID among these."""
    labels = pl.sum_horizontal(pl.col(rank).is_not_null() for rank in vocabulary.RANKS)
    chosen = (
        metadata.select("processid", "taxon", "dna_barcode", labels=labels)
        .drop_nulls("dna_barcode")
        .sort("labels", "processid", descending=[True, False])
        .head(1)
    )
    with _canvas(path, 10, 1.5) as (axis,):
        if chosen.is_empty():
            _say_empty(axis, "no barcode")
            return
        processid, taxon, barcode, _ = chosen.row(0)
        axis.set_title(f"Barcode of {processid}" + (f", {taxon}" if taxon else "") + f": {len(barcode)} bp")
        _draw_strip(axis, barcode)


def _draw_strip(axis: Axes, barcode: str) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    letters = "ATCG"
    codes: Any = [[letters.find(base) % 5 for base in barcode]]  # -1, not found, becomes 4: grey
    axis.pcolormesh(
        codes, cmap=ListedColormap(list(BASE_COLOURS.values())), vmin=0, vmax=4, edgecolors="face", linewidth=0.2
    )
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_xlabel("base")
    axis.legend(
        handles=[Patch(color=colour, label=base) for base, colour in BASE_COLOURS.items()],
        frameon=False,
        ncols=5,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        fontsize=9,
        handlelength=1,
        columnspacing=1,
    )
