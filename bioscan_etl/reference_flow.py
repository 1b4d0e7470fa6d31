"""The flow of data as a drawing: which stage reads which, made from the stage registry.

Belongs here: places and lines of the drawing. Does not belong here: what is drawn (`stages.registry`). It is an SVG
file with no script, font or link, so that it shows on GitHub, on the site and without network.

Stages stand in rows, in the order in which they can run. A line that a longer way implies is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from html import escape
from itertools import pairwise

from bioscan_etl.stages.registry import Scope, Stage

_BOX = (154, 26)  # width and height, px
_GAP = (14, 38)  # between the boxes of a row, between rows
_LANE = 22  # width that a line takes where it passes through a row
_MARGIN = 14
_LEGEND = 30
_COLOURS: Mapping[Scope, tuple[str, str]] = {
    Scope.BATCH: ("#e3f1e4", "#2e7d32"),
    Scope.CORPUS: ("#e2edf8", "#1565c0"),
    Scope.RELEASE: ("#fdeedd", "#b35900"),
}
_MEANING: Mapping[Scope, str] = {
    Scope.BATCH: "once per batch",
    Scope.CORPUS: "on all batches together",
    Scope.RELEASE: "writes a part of the release",
}

Line = tuple[str, str]
Item = str | tuple[str, str, int]  # a stage, or a line (with its row) that passes through


def arrows(stages: Collection[Stage]) -> set[Line]:
    """Pairs (read stage, reading stage), without those that a longer way implies.

    Args:
        stages: each after those that it reads or comes after.
    """
    before = {stage.name: {*stage.reads, *stage.after} for stage in stages}
    behind: dict[str, set[str]] = {}
    for name, direct in before.items():
        behind[name] = direct.union(*(behind[one] for one in direct))
    return {
        (one, name)
        for name, direct in before.items()
        for one in direct
        if not any(one in behind[other] for other in direct - {one})
    }


def rows(stages: Collection[Stage], lines: Collection[Line]) -> list[list[Item]]:
    """What stands in each row, from left to right.

    A stage is one row below the lowest that it reads. A line that crosses a row takes a place in it, so that it passes
    between the boxes. A row is ordered by the mean place of what leads to it.
    """
    level: dict[str, int] = {}
    for stage in stages:
        level[stage.name] = max((level[one] for one, name in lines if name == stage.name), default=-1) + 1
    above: dict[Item, list[Item]] = {name: [] for name in level}
    found: list[list[Item]] = [[] for _ in range(max(level.values()) + 1)]
    for name, row in level.items():
        found[row].append(name)
    for one, other in sorted(lines):
        last: Item = one
        for row in range(level[one] + 1, level[other]):
            lane = (one, other, row)
            found[row].append(lane)
            above[lane] = [last]
            last = lane
        above[other].append(last)
    place: dict[Item, float] = {}
    for items in found:
        if place:
            items.sort(key=lambda item: sum(place[one] for one in above[item]) / len(above[item]))  # equal ones stay
        place |= {item: (number + 0.5) / len(items) for number, item in enumerate(items)}
    return found


def flow_svg(stages: Collection[Stage]) -> str:
    """The drawing, as the text of an SVG file; the same stages give the same text."""
    lines = arrows(stages)
    drawn = rows(stages, lines)
    width = 2 * _MARGIN + max(_width(items) for items in drawn)
    height = _LEGEND + 2 * _MARGIN + len(drawn) * (_BOX[1] + _GAP[1]) - _GAP[1]
    middle: dict[Item, tuple[float, float]] = {}  # of an item, at the upper edge of its row
    for number, items in enumerate(drawn):
        x = (width - _width(items)) / 2
        for item in items:
            wide = _wide(item)
            middle[item] = (x + wide / 2, _MARGIN + _LEGEND + number * (_BOX[1] + _GAP[1]))
            x += wide + _GAP[0]
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" font-family="sans-serif" font-size="12">',
        "<title>Which stage reads which</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#777"/></marker></defs>',
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        *_legend(),
    ]
    for one, other in sorted(lines):
        lanes = sorted((item for item in middle if isinstance(item, tuple) and item[:2] == (one, other)), key=_row)
        text.append(_path([middle[one], *(middle[lane] for lane in lanes), middle[other]]))
    for stage in stages:
        fill, stroke = _COLOURS[stage.scope]
        x, y = middle[stage.name]
        text.append(
            f'<rect x="{x - _BOX[0] / 2:g}" y="{y:g}" width="{_BOX[0]}" height="{_BOX[1]}" rx="4" fill="{fill}" '
            f'stroke="{stroke}"/>'
            f'<text x="{x:g}" y="{y + 17:g}" text-anchor="middle" fill="#222">{escape(stage.name)}</text>'
        )
    return "\n".join([*text, "</svg>"])


def _row(lane: tuple[str, str, int]) -> int:
    return lane[2]


def _wide(item: Item) -> float:
    return _LANE if isinstance(item, tuple) else _BOX[0]


def _width(items: Collection[Item]) -> float:
    return sum(_wide(item) for item in items) + _GAP[0] * (len(items) - 1)


def _path(points: list[tuple[float, float]]) -> str:
    """A line from the lower edge of the first row's box to the upper edge of the last one's."""
    x, y = points[0]
    drawn = f"M{x:g} {y + _BOX[1]:g}"
    bend = _GAP[1] * 0.6
    for number, ((x0, y0), (x1, y1)) in enumerate(pairwise(points), 1):
        start = y0 + _BOX[1]
        drawn += f"C{x0:g} {start + bend:g} {x1:g} {y1 - bend:g} {x1:g} {y1:g}"
        if number < len(points) - 1:
            drawn += f"V{y1 + _BOX[1]:g}"
    return f'<path d="{drawn}" fill="none" stroke="#777" marker-end="url(#tip)"/>'


def _legend() -> Iterator[str]:
    """What the colours mean, in the first line."""
    x = _MARGIN
    for scope in Scope:
        fill, stroke = _COLOURS[scope]
        yield f'<rect x="{x}" y="{_MARGIN}" width="14" height="14" rx="3" fill="{fill}" stroke="{stroke}"/>'
        yield f'<text x="{x + 20}" y="{_MARGIN + 11}" fill="#222">{scope.value}: {_MEANING[scope]}</text>'
        x += 230
