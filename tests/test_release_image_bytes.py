"""The bytes of images: the same from every source, in every process, and nothing from outside the release."""

import multiprocessing
import pickle
import shutil
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import polars as pl
import pytest
from release_everything import everything

from bioscan_etl.errors import SourceError
from bioscan_etl.release.image_bytes import archived_bytes, file_bytes, packed_bytes, require_names
from bioscan_etl.release.opened import open_release

FOLDER, PACKED = "bioscan5m/images/cropped_256", "hdf5/cropped_256.packed.hdf5"
ZIP = "packages/BIOSCAN_5M_Insect_cropped_256_train.01.zip"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def rows(good):
    return open_release(good).rows(columns=["processid", "split", "chunk"])


@pytest.fixture(scope="module")
def expected(good, rows):
    return [(good / FOLDER / split / chunk / f"{name}.jpg").read_bytes() for name, split, chunk in rows.iter_rows()]


@pytest.fixture
def root(good, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(good, tmp_path / "copy")
    return tmp_path / "copy"


def readers(root, rows):
    """A reader of each source."""
    every = np.arange(rows.height)
    return {
        "packed": lambda: packed_bytes(root, PACKED, rows["processid"], every),
        "files": lambda: file_bytes(root, FOLDER, rows),
        "archives": lambda: archived_bytes(root, "cropped_256", rows),
    }


SOURCES = ("packed", "files", "archives")


@pytest.mark.parametrize("source", SOURCES)
def test_any_image_in_any_order_and_from_threads(good, rows, expected, source):
    reader = readers(good, rows)[source]()
    places = np.random.default_rng(0).integers(0, rows.height, 200).tolist()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reader.read, places)) == [expected[place] for place in places]


def read_all(reader, count):
    return [reader.read(place) for place in range(count)]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("method", ["fork", "spawn"])
# polars has threads; the forked process does not use it.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:.*fork:RuntimeWarning")
def test_a_reader_that_was_used_works_in_another_process(good, rows, expected, source, method):
    reader = readers(good, rows)[source]()
    assert reader.read(3) == expected[3]
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(read_all, (reader, rows.height)) == expected
    assert pickle.loads(pickle.dumps(reader)).read(5) == expected[5]


def test_an_image_across_chunks_is_whole(tmp_path):
    """Chunks of 256 KiB: images that are larger, that end at a boundary, and none."""
    sizes = [0, 300_000, 224_288, 0, 262_144, 7]
    data = np.random.default_rng(0).integers(0, 256, sum(sizes), np.uint8)
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    names = [f"A{number}-24" for number in range(len(sizes))]
    with h5py.File(tmp_path / "packed.hdf5", "w") as file:
        file["offsets"] = bounds
        file.create_dataset("jpeg", data=data, chunks=(1 << 18,), maxshape=(None,))
        file["metadata/processid"] = np.array(names, "S")
    reader = packed_bytes(tmp_path, "packed.hdf5", pl.Series(names), np.arange(len(sizes)))
    for place in range(len(sizes)):
        assert reader.read(place) == data[bounds[place] : bounds[place + 1]].tobytes()


def opened(root):
    return h5py.File(root / PACKED, "r+")


def of_others(root, _):
    with opened(root) as file:
        file["metadata/processid"][0] = b"OTHER-24"


def backwards(root, _):
    with opened(root) as file:
        file["offsets"][3] = 0


def beyond(root, _):
    with opened(root) as file:
        file["offsets"][-1] = 1 << 60


def outside(root, elsewhere):
    with opened(root) as file:
        del file["jpeg"]
        file["jpeg"] = h5py.ExternalLink(str(elsewhere / "packed.hdf5"), "/jpeg")


def compressed(root, _):
    with opened(root) as file:
        data = file["jpeg"][()]
        del file["jpeg"]
        file.create_dataset("jpeg", data=data, chunks=(1 << 10,), compression="gzip")


def unwritten(root, _):
    with opened(root) as file:
        size = file["jpeg"].size
        del file["jpeg"]
        file.create_dataset("jpeg", (size,), np.uint8, chunks=(1 << 10,))


def cut(root, _):
    with (root / PACKED).open("r+b") as file:
        file.truncate(1000)


