"""Figures of the release."""

from __future__ import annotations

from bioscan_etl.release.rows import released_rows
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.figures import draw_figures


def build(work: Work) -> None:
    """Write the figures as SVG."""
    work.out.counts["figures"] = len(draw_figures(released_rows(work.release), work.out.folder))
