"""Statistics and figures of the release."""

import dagster as dg

from assets.release import open_staging, release_metadata, released_metadata
from assets.stage import report, run, stage
from bioscan_etl.lake import Draft
from bioscan_etl.resources import LakeResource
from bioscan_etl.statistics.figures import draw_figures
from bioscan_etl.statistics.tables import statistics as compute
from bioscan_etl.statistics.tables import write_tables


@stage(group="report", kinds={"polars", "csv"}, deps=[release_metadata], pool="corpus")
def statistics(lake: LakeResource) -> dg.MaterializeResult:
    """Tables of categories, missing values, imbalance, sizes, partitions and barcode diversity of the release.

    One row is an attribute, a partition or a rank. Source: release_metadata.
    """
    home, settings = lake.lake(), lake.settings()

    def build(draft: Draft) -> None:
        tables = compute(released_metadata(home, settings))
        write_tables(tables, draft.folder)
        draft.counts |= {name: table.height for name, table in tables.items()}

    inputs = {"release": open_staging(home, settings).digest}
    return report(run(home, settings, "statistics", inputs=inputs, build=build))


@stage(group="report", kinds={"matplotlib"}, deps=[release_metadata], pool="corpus")
def figures(lake: LakeResource) -> dg.MaterializeResult:
    """Figures of the release: partitions, missing labels, sizes, classes and orders, abundance, sites, a barcode.

    Source: release_metadata. SVG, the same bytes for the same release.
    """
    home, settings = lake.lake(), lake.settings()

    def build(draft: Draft) -> None:
        draft.counts["figures"] = len(draw_figures(released_metadata(home, settings), draft.folder))

    inputs = {"release": open_staging(home, settings).digest}
    return report(run(home, settings, "figures", inputs=inputs, build=build))
