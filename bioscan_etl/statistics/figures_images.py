"""Figures with images of specimens: the record of one, sheets of orders, boxes, outlines and sizes.

Belongs here: drawings on images. Does not belong here: reading them (`pictures`) and choosing them (`drawn`). Where a
release has no images at hand, each figure says so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl.printable import printable
from bioscan_etl.statistics.canvas import DARK_LETTER, LIGHT, WIDE, Page, photograph, say_empty, short
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.figures_barcodes import STRIP, strip
from bioscan_etl.vocabulary import RANKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bioscan_etl.statistics.pictures import Outlined

_SHEET_ORDERS, _SHEET_COLUMNS = 16, 6
_EXAMPLES, _EXAMPLE_COLUMNS = 6, 2
_THUMBNAIL, _EXAMPLE, _PORTRAIT = 160, 420, 600  # px
_CELL, _HEADING, _GAP = 120, 34, 8  # px of a sheet: height of an image, of the line above it, and what is between two
_SHEET_WIDTH = _SHEET_COLUMNS * (_THUMBNAIL + _GAP) - _GAP
_BOX, _FRAME, _OUTLINE = "#e8a62a", "#3091e7", "#e77e59"
_NONE = "no image of a specimen with an order is at hand"
_CARD_WIDTH = 8.0  # inches


def sample_record(drawn: Drawn, page: Page) -> None:
    """Everything about one specimen on a card: image, barcode, BIN, lineage, place and sizes."""
    sample = drawn.sample
    if sample is None:
        page.caption = "No specimen has a barcode."
        say_empty(page.axes(1.5)[0], "no specimen has a barcode, which a record needs")
        return
    barcode = str(sample["dna_barcode"])
    lines = -(-len(barcode) // STRIP)
    page.caption = (
        f"{printable(str(sample['processid']))}: the specimen with a barcode that has an image, if any has, and the "
        "most labels, the first by process ID."
    )
    (axis,) = page.axes(3.5 + 0.2 * lines, _CARD_WIDTH)
    axis.set_axis_off()
    axis.set_title(short(str(sample["processid"]), 60))
    picture = axis.inset_axes((0, 1 - 2.75 / (3.1 + 0.2 * lines), 0.42, 2.7 / (3.1 + 0.2 * lines)))
    pixels = drawn.pictures.thumbnail(sample.get("path"), _PORTRAIT) if drawn.pictures else None
    if pixels is None:
        say_empty(picture, "no image")
    else:
        photograph(picture, pixels, "record")
        picture.set_anchor("NW")
    axis.text(0.45, 0.99, "\n".join(_facts(sample)), va="top", fontsize=9.5, linespacing=1.5, transform=axis.transAxes)
    below = axis.inset_axes((0.03, 0, 0.97, 0.2 * lines / (3.1 + 0.2 * lines)))
    strip(below, barcode, 7)


def _facts(sample: Mapping[str, Any]) -> list[str]:
    def line(name: str, value: object) -> str:
        text = printable(str(value)) if value is not None else "–"
        return textwrap.shorten(f"{name}: {text}", 58, placeholder="…")

    place = ", ".join(str(sample[name]) for name in ("province_state", "country") if sample[name] is not None)
    lat, lon = sample["coord-lat"], sample["coord-lon"]
    at = None if lat is None or lon is None else f"{lat:.4f}, {lon:.4f}"
    sizes = _sizes(sample)
    return [
        *(line(rank, sample[rank]) for rank in RANKS),
        line("BIN", sample["dna_bin"]),
        line("place", place or None),
        line("latitude, longitude", at),
        line("organism pixels", sizes["organism pixels"]),
        line("area fraction, scale factor", f"{sizes['area fraction']}, {sizes['scale factor']}"),
        line("partition", sample["split"]),
    ]


def _sizes(row: Mapping[str, Any]) -> dict[str, str]:
    """The three sizes in the digits in which they are released."""
    pixels, fraction, scale = (row[name] for name in ("image_measurement_value", "area_fraction", "scale_factor"))
    return {
        "organism pixels": "–" if pixels is None else f"{pixels:,}",
        "area fraction": "–" if fraction is None else f"{fraction:.4f}",
        "scale factor": "–" if scale is None else f"{scale:.4f}",
    }


def specimen_sheet(drawn: Drawn, page: Page) -> None:
    """Specimens of the commonest orders, a row each, by name of the order."""
    orders = _shown_orders(drawn, _SHEET_ORDERS)
    found: dict[str, list[Any]] = {}
    for order in sorted(orders):
        rows = drawn.shown.filter(pl.col("order") == order).head(_SHEET_COLUMNS)
        read = drawn.pictures.thumbnail if drawn.pictures else None
        pixels = [image for path in rows["path"] if read and (image := read(path, _THUMBNAIL)) is not None]
        if pixels:
            found[order] = pixels
    shown = sum(map(len, found.values()))
    page.caption = (
        f"Counted: {shown} images of {len(found)} orders, the commonest with an image; in brackets: all their "
        "specimens. Chosen by the MD5 of the process ID."
    )
    if not found:
        say_empty(page.axes(1.5)[0], _NONE)
        return
    height = len(found) * (_CELL + _HEADING) - 0.5 * _HEADING
    (axis,) = page.axes(WIDE * height / _SHEET_WIDTH)
    axis.set_axis_off()
    axis.set_aspect("equal")
    for row, (order, pixels) in enumerate(found.items()):
        top = row * (_CELL + _HEADING) + _HEADING
        axis.text(0, top - 0.1 * _HEADING, f"{short(order)} ({orders[order]:,})", fontsize=10, fontweight="bold")
        for column, image in enumerate(pixels):
            tall, wide = image.shape[:2]
            scale = min(_THUMBNAIL / wide, _CELL / tall)
            left = column * (_THUMBNAIL + _GAP)
            photograph(axis, image, f"{row}-{column}", (left, left + wide * scale, top + tall * scale, top))
    axis.set_xlim(0, _SHEET_WIDTH)
    axis.set_ylim(height + 0.5 * _HEADING, 0)


def _shown_orders(drawn: Drawn, most: int) -> dict[str, int]:
    """The commonest orders of the shown specimens, with all their specimens."""
    if drawn.shown.is_empty():
        return {}
    counts = (
        drawn.rows.select("order").filter(pl.col("order").is_in(drawn.shown["order"].unique().implode()))
        .group_by("order").agg(size=pl.len().cast(pl.Int64))
        .sort("size", "order", descending=[True, False]).head(most)
    )  # fmt: skip
    return dict(counts.iter_rows())


def image_boxes(drawn: Drawn, page: Page) -> None:
    """Images with the specimen's box and the frame of the crop."""
    page.caption = "Yellow: the specimen's box. Blue, dashed: the frame of its crop, which may reach beyond the image."
    _examples(drawn, page, "Specimens with their box", lambda axis, one, row: _draw_box(axis, one, frame=True))


