"""Figures of the release."""

from __future__ import annotations

from bioscan_etl.io.tables import read_parquet
from bioscan_etl.release.layout import FIGURES, STATISTICS
from bioscan_etl.release.rows import released_scan
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.drawn import ROWS, Drawn, sample_of
from bioscan_etl.statistics.figures import TABLES, draw_figures


def build(work: Work) -> None:
    """Write the figures as SVG and PNG."""
    released = released_scan(work.release)
    tables = {name: read_parquet(work.path("statistics", f"{STATISTICS}/{name}.parquet")) for name in sorted(TABLES)}
    drawn = Drawn(released.select(ROWS).collect(), tables, sample_of(released))
    work.out.counts["figures"] = len(
        draw_figures(drawn, work.out.folder / FIGURES, progress=work.progress, of_release=True)
    )
