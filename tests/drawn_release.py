"""A release as figures see it, for the tests of figures: rows, and all tables of statistics of them.

Belongs here: rows in which each figure has something to draw, and rows in which it has nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from framed_barcodes import drawn

from bioscan_etl import schema, vocabulary
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.canvas import Page, canvas
from bioscan_etl.statistics.described import describe
from bioscan_etl.statistics.drawn import Drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ODD = ["Diptera", "$x^2$ <script>", "Ωmega"]


def metadata(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of `schema.METADATA_EXTENDED`; what they do not name is null."""
    return pl.DataFrame(
        [dict.fromkeys(schema.METADATA_EXTENDED.names()) | row for row in rows],
        schema=schema.METADATA_EXTENDED.schema(),
    )


def rows(count: int = 60) -> pl.DataFrame:
    """Specimens of 15 species in three orders, one of which looks like markup."""
    whole = drawn(20, seed=5)
    return metadata(
        [
            {
                "processid": f"P{n:03}", "phylum": "Arthropoda", "class": "Insecta", "order": ODD[n % 3],
                "family": f"F{n % 3}", "genus": f"G{n % 15}", "species": f"G s{n % 15}", "taxon": "a & b",
                "dna_bin": f"BOLD:AAA{n % 15:04}", "dna_barcode": whole[n % 15][n // 15 * 9 :] if n % 2 else
                whole[n % 15][:30] + "ACGT"[n // 15 % 4] + whole[n % 15][31:],
                "split": vocabulary.SPLITS[n % 8], "country": ["Norway", "<b>Narnia</b>", None][n % 3],
                "coord-lat": n - 30.0, "coord-lon": 100 - 3.0 * n, "image_measurement_value": 100 * n,
                "area_fraction": n / 100, "scale_factor": n / 10,
            }
            for n in range(count)
        ]
    )  # fmt: skip


def of(frame: pl.DataFrame) -> Drawn:
    """What the figures of these rows are drawn from."""
    return describe(frame, Settings()).drawn()


def axes_of(figure: Callable[[Drawn, Page], None], release: Drawn, folder: Path) -> list[Axes]:
    """Draw a figure into a folder; returns its axes, which say what was drawn."""
    with canvas(folder / f"{figure.__name__}.svg") as page:
        figure(release, page)
    assert page.caption.endswith(".")
    return page.figure.axes
