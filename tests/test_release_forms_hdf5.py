"""HDF5 in the published form."""

import cv2
import h5py
import numpy as np
import polars as pl
import pytest
from release_corpus import picture

from bioscan_etl.release.forms.hdf5 import write_hdf5
from bioscan_etl.settings import ReleaseSettings


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images" / "cropped_256" / "val"
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"P{number}.jpg").write_bytes(picture(number)["cropped_256"])
    return pl.DataFrame({"processid": [f"P{n}" for n in range(5)], "path": [f"val/P{n}.jpg" for n in range(5)]})


def write(images, tmp_path, name="x.hdf5"):
    path = tmp_path / "hdf5" / name
    assert write_hdf5(images, tmp_path / "images", "cropped_256", path, ReleaseSettings()) == images.height
    return path


def test_members_are_the_jpeg_bytes_and_decode(images, tmp_path):
    with h5py.File(write(images, tmp_path)) as file:
        assert list(file) == ["bioscan_dataset"]
        group = file["bioscan_dataset"]
        assert list(group) == [f"P{n}.jpg" for n in range(5)]
        data = group["P3.jpg"]
        assert (data.dtype, data.ndim) == (np.uint8, 1)
        assert data[()].tobytes() == picture(3)["cropped_256"]
        assert cv2.imdecode(data[()], cv2.IMREAD_COLOR).shape == (256, 341, 3)


def test_attributes_are_those_of_the_published_form(images, tmp_path):
    with h5py.File(write(images, tmp_path)) as file:
        attributes = dict(file["bioscan_dataset"].attrs)
    assert set(attributes) == {"Description", "Copyright Holder", "Institution", "Photographer", "License", "Year"}
    assert attributes["License"] == "CC BY 3.0"


def test_bytes_depend_on_the_images_only(images, tmp_path):
    first = write(images, tmp_path, "a.hdf5").read_bytes()
    assert write(images.reverse(), tmp_path, "b.hdf5").read_bytes() == first


def test_no_object_keeps_the_time_it_was_made_at(images, tmp_path):
    """HDF5 would store times in seconds: two quick builds have the same bytes even if it does."""
    with h5py.File(write(images, tmp_path)) as file:
        found = []
        file.visititems(lambda _, each: found.append(h5py.h5o.get_info(each.id).ctime))
    assert found
    assert set(found) == {0}


def test_no_image_is_a_group_without_members(images, tmp_path):
    with h5py.File(write(images.clear(), tmp_path)) as file:
        assert len(file["bioscan_dataset"]) == 0


def test_a_lost_image_leaves_no_file(images, tmp_path):
    (tmp_path / "images/cropped_256/val/P4.jpg").unlink()
    path = tmp_path / "hdf5" / "x.hdf5"
    with pytest.raises(FileNotFoundError):
        write_hdf5(images, tmp_path / "images", "cropped_256", path, ReleaseSettings())
    assert not path.exists()
