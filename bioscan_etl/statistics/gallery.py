"""A page that shows the figures of a release: it opens from a disk and asks no other machine for anything.

Belongs here: the page beside the figures. Does not belong here: the figures (`figures`) and the curators' report
(`quality.report`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bioscan_etl.io.write import write_text
from bioscan_etl.printable import printable
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.explored import compared, places, taxa
from bioscan_etl.statistics.titles import FIGURES, SECTIONS

_PANELS = {
    "Taxonomy": [("explore-taxa", "Explore classes, orders and families")],
    "Places": [("explore-places", "Explore collection sites")],
    "Barcodes": [("explore-distances", "Explore distances within groups")],
}
"""What can be explored, by section: ids that the script knows, and headings."""


class Shown(NamedTuple):
    """A figure of the page: its name, what is counted on it, its table, if it is drawn from one, and its inches."""

    name: str
    caption: str
    table: str = ""
    width: float = 6


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
        panels=_PANELS,
        explored=_explored(there, drawn),
        policy=_policy(),
        sections=[
            (title, [(there[name], FIGURES[name]) for name in names if name in there])
            for title, names in SECTIONS.items()
            if there.keys() & names.keys()
        ],
    )
    write_text(folder / "index.html", text)
    return folder / "index.html"


def _explored(there: Collection[str], drawn: Drawn) -> dict[str, Any]:
    """Data of what can be explored beside the figures that are there."""
    found: dict[str, Any] = {}
    if "treemap_class" in there or "treemap_order" in there:
        found["taxa"] = taxa(drawn.rows)
    if "site_map" in there:
        found["places"] = places(drawn.rows)
    if any(name.startswith("distances_") for name in there):
        found["distances"] = compared(drawn.tables["distances"])
    return found


@cache
def _policy() -> str:
    """What the page may do: show images beside it, and run its own script, known by its hash, and nothing else."""
    script = "\n" + Path(__file__).with_name("gallery.js").read_text(encoding="utf-8").removesuffix("\n")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src 'self' data: file:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("gallery.html.jinja")
