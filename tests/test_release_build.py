"""Parts made of others: what settings ask for, originals, and the same bytes however they were made."""

import hashlib
import shutil
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import polars as pl
import pytest
from release_corpus import DIGEST, corpus, encode, filled, picture
from release_everything import EVERYTHING, everything

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError, SourceError
from bioscan_etl.release.forms.registry import build_form, forms, owned
from bioscan_etl.release.images import Originals, write_images
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings, Settings

ROWS = pl.DataFrame({"processid": ["A-1", "A-2"], "image_batch": "one", "split": ["train", "val"], "chunk": ["0", ""]})


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_everything_twice_is_the_same_bytes(tmp_path):
    first, second = everything(tmp_path / "a"), everything(tmp_path / "b")
    assert contents(first) == contents(second)
    assert {"hdf5/clibd.hdf5", "hdf5/cropped_256.packed.hdf5", "croissant.json", "datapackage.json"} <= set(
        contents(first)
    )


def test_only_what_is_asked_for_is_there(tmp_path):
    made = corpus(tmp_path / "lake")
    release = made.build(tmp_path / "r", Settings(release=ReleaseSettings(forms=(), hdf5_packages=())))
    assert {path.name for path in release.iterdir()} == {
        "README.md", "bioscan5m", "changelog.md", "changes.parquet", "data", "decisions.parquet", "labels",
        "manifest.json", "md5sums.txt", "quarantine.parquet", "rejects.parquet", "set_aside.parquet",
    }  # fmt: skip
    assert {path.name for path in (release / "bioscan5m").iterdir()} == {"images", "metadata"}
    assert {path.name for path in (release / "bioscan5m/metadata").iterdir()} == {"csv"}
    text = (release / "README.md").read_text()
    for name in ("partitioned", "data_images", "_bbox.tsv", "croissant", "barcodebert", "config_name: images"):
        assert name not in text


@pytest.mark.slow
def test_a_part_can_be_rebuilt_alone_to_the_same_bytes(tmp_path):
    made = corpus(tmp_path / "lake")
    staging = Staging(tmp_path / "r", DIGEST)
    made.parts(staging, EVERYTHING)
    before = contents(staging.tree)
    for form in forms().values():
        if form.build is None:
            continue
        part = form.name
        for name in owned(EVERYTHING)[part]:
            path = staging.tree / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (staging.folder / "parts" / f"{part}.json").unlink()
        assert contents(staging.tree) != before
        build_form(form, staging, EVERYTHING)
        assert contents(staging.tree) == before


@pytest.mark.parametrize("form", [form for form in forms().values() if form.build], ids=lambda form: form.name)
def test_forms_need_what_they_are_made_of(tmp_path, form):
    stage = "image_packages" if form.images else "release_metadata"
    with pytest.raises(InvariantError, match=f"materialise {stage}"):
        build_form(form, Staging(tmp_path, DIGEST), EVERYTHING)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "values",
    [
        {"zip_packages": ["original_full"]},
        {"webdataset_packages": ["original_full"]},
        {"packed_packages": ["original_full"]},
        {"image_packages": ["cropped"], "hdf5_packages": [], "forms": ["clibd"]},
        {"forms": ["excel"]},
    ],
)
def test_settings_that_cannot_be_are_refused(values):
    with pytest.raises(ValueError, match=r"image_packages|there is no form"):
        ReleaseSettings.model_validate(values)


def test_a_release_without_cropped_256_leaves_out_what_is_made_of_it_by_default():
    settings = ReleaseSettings(image_packages=(), hdf5_packages=())
    assert not settings.wants("data_images")
    assert settings.wants("jsonld")
    assert "data_images" not in owned(settings)


@pytest.fixture
def delivery(tmp_path):
    """Originals of two specimens: one in a folder, one in a zip; with the boxes table that names them."""
    files = {"a.jpg": picture(1)["cropped"], "plate/b.jpg": encode_png(2)}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.jpg").write_bytes(files["a.jpg"])
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("plate/b.jpg", files["plate/b.jpg"])
    boxes = filled(
        schema.BOXES,
        [
            {"processid": processid, "image_file": name, "sha256": hashlib.sha256(files[name]).hexdigest()}
            for processid, name in (("A-2", "plate/b.jpg"), ("A-1", "a.jpg"), ("A-3", "a.jpg"))
        ],
    )
    boxes.write_parquet(tmp_path / "boxes.parquet")
    return Originals(tmp_path / "boxes.parquet", (str(tmp_path / "folder"), str(tmp_path / "images.zip"))), files


def encode_png(number):
    ok, png = cv2.imencode(".png", cv2.imdecode(np.frombuffer(picture(number)["cropped"], "u1"), 1))
    assert ok
    return png.tobytes()


def test_originals_keep_their_bytes(delivery, tmp_path):
    originals, files = delivery
    counts = write_images(ROWS, [("one", tmp_path)], ["original_full"], tmp_path / "out", originals={"one": originals})
    assert counts == {"original_full": 2}
    assert (tmp_path / "out/original_full/train/0/A-1.jpg").read_bytes() == files["a.jpg"]
    assert (tmp_path / "out/original_full/val/A-2.jpg").read_bytes() == files["plate/b.jpg"]
    assert len(contents(tmp_path / "out")) == 2


def test_an_original_that_changed_or_went_stops_the_release(delivery, tmp_path):
    originals, _ = delivery
    write = [("one", tmp_path)], ["original_full"], tmp_path / "out"
    (tmp_path / "folder" / "a.jpg").write_bytes(encode(np.zeros((8, 8, 3), "u1")))
    with pytest.raises(SourceError, match=r"a\.jpg of A-1 in batch one has changed"):
        write_images(ROWS, *write, originals={"one": originals})
    (tmp_path / "folder" / "a.jpg").unlink()
    with pytest.raises(SourceError, match=r"a\.jpg"):
        write_images(ROWS, *write, originals={"one": originals})
    with pytest.raises(InvariantError, match="not known where the original images of batch one"):
        write_images(ROWS, *write)
    pl.read_parquet(originals.boxes).head(1).write_parquet(tmp_path / "few.parquet")
    with pytest.raises(InvariantError, match=r"one original image of each .*A-1"):
        write_images(ROWS, *write, originals={"one": replace(originals, boxes=tmp_path / "few.parquet")})


@pytest.mark.slow
def test_a_release_of_one_split_or_of_none_has_all_forms(tmp_path):
    import h5py

    made = corpus(tmp_path / "lake")
    for name, kept in (("train", pl.col("split") == "train"), ("none", pl.lit(value=False))):
        partitions = made.partitions.filter(kept)
        curated = made.curated.join(partitions, on="processid", how="semi", maintain_order="left")
        rows = made.rows_read - made.curated.height + curated.height
        release = replace(made, curated=curated, partitions=partitions, rows_read=rows).build(
            tmp_path / name, Settings(release=EVERYTHING)
        )
        with h5py.File(release / "hdf5/clibd.hdf5") as file:
            assert file["val_seen/image"].shape == (0, 1)
            assert file["seen_keys/image"].shape[0] == curated.height
        with h5py.File(release / "hdf5/cropped_256.packed.hdf5") as file:
            assert len(file["offsets"]) == curated.height + 1
            assert len(file["metadata/species"]) == curated.height
