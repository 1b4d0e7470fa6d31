"""The packed HDF5 form, read at random."""

import h5py
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_corpus import filled

from bioscan_etl import schema
from bioscan_etl.release.forms._packed import write_packed
from bioscan_etl.release.hdf5_files import byte_strings
from bioscan_etl.settings import ReleaseSettings


@pytest.fixture
def packed(tmp_path):
    rows = [
        {"processid": "A-1", "country": "Côte d'Ivoire", "coord-lat": 1.5, "area_fraction": 0.25, "split": "train"},
        {"processid": "B-1", "country": None, "coord-lat": None, "index_bioscan_1M_insect": 7, "split": "val"},
        {"processid": "C-1", "country": "Chad", "image_measurement_value": 3, "split": "val"},
    ]
    frame = filled(schema.METADATA, [row | {"dna_barcode": "ACGT", "chunk": "", "inferred_ranks": 0} for row in rows])
    (tmp_path / "cropped").mkdir()
    (tmp_path / "cropped" / "a.jpg").write_bytes(b"first")
    (tmp_path / "cropped" / "c.jpg").write_bytes(b"second one")
    texts = [column.name for column in schema.METADATA.columns if column.dtype == pl.String()]
    widths = {name: frame[name].str.len_bytes().max() or 1 for name in texts}
    images = pl.Series(["a.jpg", None, "c.jpg"])
    path = tmp_path / "cropped.packed.hdf5"
    pieces = [frame[:2], frame[2:]]
    assert write_packed(pieces, widths, images, tmp_path, "cropped", path, ReleaseSettings()) == 2
    return path


def test_an_image_is_read_by_its_row(packed):
    with h5py.File(packed) as file:
        offsets = file["offsets"][()]
        found = [file["jpeg"][offsets[row] : offsets[row + 1]].tobytes() for row in range(3)]
    assert found == [b"first", b"", b"second one"]


def test_metadata_stand_beside_the_images(packed):
    with h5py.File(packed) as file:
        group = file["metadata"]
        assert set(group) == set(schema.METADATA.names())
        assert [one.decode() for one in group["country"][()]] == ["Côte d'Ivoire", "", "Chad"]
        assert np.array_equal(group["coord-lat"][()], [1.5, np.nan, np.nan], equal_nan=True)
        assert group["index_bioscan_1M_insect"][()].tolist() == [-1, 7, -1]
        assert group["index_bioscan_1M_insect"].attrs["missing"] == -1
        assert "License" in file.attrs


@given(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9))))
def test_texts_come_back_from_byte_strings(texts):
    series = pl.Series("x", texts, pl.String)
    width = max([len(text.encode()) for text in texts if text] or [1])
    values = byte_strings(series, "", width)
    assert values.dtype == f"S{width}"
    assert [value.decode() for value in values.tolist()] == [text or "" for text in texts]
