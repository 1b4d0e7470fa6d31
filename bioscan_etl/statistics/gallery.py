"""A page that shows the figures of a release: it opens from a disk and asks no other machine for anything.

Belongs here: the page beside the figures. Does not belong here: the figures (`figures`) and the curators' report
(`quality.report`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bioscan_etl.io.write import write_text
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.statistics.titles import FIGURES


def write_gallery(folder: Path, table_of: Mapping[str, str], specimens: int, *, tables: bool) -> Path:
    """Write `index.html` beside figures.

    Args:
        folder: of the figures.
        table_of: the figures that are there, in order, with the table that each is drawn from; empty: none.
        specimens: that the figures are of.
        tables: whether the tables lie in `../statistics`, as in a release; then the page links to them.

    Returns:
        The path of the page.
    """
    text: str = _template().render(
        title="Figures of the release" if tables else "Figures",
        specimens=specimens,
        tables=tables,
        folder=STATISTICS,
        figures=[(name, FIGURES[name], table) for name, table in table_of.items()],
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
