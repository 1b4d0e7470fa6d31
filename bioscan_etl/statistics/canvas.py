"""What all figures share: style, saving, and parts of a drawing.

Belongs here: anything that two figures draw alike. Does not belong here: one figure (`figures_counts`,
`figures_barcodes`, `figures_places`). matplotlib is imported inside functions and draws without a display.

Texts of an SVG are drawn as outlines, so a figure looks the same on every machine and no label can break the file. Each
SVG has its description as `<title>`, the same as in `titles.FIGURES`. The PNG beside it shows the same drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bioscan_etl import vocabulary
from bioscan_etl.io.write import atomic_file
from bioscan_etl.statistics.titles import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASE_COLOURS: Mapping[str, str] = MappingProxyType(
    {"A": "#d7301f", "T": "#2b6cb0", "C": "#2f9e44", "G": "#f2c037", "N": "#9aa0a6"}
)
INK = "#23302b"
BAR = "#2f6f5e"
SECOND = "#c8823a"
MISSING = "#c9cfcb"
QUIET = "#6b7671"
SPLIT_COLOURS: Mapping[str, str] = MappingProxyType(
    dict(
        zip(
            vocabulary.SPLITS,
            ("#7d8f88", "#2f6f5e", "#5b9e8b", "#9ccabd", "#8a5a2b", "#c8823a", "#e4b98a", "#b9c2bd"),
            strict=True,
        )
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
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "text.parse_math": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#e3e8e5",
    "figure.facecolor": "white",
    "figure.dpi": 100,
}
_PNG_DPI = 150


@contextmanager
def canvas(path: Path, width: float, height: float, columns: int = 1) -> Iterator[list[Axes]]:
    """Axes side by side in a new figure of this size in inches, saved as SVG and PNG at the end.

    Args:
        path: of the SVG; the PNG lies beside it.
        width: inches.
        height: inches.
        columns: number of axes.
    """
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
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
        figure.set_layout_engine("none")  # the layout of the SVG: making it again takes as long as drawing
        FigureCanvasAgg(figure)
        with atomic_file(path.with_suffix(".png")) as stream:
            figure.savefig(stream, format="png", dpi=_PNG_DPI, metadata={"Software": None})


def say_empty(axis: Axes, text: str) -> None:
    """A sentence instead of a drawing."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color=QUIET)


def count_bars(axis: Axes, names: list[str], counts: list[int], colours: list[str] | str) -> None:
    """Horizontal bars, the first on top, logarithmic, each with its number."""
    places = range(len(names))
    axis.barh(places, counts, color=colours, height=0.72)
    axis.set_xscale("symlog", linthresh=1)
    axis.set_xlim(0, max(2, *counts) * 4)
    plain_numbers(axis)
    axis.set_yticks(list(places), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    axis.set_xlabel("specimens, logarithmic")
    for place, count in zip(places, counts, strict=True):
        axis.annotate(f"{count:,}", (count, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)


def plain_numbers(axis: Axes) -> None:
    """Whole numbers with thousands separators on the logarithmic axes, nothing between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for scale in (axis.xaxis, axis.yaxis):
        if scale.get_scale() == "linear":
            continue
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 or value == 0 else ""))
        scale.set_minor_formatter(NullFormatter())


def boxes(axis: Axes, rows: Sequence[Mapping[str, Any]], places: Sequence[float], width: float, **more: Any) -> None:
    """Box plots of known numbers: minimum, quartiles and maximum of each row; whiskers reach the extremes."""
    names = {"whislo": "minimum", "q1": "lower_quartile", "med": "median", "q3": "upper_quartile", "whishi": "maximum"}
    axis.bxp(
        [{**{key: row[name] for key, name in names.items()}, "fliers": []} for row in rows],
        positions=list(places),
        widths=width,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "#cfe0da", "edgecolor": BAR},
        medianprops={"color": SECOND, "linewidth": 2},
        whiskerprops={"color": BAR},
        capprops={"color": BAR},
        manage_ticks=False,
        **more,
    )
