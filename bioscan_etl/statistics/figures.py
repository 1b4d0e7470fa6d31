"""Figures that describe a release, as SVG and PNG with the same bytes for the same data.

Belongs here: which figures there are, what each is drawn from, and its caption. Does not belong here: drawing one
(`figures_barcodes`, `figures_counts`, `figures_images`, `figures_places`, `figures_taxa`). For an empty release, each
figure states that there is no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from bioscan_etl.errors import SourceError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.statistics import figures_barcodes, figures_counts, figures_images, figures_places, figures_taxa
from bioscan_etl.statistics.canvas import Page, canvas, words
from bioscan_etl.statistics.drawn import Drawn
from bioscan_etl.statistics.gallery import Shown, write_gallery
from bioscan_etl.statistics.titles import FIGURES


class Figure(NamedTuple):
    """A figure: its function, the table that it is drawn from, if it is one, the settings that decide it; its images.

    `has_images`: it shows images of specimens, so that they are read.
    """

    draw: Callable[[Drawn, Page], None]
    table: str = ""
    settings: tuple[str, ...] = ()
    has_images: bool = False


_PROTOCOL = ("splits.protocol", "splits.keep_bins_together", "splits.keep_overlaps_together")
_SHARED = ("barcodes.min_shared_columns",)
_COMPARED = (*_SHARED, "statistics.min_group_barcodes", "statistics.max_group_barcodes", "statistics.seed")
_FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "sample_record": Figure(figures_images.sample_record, has_images=True),
        "specimen_sheet": Figure(figures_images.specimen_sheet, has_images=True),
        "image_boxes": Figure(
            figures_images.image_boxes, "", ("images.crop_margin", "images.crop_aspect"), has_images=True
        ),
        "image_masks": Figure(figures_images.image_masks, has_images=True),
        "image_sizes": Figure(figures_images.image_sizes, has_images=True),
        "size_distribution": Figure(figures_counts.size_distribution),
        "treemap_class": Figure(figures_taxa.treemap_class, "", _PROTOCOL),
        "treemap_order": Figure(figures_taxa.treemap_order, "", _PROTOCOL),
        "taxonomy_sunburst": Figure(figures_taxa.taxonomy_sunburst),
        "records_per_class": Figure(figures_counts.records_per_class),
        "records_per_order": Figure(figures_counts.records_per_order),
        "species_rank_abundance": Figure(figures_counts.species_rank_abundance),
        "rarefaction": Figure(figures_barcodes.rarefaction, "rarefaction"),
        "site_map": Figure(figures_places.site_map),
        "country_map": Figure(figures_places.country_map),
        "partition_countries": Figure(figures_places.partition_countries, "partition_countries", _PROTOCOL),
        "partition_distribution": Figure(figures_counts.partition_distribution, "partitions", _PROTOCOL),
        "missing_labels": Figure(figures_counts.missing_labels, "missing"),
        "missing_fields": Figure(figures_counts.missing_fields, "missing"),
        "barcode_strip": Figure(figures_barcodes.barcode_strip),
        "sdi_by_rank": Figure(figures_barcodes.sdi_by_rank, "barcodes"),
        "distances_class": Figure(figures_barcodes.distances_class, "distances", _COMPARED),
        "distances_order": Figure(figures_barcodes.distances_order, "distances", _COMPARED),
        "distances_species": Figure(figures_barcodes.distances_species, "distance_bins", _COMPARED),
        "barcode_gap": Figure(figures_barcodes.barcode_gap, "species_audit", _SHARED),
        "leakage_curve": Figure(figures_barcodes.leakage_curve, "leakage_curve", (*_SHARED, *_PROTOCOL)),
    }
)
TABLES = frozenset(figure.table for figure in _FIGURES.values() if figure.table)
"""Tables that figures are drawn from."""


def have_images(only: Iterable[str] | None = None) -> bool:
    """Whether any of these figures shows images of specimens; None: of all. A name of no figure shows none."""
    return any(figure.has_images for name, figure in _FIGURES.items() if only is None or name in only)


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
    names = [name for name in FIGURES if name in chosen and _FIGURES[name].table in {"", *drawn.tables}]
    paths, shown = [], []
    for number, name in enumerate(names):
        paths.append(folder / f"{name}.svg")
        shown.append(draw(name, drawn, paths[-1]))
        progress("figures", number + 1, len(names))
    write_gallery(folder, shown, drawn, tables=of_release)
    return paths


def draw(name: str, drawn: Drawn, path: Path) -> Shown:
    """Draw one figure as SVG and PNG; returns what the page says of it, the caption as the SVG has it."""
    figure = _FIGURES[name]
    about = drawn.about(figure.settings)
    with canvas(path, about) as page:
        figure.draw(drawn, page)
    return Shown(name, words(page, about), figure.table, page.figure.get_figwidth())
