"""The check of how Parquet files are written: a footer that is no text is a fault of the file, not an error of ours."""

import shutil

import pytest
from release_corpus import GROWN, corpus

from bioscan_etl.release.check import check
from bioscan_etl.settings import ReleaseSettings, Settings


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    plain = ReleaseSettings(image_packages=("cropped_256",), hdf5_packages=(), forms=())
    return corpus(folder).build(folder / "releases", Settings(release=plain, splits=GROWN))


def test_a_column_chunk_whose_name_is_no_text_is_a_fault(good, tmp_path):
    root = tmp_path / "v1"
    shutil.copytree(good, root)
    path = root / "data/train-00000-of-00001.parquet"
    data = bytearray(path.read_bytes())
    # The names of the schema come first in the footer; the last one is that of the column chunk.
    at = data.rindex(b"dna_barcode_verbatim", 0, data.rindex(b"ARROW:schema"))
    data[at + 5] = 0xFF
    path.write_bytes(data)
    faults = [fault for fault in check(root) if fault.file == "data/train-00000-of-00001.parquet"]
    assert faults
    assert check(good) == []
