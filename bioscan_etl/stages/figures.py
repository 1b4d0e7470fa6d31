"""Figures of the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bioscan_etl.images.detect import detector_fingerprint
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.release import versions
from bioscan_etl.release.layout import FIGURES, STATISTICS
from bioscan_etl.release.rows import released_scan
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.drawn import ROWS, Drawn, sample_of, shown_of, stated
from bioscan_etl.statistics.figures import TABLES, draw_figures
from bioscan_etl.statistics.pictures import load_pictures

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def build(work: Work) -> None:
    """Write the figures as SVG and PNG, and the page that shows them."""
    released = released_scan(work.release)
    tree = versions.published(work.release.releases, work.release.digest) or work.release.tree
    drawn = Drawn(
        rows=released.select(ROWS).collect(),
        tables={name: read_parquet(work.path("statistics", f"{STATISTICS}/{name}.parquet")) for name in sorted(TABLES)},
        sample=sample_of(released),
        shown=shown_of(released),
        pictures=load_pictures(real_path(tree), work.settings),
        source=f"{work.settings.release.dataset} {work.extra['version']}",
        settings=stated(work.settings),
    )
    work.out.counts["figures"] = len(
        draw_figures(drawn, work.out.folder / FIGURES, progress=work.progress, of_release=True)
    )


def extra(situation: Situation) -> dict[str, Any]:
    """What captions name, the version and the detector; that also outlines specimens."""
    draft = situation.staging
    published = versions.published(draft.releases, draft.digest)
    return {
        "version": published.name if published else versions.next_version(draft.releases),
        "detector": detector_fingerprint(situation.settings.images),
    }