def image_masks(drawn: Drawn, page: Page) -> None:
    """Images with the specimen's outline."""
    page.caption = "Outlined: the organism, as the detector finds it on the released image, within the box."
    _examples(drawn, page, "Specimens with their outline", lambda axis, one, row: _draw_outline(axis, one))


def image_sizes(drawn: Drawn, page: Page) -> None:
    """Images with the three sizes, and what each of them measures."""
    page.caption = (
        "Organism pixels: the area of the outline, at 1024x768. Area fraction: the box over the image. Scale factor: "
        "the shorter side of the box, the thick line, over 256 px."
    )
    _examples(drawn, page, "Specimens with the three sizes", _draw_sizes)


def _examples(drawn: Drawn, page: Page, title: str, draw: Callable[[Axes, Outlined, Mapping[str, Any]], None]) -> None:
    found = _outlined(drawn)
    page.caption = f"{page.caption} Counted: {len(found)} specimens, chosen by the MD5 of the process ID."
    if drawn.pictures and found:
        page.caption += f" Detector: {printable(drawn.pictures.detector.name)}."
    if not found:
        axis = page.axes(1.5)[0]
        axis.set_title(title)
        say_empty(axis, _NONE)
        return
    rows = -(-len(found) // _EXAMPLE_COLUMNS)
    axes = page.axes(2.45 * rows, rows=rows, columns=_EXAMPLE_COLUMNS)
    for number, axis in enumerate(axes):
        axis.set_axis_off()
        if number < len(found):
            row, one = found[number]
            photograph(axis, one.pixels, str(number))
            height, width = one.pixels.shape[:2]
            axis.set_xlim(0, width)
            axis.set_ylim(height, 0)
            name = printable(f"{row['order']}: {row['taxon'] or row['order']}")
            axis.set_title(textwrap.shorten(name, 40, placeholder="…"), fontsize=8, fontweight="normal", pad=3)
            draw(axis, one, row)


def _outlined(drawn: Drawn) -> list[tuple[Mapping[str, Any], Outlined]]:
    """Examples: the first specimens of the commonest orders, in turn."""
    if drawn.pictures is None or drawn.shown.is_empty():
        return []
    orders = list(_shown_orders(drawn, _EXAMPLES))
    by_order = {order: drawn.shown.filter(pl.col("order") == order).to_dicts() for order in orders}
    turns = max(map(len, by_order.values()))
    rows = [by_order[order][turn] for turn in range(turns) for order in orders if turn < len(by_order[order])]
    boxes = drawn.pictures.boxes(str(row["processid"]) for row in rows)
    found: list[tuple[Mapping[str, Any], Outlined]] = []
    for row in rows:
        one = drawn.pictures.outlined(row["path"], boxes.get(row["processid"]), _EXAMPLE)
        if one is not None:
            found.append((row, one))
        if len(found) == _EXAMPLES:
            break
    return found


def _draw_box(axis: Axes, one: Outlined, *, frame: bool) -> None:
    from matplotlib.patches import Polygon, Rectangle

    x0, y0, x1, y1 = one.box
    if frame:
        axis.add_patch(Polygon(one.frame, closed=True, fill=False, edgecolor=_FRAME, linewidth=1.6, linestyle="--"))
    axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=_BOX, linewidth=2))