def linked(root, elsewhere):
    (root / PACKED).rename(elsewhere / "packed.hdf5")
    (root / PACKED).symlink_to(elsewhere / "packed.hdf5")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (of_others, "not those of the release"),
        (backwards, "offsets do not lead"),
        (beyond, "offsets do not lead"),
        (outside, "not laid out"),
        (compressed, "not stored as they are"),
        (unwritten, "a part of its images is missing"),
        (cut, "cannot be read"),
        (linked, "no plain file"),
    ],
)
def test_a_damaged_or_hostile_packed_file_is_refused(root, rows, tmp_path, damage, words):
    damage(root, tmp_path)
    with pytest.raises(SourceError, match=words):
        readers(root, rows)["packed"]()


def test_a_packed_file_that_is_cut_after_it_was_opened_is_named(root, rows):
    reader = readers(root, rows)["packed"]()
    with (root / PACKED).open("r+b") as file:
        file.truncate(10)
    with pytest.raises(SourceError, match="ends before byte"):
        reader.read(0)


def test_image_files_that_are_missing_or_links_are_refused(root, rows, tmp_path):
    reader = readers(root, rows)["files"]()
    paths = [root / FOLDER / split / chunk / f"{name}.jpg" for name, split, chunk in rows.iter_rows()]
    paths[0].unlink()
    paths[1].rename(tmp_path / "out.jpg")
    paths[1].symlink_to(tmp_path / "out.jpg")
    paths[2].unlink()
    paths[2].mkdir()
    for place, words in enumerate(("missing", "cannot be read", "no image file")):
        with pytest.raises(SourceError, match=words):
            reader.read(place)
    folder = root / FOLDER / "val"
    folder.rename(tmp_path / "val")
    folder.symlink_to(tmp_path / "val")
    [place, *_] = (rows["split"] == "val").arg_true()
    with pytest.raises(SourceError, match="no folder of the release"):
        reader.read(place)
    with pytest.raises(SourceError, match="fetch the package again"):
        file_bytes(root, "bioscan5m/images/nowhere", rows)


def test_archives_that_are_missing_compressed_or_damaged_are_refused(root, rows):
    with pytest.raises(SourceError, match="has no archives of original_256"):
        archived_bytes(root, "original_256", rows)
    for path in (root / "packages").glob("*.tar"):
        path.unlink()
    assert archived_bytes(root, "cropped_256", rows).read(0)
    with zipfile.ZipFile(root / ZIP) as archive:
        members = [(member, archive.read(member)) for member in archive.infolist()]
    with zipfile.ZipFile(root / ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members:
            archive.writestr(member.filename, data)
    with pytest.raises(SourceError, match="is compressed"):
        archived_bytes(root, "cropped_256", rows)
    (root / ZIP).write_bytes(b"no zip")
    with pytest.raises(SourceError, match="cannot be read"):
        archived_bytes(root, "cropped_256", rows)
    (root / ZIP).unlink()
    with pytest.raises(SourceError, match="no archive of cropped_256"):
        archived_bytes(root, "cropped_256", rows)


def test_a_member_that_ends_beyond_its_archive_is_in_none(root, rows):
    """A buffer of the size that a header states is never made."""
    for path in (root / "packages").glob("*.tar"):
        path.unlink()
    data = bytearray((root / ZIP).read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (0x7FFFFFFF).to_bytes(4, "little")
    (root / ZIP).write_bytes(data)
    with pytest.raises(SourceError, match="no archive of cropped_256"):
        archived_bytes(root, "cropped_256", rows)


def test_shards_alone_are_enough(root, rows, expected):
    for path in (root / "packages").glob("*.zip"):
        path.unlink()
    assert tarfile.is_tarfile(next((root / "packages").iterdir()))
    assert read_all(archived_bytes(root, "cropped_256", rows), rows.height) == expected


@pytest.mark.parametrize("value", [{"processid": "../x"}, {"split": "trian"}, {"chunk": "../.."}, {"processid": None}])
def test_values_that_make_no_path_of_a_release_are_refused(rows, tmp_path, value):
    wrong = rows.head(3).with_columns(pl.lit(each, pl.String).alias(name) for name, each in value.items())
    with pytest.raises(SourceError, match="names the specimen"):
        require_names(wrong, tmp_path)
    require_names(rows, tmp_path)
