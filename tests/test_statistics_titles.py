"""Words for figures."""

from bioscan_etl.provenance.closure import closure
from bioscan_etl.statistics.titles import FIGURES


def test_each_figure_is_described_in_a_sentence():
    assert len(set(FIGURES.values())) == len(FIGURES) > 5
    assert all(text.endswith(".") and name.isidentifier() for name, text in FIGURES.items())


def test_who_names_figures_does_not_depend_on_how_they_are_drawn():
    found = closure("bioscan_etl.stages.quality_report", prose=True)
    assert not found.libraries & {"matplotlib", "shapely", "great_expectations", "sqlalchemy"}
    assert "bioscan_etl.statistics.titles" in found.modules
    assert not set(found.modules) & {
        "bioscan_etl.quality.duckdb_dialect",
        "bioscan_etl.quality.validate",
        "bioscan_etl.stages.curated_expectations",
        "bioscan_etl.statistics.figures",
        "bioscan_etl.statistics.tables",
    }
