"""What all figures share: style, the page that one is drawn on, and parts of a drawing.

Belongs here: anything that two figures draw alike. Does not belong here: one figure (`figures_*`), and the files
(`rendered`). matplotlib is imported inside functions and draws without a display.

Texts of an SVG are drawn as outlines, so a figure looks the same on every machine and no label can break the file. Most
figures are 6 inches wide: on a phone their letters are then 8 pixels high, and they fill half a slide.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bioscan_etl import vocabulary
from bioscan_etl.io.write import atomic_file
from bioscan_etl.printable import printable
from bioscan_etl.statistics.looks import Look
from bioscan_etl.statistics.rendered import PHOTOGRAPH, png_bytes, svg_bytes
from bioscan_etl.statistics.titles import FIGURES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 6.0
"""Width of most figures in inches."""
BASE_COLOURS: Mapping[str, str] = MappingProxyType(
    {"A": "#d7301f", "T": "#2b6cb0", "C": "#2f9e44", "G": "#f2c037", "N": "#9aa0a6"}
)
PAPER = "#ffffff"
INK = "#23302b"
LIGHT = "#fefefe"
"""Letters on a colour: as white as paper, but white on dark ground, too."""
DARK_LETTER = "#23302c"
"""The same in dark."""
BAR = "#3d8f79"
SECOND = "#c8823a"
THIRD = "#4585c9"
MISSING = "#c9cfcb"
QUIET = "#6b7671"
GRID = "#e3e8e5"
SPLIT_COLOURS: Mapping[str, str] = MappingProxyType(
    dict(
        zip(
            vocabulary.SPLITS,
            ("#7d8f88", "#2c7361", "#5b9e8b", "#9ccabd", "#a06a35", "#c8823a", "#e4b98a", "#a9b4ae"),
            strict=True,
        )
    )
)
_STYLE: Any = {  # matplotlib types its keys as one long literal
    "svg.hashsalt": "bioscan-etl",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8b9690",
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "hatch.linewidth": 0.8,
    "image.composite_image": False,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "text.parse_math": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "grid.color": GRID,
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
}


class Page:
    """A figure being drawn.

    Attributes:
        caption: what is counted, and how many; the figure's function sets it.
    """

    def __init__(self) -> None:
        self.caption = ""
        self._figure: Figure | None = None

    @property
    def figure(self) -> Figure:
        """The drawing; `axes` begins it."""
        assert self._figure is not None, "nothing is drawn"
        return self._figure

    def axes(self, height: float, width: float = WIDE, *, rows: int = 1, columns: int = 1) -> list[Axes]:
        """Axes of a new drawing, row by row.

        Args:
            height: of the drawing, in inches.
            width: the same.
            rows: rows of axes.
            columns: axes of a row.
        """
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(self._figure)
        return list(self._figure.subplots(rows, columns, squeeze=False).ravel())

    def save(self, path: Path, title: str, description: str) -> None:
        """Write the drawing as SVG, and as PNG beside it."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = self.figure
        svg = svg_bytes(figure, title, description)
        figure.set_layout_engine("none")  # the layout of the SVG: making it again takes as long as drawing
        FigureCanvasAgg(figure)
        for axis in figure.axes:
            for image in axis.images:
                image.set_interpolation("auto")  # in the SVG a photograph has its own pixels
        png = png_bytes(figure, title, description)
        for target, data in ((path, svg), (path.with_suffix(".png"), png)):
            with atomic_file(target) as stream:
                stream.write(data)


@contextmanager
def canvas(path: Path, about: str = "", title: str = "") -> Iterator[Page]:
    """A page, saved as SVG and PNG at the end; its description is `words`.

    Args:
        path: of the SVG; the PNG lies beside it.
        about: what the figure is of, and with which settings.
        title: of the figure; that of `titles.FIGURES` without it.
    """
    from matplotlib import rc_context, rcdefaults, rcParams

    # It is drawn as a box. For good: to bring back the filters of before would undo those of a stage in another thread.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")
    with rc_context():
        rcdefaults()  # a user's own matplotlibrc must not change the bytes
        rcParams.update(_STYLE)
        page = Page()
        yield page
        page.save(path, title or FIGURES.get(path.stem, path.stem), words(page, about))


def words(page: Page, about: str) -> str:
    """The caption of a figure without its title: what is counted, and of what."""
    return " ".join(part for part in (page.caption, about) if part)