def _draw_outline(axis: Axes, one: Outlined) -> None:
    from matplotlib.patches import Polygon

    for part in one.polygons:
        corners = list(zip(part[::2], part[1::2], strict=True))
        axis.add_patch(
            Polygon(corners, closed=True, facecolor=(*_rgb(_OUTLINE), 0.35), edgecolor=_OUTLINE, linewidth=1.4)
        )
    if not one.polygons:
        axis.text(0.5, 0.05, "no outline found", ha="center", transform=axis.transAxes, fontsize=8, color=DARK_LETTER)


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def _draw_sizes(axis: Axes, one: Outlined, row: Mapping[str, Any]) -> None:
    _draw_outline(axis, one)
    _draw_box(axis, one, frame=False)
    x0, y0, x1, y1 = one.box
    across = x1 - x0 <= y1 - y0
    axis.plot([x0, x1] if across else [x0, x0], [y1, y1] if across else [y0, y1], color=DARK_LETTER, linewidth=4)
    axis.plot([x0, x1] if across else [x0, x0], [y1, y1] if across else [y0, y1], color=_BOX, linewidth=2.2)
    text = "\n".join(f"{name}: {value}" for name, value in _sizes(row).items())
    # Where the specimen is not.
    below = y0 + y1 < one.pixels.shape[0]
    axis.text(
        0.02, 0.03 if below else 0.97, text, transform=axis.transAxes, fontsize=7.5,
        va="bottom" if below else "top", color=DARK_LETTER, linespacing=1.25,
        bbox={"facecolor": LIGHT, "alpha": 0.85, "edgecolor": "none", "pad": 2},
    )  # fmt: skip
