"""The commands that describe a release or a table: `statistics`, `figures`.

Belongs here: their options and output. Does not belong here: counting and drawing (`bioscan_etl.statistics`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, File, Folder, Said, reflowed

if TYPE_CHECKING:
    import polars as pl

_WIDEST = 30
_Release = Annotated[str, Parameter(name="RELEASE|TABLE")]
_In = Annotated[Folder | None, Parameter(name="--in", metavar="DIR")]
_SHOWN = (
    "attributes",
    "sizes",
    "partitions",
    "partition_shift",
    "orders",
    "barcodes",
    "distance_levels",
    "species_grades",
    "completeness",
    "published",
)


@reflowed
def statistics(
    source: _Release,
    /,
    *,
    releases: _In = None,
    table: Annotated[tuple[str, ...], Parameter(metavar="NAME", consume_multiple=1)] = (),
    published: Annotated[tuple[str, ...], Parameter(metavar="RANK", consume_multiple=1)] = (),
    output: Folder | None = None,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Print the statistics of a release or a table.

    Print the statistics that a release holds in its folder statistics, or count those of a table. What each column
    means: docs/reference/statistics.md.

    Args:
        source: folder of a release, or a version such as v1 or latest; or a CSV or Parquet file with columns named as
            in a release, of which only processid is needed
        releases: where a version is looked up: the --output of run, or its folder releases
        table: print these tables in full; without it, the short ones
        published: also compare barcodes within the groups of these ranks by the recipe published with BIOSCAN-5M, which
            needs MAFFT (apt-get install mafft) and hours for a large release
        output: write all tables as CSV and Parquet into this folder
        settings: TOML with settings; [statistics] is read for a table
    """
    with terminal.progress() as progress:
        found = api.describe(
            source, releases=releases, settings=settings, published=published, output=output, progress=progress
        )
    shown = list(table or (*_SHOWN, *(("published_levels",) if published else ())))
    if unknown := [name for name in shown if name not in found.tables]:
        from bioscan_etl.errors import SourceError

        raise SourceError(f"there is no table {', '.join(unknown)}; the tables are {', '.join(found.tables)}")
    for name in shown:
        terminal.frame(name, _short(found.tables[name]))
    terminal.fact(
        source=found.source, stored=found.is_stored, tables={name: found.tables[name] for name in shown}, output=output
    )
    if output:
        terminal.say(f"all {len(found.tables)} tables: {output}")
    elif not table:
        more = [name for name in found.tables if name not in shown]
        terminal.say(f"--table prints one in full: {', '.join(more)}")
    return 0


def _short(table: pl.DataFrame) -> pl.DataFrame:
    """A table for a terminal: long texts, such as barcodes, are cut."""
    import polars as pl

    texts = pl.col(pl.String)
    return table.with_columns(
        pl.when(texts.str.len_chars() > _WIDEST).then(texts.str.slice(0, _WIDEST - 1) + "…").otherwise(texts)
    )


@reflowed
def figures(
    source: _Release,
    /,
    *,
    output: Folder,
    only: Annotated[tuple[str, ...], Parameter(metavar="NAME", consume_multiple=1)] = (),
    releases: _In = None,
    settings: File | None = None,
    answer: Answer = LINES,
    terminal: Said,
) -> int:
    """Draw the figures of a release or a table.

    Draw the figures of a release or a table as SVG and PNG, and a page that shows them, index.html. The same release
    gives the same bytes.

    Args:
        source: folder of a release, or a version such as v1 or latest; or a CSV or Parquet file with columns named as
            in a release, of which only processid is needed
        output: folder for the figures
        only: names of figures
        releases: where a version is looked up: the --output of run, or its folder releases
        settings: TOML with settings; [statistics] is read for a table
    """
    with terminal.progress() as progress:
        drawn = api.draw_figures(
            source, output, only=only or None, releases=releases, settings=settings, progress=progress
        )
    for path in drawn:
        terminal.say(str(path))
    terminal.fact(figures=drawn, output=output)
    return 0
