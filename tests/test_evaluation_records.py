"""A release as the benchmarks see it."""

import hashlib

import numpy as np
import pytest
from evaluated_records import records
from framed_barcodes import drawn
from release_corpus import GROWN, corpus
from test_statistics_distances import changed

from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation.records import NO_LABEL, open_records
from bioscan_etl.release.opened import open_release
from bioscan_etl.settings import GateSettings, ReleaseSettings, Settings

WHOLE = drawn(4)


def row(split, barcode, species=None, **more):
    return {"split": split, "dna_barcode": barcode, "species": species, **more}


def test_barcodes_are_numbered_without_trailing_n_and_labels_by_name():
    found = records(
        [
            row("train", WHOLE[0] + "NN", "B b", genus="B"),
            row("train", WHOLE[0], "A a"),
            row("test", "NNN", "A a", genus="A"),
        ]
    )
    assert found.barcode_ids.tolist() == [0, 0, NO_LABEL]
    assert found.barcodes.to_list() == [WHOLE[0]]
    assert found.codes("species").tolist() == [1, 0, 0]
    assert found.codes("genus").tolist() == [1, NO_LABEL, 0]
    assert found.codes("dna_bin").tolist() == [NO_LABEL] * 3
    assert found.of(["train"]).tolist() == [0, 1]


def test_the_first_row_of_the_release_stands_for_a_barcode():
    found = records(
        [
            row("pretrain", WHOLE[2]),
            row("train", WHOLE[1]),  # without a species, it stands for no barcode
            row("train", WHOLE[1], "A a"),
            row("train", WHOLE[0], "A a"),
            row("val", WHOLE[1], "A a"),
            row("test", None, "A a"),
        ]
    )
    assert found.first_of_barcode.tolist() == [0, 2, 3]


def test_a_row_has_an_image_if_it_has_a_box():
    found = records([row("train", WHOLE[0], area_fraction=0.2, chunk="0a"), row("train", WHOLE[1], chunk="0a")])
    assert found.pictured.tolist() == [True, False]
    assert found.rows["path"].to_list() == ["train/0a/P-0000.jpg", None]


def test_copies_are_the_same_over_shared_columns():
    found = records(
        [
            row("train", WHOLE[0], "A a"),
            row("train", WHOLE[1], "A b"),
            row("test", WHOLE[0], "A a"),  # the same
            row("test", WHOLE[1][100:560], "A b"),  # a part
            row("test", changed(WHOLE[0], 300), "A a"),  # one base differs
            row("test", WHOLE[1][:200], "A b"),  # shares too few columns
            row("test", None, "A b"),
        ]
    )
    train, test = found.of(["train"]), found.of(["test"])
    assert found.copies(test, train).tolist() == [True, True, False, False, False]
    assert found.copies(test, np.empty(0, np.int64)).tolist() == [False] * 5
    assert found.copies(np.empty(0, np.int64), train).tolist() == []


def test_barcodes_of_pretraining_are_not_placed():
    found = records([row("pretrain", WHOLE[0]), row("train", WHOLE[1], "A a"), row("test", WHOLE[2], "A a")])
    placed = sorted(found.barcodes[at] for at in np.flatnonzero(found.frame_positions >= 0).tolist())
    assert placed == sorted(WHOLE[1:3])


def test_no_rows_are_no_error():
    found = records([])
    assert found.first_of_barcode.tolist() == []
    assert found.copies(found.of(["test"]), found.of(["train"])).tolist() == []


def test_a_release_is_read_in_its_order(tmp_path):
    settings = Settings(
        release=ReleaseSettings(image_packages=(), hdf5_packages=(), forms=()),
        gates=GateSettings(require_image=False),
        splits=GROWN,
    )
    corpus(tmp_path / "corpus").build(tmp_path / "releases", settings, digest="1" * 64)
    root = tmp_path / "releases" / "v1"
    found = open_records("v1", tmp_path)
    opened = open_release(root)
    assert found.rows["processid"].equals(opened.rows()["processid"])
    assert found.rows["species"].equals(opened.rows()["species"])
    assert found.digest == hashlib.sha256((root / "manifest.json").read_bytes()).hexdigest()
    assert found.release == "bioscan5m v1"
    assert found.rows["barcode_id"].null_count() == 0
    letters = found.barcodes.gather(found.barcode_ids).str.strip_chars("N")
    assert letters.equals(opened.rows()["dna_barcode"].str.strip_chars("N"), check_names=False)


def test_a_folder_without_a_release_is_one_line(tmp_path):
    with pytest.raises(SourceError, match="is not a release"):
        open_records(str(tmp_path))
