"""What an alignment sees of a specimen."""

import numpy as np
from evaluated_records import records
from framed_barcodes import drawn

from bioscan_etl.evaluation.networks import modalities
from bioscan_etl.evaluation.records import NO_LABEL

ONE, OTHER, THIRD = drawn(3)
ROWS = [
    {"split": "train", "order": "Diptera", "family": "F", "genus": "G", "species": "G a", "dna_barcode": ONE},
    {"split": "train", "order": "Diptera", "dna_barcode": OTHER},
    {"split": "pretrain", "order": "Diptera", "family": "F", "genus": "G", "species": "G a"},
    {"split": "test", "order": "Diptera", "family": "F", "genus": "H", "species": "H b", "dna_barcode": THIRD},
]


def test_texts_are_names_of_four_ranks_and_a_missing_one_is_a_name():
    found = records(ROWS)
    text = modalities.names(found, np.array([0, 1]))
    assert modalities.NAMED == ("order", "family", "genus", "species")
    assert text.things == 3
    assert text.of_row[0] == text.of_row[2] != text.of_row[1]
    by_row = text.inputs.numbers[text.of_row]
    assert (by_row[1, 1:] > 0).all()  # not_classified is known to the training
    assert len({*by_row[1, 1:]}) == 3  # one for each rank
    assert by_row[0, 0] == by_row[1, 0] == by_row[3, 0]
    assert by_row[3].tolist()[2:] == [modalities.UNKNOWN_NAME] * 2  # test may not teach names
    assert by_row.max() < text.inputs.count


def test_barcodes_are_counted_where_they_are_needed():
    found = records(ROWS)
    every, some = modalities.barcode_kmers(found), modalities.barcode_kmers(found, np.array([2, 3]))
    assert every.things == 3
    assert some.things == 1
    assert some.of_row.tolist() == [NO_LABEL, NO_LABEL, NO_LABEL, 0]
    assert every.of_row[2] == NO_LABEL
    np.testing.assert_array_equal(some.inputs.vectors.at(np.array([0])), every.inputs.vectors.at(every.of_row[[3]]))


def test_a_training_has_rows_with_all_modalities():
    found = records(ROWS)
    of_rows = [np.array([0, 1, 2, 3]), found.barcode_ids]
    assert modalities.trained_rows(found, of_rows, ("pretrain", "train")).tolist() == [0, 1]
    assert modalities.trained_rows(found, of_rows, ("val",)).tolist() == []
