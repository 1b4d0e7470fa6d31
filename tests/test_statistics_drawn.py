"""What figures are drawn from."""

import drawn_release

from bioscan_etl import schema
from bioscan_etl.statistics.drawn import ROWS, sample_of


def test_figures_read_columns_of_a_release():
    assert set(ROWS) <= set(schema.METADATA_EXTENDED.names())


def test_the_sample_has_a_barcode_and_the_most_labels_and_is_the_first_of_these():
    named = {"class": "Insecta", "order": "Diptera"}
    rows = [
        {"processid": "A"} | named | {"family": "F"},  # no barcode
        {"processid": "C", "dna_barcode": "ACG", "taxon": "c"} | named,
        {"processid": "B", "dna_barcode": "ACT", "taxon": "b"} | named,
        {"processid": "D", "dna_barcode": "AAA"},
    ]
    found = sample_of(drawn_release.metadata(rows).lazy())
    assert found == {"processid": "B", "taxon": "b", "dna_barcode": "ACT"}
    assert sample_of(drawn_release.metadata(rows[:1]).lazy()) is None