def say_empty(axis: Axes, text: str) -> None:
    """A sentence instead of a drawing."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color=QUIET, wrap=True)


def short(name: str, most: int = 32) -> str:
    """A name of the data for an axis or a legend: of one line, and not too long for the page."""
    shown = printable(name)
    shown = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    return f" {shown}" if shown.startswith("_") else shown  # matplotlib leaves such names out of legends


def count_bars(
    axis: Axes, names: Sequence[str], counts: Sequence[int], colours: Sequence[str] | str, hatches: Sequence[str] = ()
) -> None:
    """Horizontal bars, the first on top, logarithmic, each with its number."""
    places = range(len(names))
    bars = axis.barh(places, counts, color=colours, height=0.72, edgecolor=PAPER, linewidth=0)
    for bar, hatch in zip(bars, hatches, strict=False):
        bar.set_hatch(hatch)
    axis.set_xscale("symlog", linthresh=1)
    axis.set_xlim(0, max(2, *counts) * 9)
    plain_numbers(axis)
    axis.set_yticks(list(places), [short(name) for name in names])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    axis.set_xlabel("specimens, logarithmic")
    for place, count in zip(places, counts, strict=True):
        axis.annotate(f"{count:,}", (count, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)


def legend_below(axis: Axes, columns: int) -> None:
    """The legend of the axes below the drawing, in so many columns."""
    figure = axis.get_figure()
    assert figure is not None
    figure.legend(loc="outside lower center", ncols=columns, fontsize=9)


def plain_numbers(axis: Axes) -> None:
    """Short numbers on the logarithmic axes, nothing between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for scale in (axis.xaxis, axis.yaxis):
        if scale.get_scale() == "linear":
            continue
        scale.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        scale.set_minor_formatter(NullFormatter())


def compact(value: float) -> str:
    """A number for an axis, where there is little room.

    Example:
        >>> compact(1_000), compact(25_000), compact(3e6), compact(0.05)
        ('1,000', '25k', '3M', '0.05')
    """
    return f"{value / 1000:g}k" if 10_000 <= abs(value) < 1e6 else plain(value)


def plain(value: float) -> str:
    """A number with about three digits, and no exponent.

    Example:
        >>> plain(25_820), plain(2.582), plain(0.0001), plain(2.5e6)
        ('25,820', '2.58', '0.0001', '2.5M')
    """
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0") if "e" in text else text


def boxes(
    axis: Axes,
    rows: Sequence[Mapping[str, Any]],
    places: Sequence[float],
    width: float,
    looks: Sequence[Look] = (),
    **more: Any,
) -> None:
    """Box plots of known numbers: minimum, quartiles and maximum of each row; whiskers reach the extremes.

    Args:
        axis: that is drawn on.
        rows: minimum, lower_quartile, median, upper_quartile and maximum.
        places: of the boxes.
        width: of a box.
        looks: of the groups that the boxes are of.
        more: arguments of `Axes.bxp`.
    """
    names = {"whislo": "minimum", "q1": "lower_quartile", "med": "median", "q3": "upper_quartile", "whishi": "maximum"}
    drawn = axis.bxp(
        [{**{key: row[name] for key, name in names.items()}, "fliers": []} for row in rows],
        positions=list(places),
        widths=width,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "#a9cfc3", "edgecolor": BAR},
        medianprops={"color": INK, "linewidth": 2},
        whiskerprops={"color": BAR},
        capprops={"color": BAR},
        manage_ticks=False,
        **more,
    )
    for box, one in zip(drawn["boxes"], looks, strict=False):
        box.set(facecolor=one.colour, hatch=one.hatch, edgecolor=PAPER, linewidth=0.5)


def photograph(
    axis: Axes, pixels: npt.NDArray[np.uint8], name: str, extent: tuple[float, float, float, float] | None = None
) -> None:
    """An image without frame.

    Args:
        axis: that is drawn on.
        pixels: (height, width, 3), RGB.
        name: of letters, digits and lines, different for each photograph of a figure.
        extent: left, right, bottom and top on the axes; None: the axes are those of its pixels.
    """
    axis.set_axis_off()
    shown = axis.imshow(pixels, interpolation="none", extent=extent)
    shown.set_gid(f"{PHOTOGRAPH}-{name}")
