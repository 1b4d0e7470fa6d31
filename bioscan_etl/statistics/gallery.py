"""A page that shows the figures of a release: it opens from a disk and asks no other machine for anything.

Belongs here: the page beside the figures. Does not belong here: the figures (`figures`) and the curators' report
(`quality.report`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bioscan_etl.io.write import write_text
from bioscan_etl.printable import printable
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.titles import FIGURES, SECTIONS


class Shown(NamedTuple):
    """A figure of the page: its name, what is counted on it, and the table that it is drawn from, if it is one."""

    name: str
    caption: str
    table: str = ""


def write_gallery(folder: Path, shown: Sequence[Shown], drawn: Drawn, *, tables: bool) -> Path:
    """Write `index.html` beside figures.

    Args:
        folder: of the figures.
        shown: the figures that are there.
        drawn: what they are drawn from.
        tables: whether the tables lie in `../statistics`, as in a release; then the page links to them.

    Returns:
        The path of the page.
    """
    there = {one.name: one for one in shown}
    text: str = _template().render(
        title=f"Figures of {printable(drawn.source)}" if drawn.source else "Figures",
        specimens=drawn.rows.height,
        tables=tables,
        folder=STATISTICS,
        sections=[
            (title, [(there[name], FIGURES[name]) for name in names if name in there])
            for title, names in SECTIONS.items()
            if there.keys() & names.keys()
        ],
    )
    write_text(folder / "index.html", text)
    return folder / "index.html"


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("gallery.html.jinja")
