"""CLIBD's HDF5 file, read as CLIBD reads it."""

import io

import h5py
import numpy as np
import polars as pl
import pytest
from PIL import Image

from bioscan_etl.release.forms.clibd import COLUMNS, GROUPS, write_clibd

ROWS = pl.DataFrame(
    {
        "processid": ["A-1", "B-1", "C-1", "D-1"],
        "split": ["pretrain", "train", "train", "key_unseen"],
        "dna_barcode": ["ACGT", "ACGTN", "A", "CC"],
        "order": ["Diptera", None, "Diptera", "Hymenoptera"],
        "family": [None, None, "Sciaridae", None],
        "genus": [None, "Bradysia", "Bradysia", "Apis"],
        "species": [None, "Bradysia ä", "Bradysia b", "Apis mellifera"],
        "sampleid": ["S1", None, "S3", "S4"],
        "dna_bin": ["BOLD:AAA0001", None, "BOLD:AAA0002", None],
        "image_file": ["A-1.jpg", "B-1.jpg", "C-1.jpg", "D-1.jpg"],
        "path": ["A.jpg", "B.jpg", "C.jpg", "D.jpg"],
    }
)


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(ROWS["path"]):
        Image.new("RGB", (8 + 8 * number, 8), (60 * number, 10, 10)).save(tmp_path / name, "JPEG")
    return tmp_path


def test_rows_stand_in_the_groups_of_their_partitions(root):
    assert write_clibd(ROWS, root, root / "clibd.hdf5") == 3 + 2 + 1 + 3
    with h5py.File(root / "clibd.hdf5") as file:
        assert set(file) == set(GROUPS)
        texts = {name: [one.decode() for one in file["all_keys"][name][()]] for name in COLUMNS}
        assert texts["processid"] == ["D-1", "B-1", "C-1"]
        assert texts["species"] == ["Apis mellifera", "Bradysia ä", "Bradysia b"]
        assert texts["order"] == ["Hymenoptera", "not_classified", "Diptera"]
        assert texts["dna_bin"] == ["not_classified", "not_classified", "BOLD:AAA0002"]
        assert [one.decode() for one in file["no_split_and_seen_train"]["processid"]] == ["A-1", "B-1", "C-1"]
        assert len(file["test_seen"]["processid"]) == 0


def test_keys_and_queries_have_a_species(root):
    """One that follows a barcode or BIN into a labelled partition would be of the class not_classified there."""
    follower = ROWS.with_columns(species=pl.when(pl.col("processid") != "C-1").then("species"))
    write_clibd(follower, root, root / "clibd.hdf5")
    with h5py.File(root / "clibd.hdf5") as file:
        assert [one.decode() for one in file["seen_keys"]["processid"]] == ["B-1"]
        assert [one.decode() for one in file["all_keys"]["processid"]] == ["D-1", "B-1"]
        assert [one.decode() for one in file["no_split_and_seen_train"]["processid"]] == ["A-1", "B-1", "C-1"]


def test_images_are_padded_with_zeros_to_the_longest(root):
    write_clibd(ROWS, root, root / "clibd.hdf5")
    with h5py.File(root / "clibd.hdf5") as file:
        group = file["seen_keys"]
        assert group["image"].dtype == np.uint8
        assert group["image"].chunks == (1, group["image"].shape[1])
        for row, name in enumerate(["B.jpg", "C.jpg"]):
            length = int(group["image_mask"][row])
            assert group["image"][row, :length].tobytes() == (root / name).read_bytes()
            assert not group["image"][row, length:].any()
            Image.open(io.BytesIO(group["image"][row].tobytes())).load()


def test_the_same_rows_give_the_same_bytes(root):
    for name in ("one.hdf5", "two.hdf5"):
        write_clibd(ROWS, root, root / name)
    assert (root / "one.hdf5").read_bytes() == (root / "two.hdf5").read_bytes()
