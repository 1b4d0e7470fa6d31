"""Figures that describe a release, as SVG and PNG with the same bytes for the same data.

Belongs here: which figures there are, in the order of `titles.FIGURES`. Does not belong here: drawing one
(`figures_counts`, `figures_barcodes`, `figures_places`). For an empty release, each figure states that there is no
data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from bioscan_etl.errors import SourceError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.statistics import figures_barcodes, figures_counts, figures_places
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.gallery import write_gallery
from bioscan_etl.statistics.titles import FIGURES

_FIGURES: Mapping[str, tuple[Callable[[Drawn, Path], None], str]] = MappingProxyType(
    {
        "partition_distribution": (figures_counts.partition_distribution, "partitions"),
        "missing_labels": (figures_counts.missing_labels, "missing"),
        "missing_fields": (figures_counts.missing_fields, "missing"),
        "size_distribution": (figures_counts.size_distribution, ""),
        "records_per_class": (figures_counts.records_per_class, ""),
        "records_per_order": (figures_counts.records_per_order, ""),
        "species_rank_abundance": (figures_counts.species_rank_abundance, ""),
        "rarefaction": (figures_barcodes.rarefaction, "rarefaction"),
        "site_map": (figures_places.site_map, ""),
        "partition_countries": (figures_places.partition_countries, "partition_countries"),
        "distances_class": (figures_barcodes.distances_class, "distances"),
        "distances_order": (figures_barcodes.distances_order, "distances"),
        "distances_species": (figures_barcodes.distances_species, "distance_bins"),
        "leakage_curve": (figures_barcodes.leakage_curve, "leakage_curve"),
        "barcode_gap": (figures_barcodes.barcode_gap, "species_audit"),
        "sdi_by_rank": (figures_barcodes.sdi_by_rank, "barcodes"),
        "barcode_strip": (figures_barcodes.barcode_strip, ""),
    }
)
"""What draws a figure, and the table that it is drawn from, if it is one."""
TABLES = frozenset(table for _, table in _FIGURES.values() if table)
"""Tables that figures are drawn from."""


def draw_figures(
    drawn: Drawn,
    folder: Path,
    only: Iterable[str] | None = None,
    progress: Progress = silent,
    *,
    of_release: bool = False,
) -> list[Path]:
    """Draw figures as `<name>.svg` and `<name>.png`, and a page that shows them, `index.html`.

    Args:
        drawn: the release; it may be empty, and columns may be all null.
        folder: created if missing.
        only: names of `titles.FIGURES`; None: all. A figure whose table is missing is left out.
        progress: reports the figures.
        of_release: whether the tables lie beside the folder, as in a release; then the page links to them.

    Returns:
        The paths of the SVG files, in the order of `FIGURES`, whose values are the alternative texts of the figures.

    Raises:
        SourceError: there is no figure of a name.
    """
    chosen = list(FIGURES) if only is None else list(only)
    if unknown := [name for name in chosen if name not in FIGURES]:
        raise SourceError(f"there is no figure {', '.join(unknown)}; the figures are {', '.join(FIGURES)}")
    names = [name for name in FIGURES if name in chosen and _FIGURES[name][1] in {"", *drawn.tables}]
    paths = []
    for number, name in enumerate(names):
        paths.append(folder / f"{name}.svg")
        _FIGURES[name][0](drawn, paths[-1])
        progress("figures", number + 1, len(names))
    write_gallery(folder, {name: _FIGURES[name][1] for name in names}, drawn.rows.height, tables=of_release)
    return paths
