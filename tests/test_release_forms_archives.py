"""Archives: members, order and headers that depend on the images only."""

import json
import tarfile
import zipfile

import polars as pl
import pytest
from release_corpus import DIGEST
from release_everything import EVERYTHING, made

from bioscan_etl.errors import InvariantError
from bioscan_etl.release.forms import archives
from bioscan_etl.release.forms.registry import build_form
from bioscan_etl.release.parts import build_images, build_metadata
from bioscan_etl.release.staging import Staging
from bioscan_etl.schema import METADATA
from bioscan_etl.vocabulary import SPLITS


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """A staging with metadata and images, and its settings."""
    folder = tmp_path_factory.mktemp("archives")
    corpus = made(folder)
    staging = Staging(folder / "releases", DIGEST)
    build_metadata(staging, corpus.curated, corpus.partitions, corpus.logs, EVERYTHING)
    build_images(staging, corpus.curated, corpus.crops, EVERYTHING)
    build_form(archives.FORM, staging, EVERYTHING)
    return staging


def test_zips_unpack_to_the_image_folder(staged, tmp_path):
    zips = sorted((staged.tree / "packages").glob("*.zip"))
    assert [path.name for path in zips] == [
        "BIOSCAN_5M_Insect_cropped_256_eval.01.zip",
        "BIOSCAN_5M_Insect_cropped_256_eval.02.zip",
        "BIOSCAN_5M_Insect_cropped_256_eval.03.zip",
        "BIOSCAN_5M_Insect_cropped_256_pretrain.01.zip",
        "BIOSCAN_5M_Insect_cropped_256_pretrain.02.zip",
        "BIOSCAN_5M_Insect_cropped_256_train.01.zip",
        "BIOSCAN_5M_Insect_cropped_256_train.02.zip",
    ]
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert names == sorted(names)
            assert all(name.startswith("bioscan5m/images/cropped_256/") for name in names)
            for member in archive.infolist():
                assert member.date_time == (1980, 1, 1, 0, 0, 0)
                assert member.compress_type == zipfile.ZIP_STORED
                assert member.create_system == 3
                assert member.external_attr >> 16 == 0o644
            archive.extractall(tmp_path)
    unpacked = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.jpg")}
    images = staged.tree / "bioscan5m/images/cropped_256"
    assert unpacked == {path.relative_to(staged.tree): path.read_bytes() for path in images.rglob("*.jpg")}
    assert len(unpacked) == 32


def test_a_package_that_fits_into_one_zip_a_group_has_no_numbers():
    images = pl.DataFrame({"split": ["val", "train", "test"], "path": ["val/b.jpg", "train/0/c.jpg", "test/a.jpg"]})
    plan = {name: paths.to_list() for name, paths in archives.zip_plan(images, "cropped", EVERYTHING)}
    assert plan == {
        "BIOSCAN_5M_Insect_cropped_pretrain.zip": [],
        "BIOSCAN_5M_Insect_cropped_train.zip": ["train/0/c.jpg"],
        "BIOSCAN_5M_Insect_cropped_eval.zip": ["test/a.jpg", "val/b.jpg"],
    }


def test_tar_shards_hold_an_image_and_its_row_per_sample(staged):
    seen = []
    for path in sorted((staged.tree / "packages").glob("*.tar")):
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            assert 0 < len(members) <= 3 * EVERYTHING.samples_per_tar
            for image, row, text in zip(members[::3], members[1::3], members[2::3], strict=True):
                processid = image.name.removesuffix(".jpg")
                assert (row.name, text.name) == (f"{processid}.json", f"{processid}.txt")
                values = json.load(archive.extractfile(row))
                names = [values[rank] or "not_classified" for rank in ("order", "family", "genus", "species")]
                assert archive.extractfile(text).read().decode() == " ".join(names)
                assert list(values) == METADATA.names()
                place = staged.tree / "bioscan5m/images/cropped_256" / values["split"] / values["chunk"] / image.name
                assert archive.extractfile(image).read() == place.read_bytes()
                assert f"_{values['split']}-" in path.name
                seen.append(values["processid"])
            for member in members:
                assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
                assert member.mode == 0o644
    assert len(seen) == len(set(seen)) == 32


def test_shards_of_a_split_are_numbered_from_zero():
    plan = list(archives.tar_plan(dict.fromkeys(SPLITS, 0) | {"val": 7}, "cropped_256", EVERYTHING))
    assert plan == [
        ("val", f"BIOSCAN_5M_Insect_cropped_256_val-00000{n}.tar", 3 * n, length) for n, length in enumerate((3, 3, 1))
    ]


@pytest.mark.parametrize("dies_at", ["write_zip", "write_tar"])
def test_a_killed_run_goes_on_at_the_archive_it_was_at(staged, tmp_path, monkeypatch, dies_at):
    corpus = made(tmp_path)
    staging = Staging(tmp_path / "releases", DIGEST)
    build_metadata(staging, corpus.curated, corpus.partitions, corpus.logs, EVERYTHING)
    build_images(staging, corpus.curated, corpus.crops, EVERYTHING)
    real, calls = getattr(archives, dies_at), []

    def dies(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            (staging.tree / "packages" / ".left.zip.x").write_bytes(b"half")
            raise KeyboardInterrupt
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(archives, dies_at, dies)
        with pytest.raises(KeyboardInterrupt):
            build_form(archives.FORM, staging, EVERYTHING)
    before = {path: path.stat().st_mtime_ns for path in (staging.tree / "packages").glob("[!.]*")}
    assert before
    build_form(archives.FORM, staging, EVERYTHING)
    after = {path.name: path.read_bytes() for path in (staging.tree / "packages").iterdir()}
    assert after == {path.name: path.read_bytes() for path in (staged.tree / "packages").iterdir()}
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_archives_need_the_images(tmp_path):
    with pytest.raises(InvariantError, match="materialise image_packages"):
        build_form(archives.FORM, Staging(tmp_path, DIGEST), EVERYTHING)
    plain = EVERYTHING.model_copy(update={"zip_packages": (), "webdataset_packages": ()})
    build_form(archives.FORM, Staging(tmp_path, DIGEST), plain)
    assert not (tmp_path / "packages").exists()
