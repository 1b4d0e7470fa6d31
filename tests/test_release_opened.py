"""A release as a notebook opens it: frames, images in a stream, and nothing outside of its folder."""

import doctest
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from release_corpus import GROWN, corpus

import bioscan_etl.release.opened
from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.images.decode import decode
from bioscan_etl.release.opened import LABELS, open_release
from bioscan_etl.settings import GateSettings, ReleaseSettings, Settings

SMALL = Settings(
    release=ReleaseSettings(
        image_packages=("cropped_256",), hdf5_packages=(), forms=(), rows_per_group=3, rows_per_shard=5
    ),
    gates=GateSettings(require_image=False),
    splits=GROWN,
)
CSV = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    base = corpus(tmp_path_factory.mktemp("corpus"))
    # One specimen without an image.
    bare = {"image_batch", "image_file", "image_status", "confidence", "width_original", "height_original"}
    bare |= {"x0", "y0", "x1", "y1", "area_fraction", "scale_factor", "image_measurement_value", "measurement_source"}
    keep = pl.col("processid") != "DEMO010-24"
    curated = base.curated.with_columns(pl.when(keep).then(pl.col(name)).alias(name) for name in bare)
    gates = pl.lit(["NO_BARCODE"], pl.List(pl.String))  # an image is not required here
    logs = replace(base.logs, quarantine=base.logs.quarantine.with_columns(gates=gates))
    return replace(base, curated=curated, logs=logs)


@pytest.fixture(scope="module")
def output(made, tmp_path_factory):
    """The output folder of a run: releases v1 and v2."""
    folder = tmp_path_factory.mktemp("output")
    for digest in "12":
        made.build(folder / "releases", SMALL, digest=digest * 64)
    return folder


@pytest.fixture(scope="module")
def release(output):
    return open_release(output / "releases" / "v1")


def test_frames_are_those_of_the_parquet_files(release, output, made):
    files = [sorted((output / "releases/v1/data").glob(f"{split}-*.parquet")) for split in vocabulary.SPLITS]
    expected = pl.concat(pl.read_parquet(path, hive_partitioning=False) for group in files for path in group)
    assert release.rows().equals(expected)
    assert release.scan().collect().equals(expected)
    assert release.columns == expected.columns
    train = release.rows("train", columns=["species", "processid"])
    assert train.equals(expected.filter(pl.col("split") == "train").select("species", "processid"))
    assert set(release.rows(["val", "test"])["split"]) == {"val", "test"}
    assert release.splits == {split: expected.filter(pl.col("split") == split).height for split in vocabulary.SPLITS}
    assert release.counts.boxes == 31
    assert release.ledger.specimens == 32
    assert release.settings.splits.protocol == "stable"
    assert release.settings.release == SMALL.release
    assert release.changes.rows()[0][:4] == ("DEMO008-24", "species", 0, "AEDES VEXANS")
    assert release.quarantine.schema == schema.QUARANTINE.schema()
    assert release.quarantine["processid"].to_list() == ["Q1-24"]
    assert (release.set_aside.height, release.rejects.height, release.moves.height) == (1, 2, 0)
    assert "v1: 32 specimens" in str(release)
    assert "v1: 32 specimens" in repr(release)


def test_a_version_is_found_in_the_output_of_a_run(output):
    assert open_release(output).version == "v2"
    assert open_release(str(output / "releases")).version == "v2"
    assert open_release(output, "v1").version == "v1"
    assert open_release(output / "releases" / "latest").root == (output / "releases" / "v2").resolve()
    for arguments, match in (
        ((output, "v7"), "has no release v7|is not a release"),
        ((output / "releases/v1", "v2"), "is v1, not v2"),
        ((output, "../x"), "is no version"),
        ((output / "none",), "there is no release"),
        (("s3://bucket/releases/v1",), "is on S3"),
    ):
        with pytest.raises(SourceError, match=match) as caught:
            open_release(*arguments)
        assert "\n" not in str(caught.value)


def test_images_come_with_their_labels_in_the_order_of_the_release(release):
    images = release.images()
    rows = release.rows(columns=[*LABELS, "area_fraction"]).filter(pl.col("area_fraction").is_not_null())
    found = list(images)
    assert len(images) == len(found) == 31
    assert [labels for _, _, labels in found] == rows.select(LABELS).to_dicts()
    assert [processid for processid, _, _ in found] == rows["processid"].to_list()
    for processid, pixels, labels in found[::7]:
        path = release.root / f"bioscan5m/images/cropped_256/{labels['split']}"
        data = next(path.rglob(f"{processid}.jpg")).read_bytes()
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, decode(data, 10**6))
        assert np.array_equal(pixels, release.image(processid))
    assert [item[0] for item in images] == [item[0] for item in found]  # iterated again
    some = release.images(split=("train", "pretrain"), columns=["dna_barcode"])
    assert [labels.keys() for _, _, labels in some] == [{"dna_barcode"}] * len(some)
    assert [p for p, _, _ in some] == rows.filter(pl.col("split").is_in(["pretrain", "train"]))["processid"].to_list()


def test_a_seed_gives_one_order_of_the_same_images(release):
    plain = [processid for processid, _, _ in release.images(split="train")]
    first, again, other = ([p for p, _, _ in release.images(split="train", shuffle=seed)] for seed in (1, 1, 2))
    assert first == again
    assert len({tuple(plain), tuple(first), tuple(other)}) == 3
    assert sorted(first) == sorted(other) == sorted(plain)
    assert len(release.images(split="train", shuffle=1)) == len(plain) == 7
    for processid, pixels, labels in release.images(split="val", shuffle=3):
        assert labels["processid"] == processid
        assert np.array_equal(pixels, release.image(processid))


def test_images_are_decoded_a_few_ahead_and_no_more(release, monkeypatch):
    opened = []
    real = bioscan_etl.release.opened.decoded_image
    monkeypatch.setattr(bioscan_etl.release.opened, "decoded_image", lambda *a: opened.append(a) or real(*a))
    monkeypatch.setattr(bioscan_etl.release.opened, "workers", lambda _: 1)
    stream = iter(release.images())
    next(stream)
    stream.close()
    assert 1 <= len(opened) <= 6


def test_a_release_without_parquet_is_read_from_its_csv(release, tmp_path):
    root = tmp_path / "v1"
    shutil.copytree(release.root, root)
    shutil.rmtree(root / "data")
    copy = open_release(root)
    columns = ["processid", "split", "species", "dna_barcode"]
    assert copy.rows(columns=columns).equals(release.rows(columns=columns))
    assert [p for p, _, _ in copy.images()] == [p for p, _, _ in release.images()]
    assert "flags" not in copy.columns


def test_what_is_not_there_is_one_line(release):
    for call, match in (
        (lambda: release.rows("training"), "no partition 'training'; use pretrain"),
        (lambda: release.rows(columns=["Species"]), "no column Species; it has processid"),
        (lambda: release.images("cropped"), "no image package 'cropped'; it has cropped_256"),
        (lambda: release.images("../../etc"), "no image package"),
        (lambda: release.images(columns=["x"]), "no column x"),
        (lambda: release.images(shuffle=-1), "shuffle=-1 is no seed"),
        (lambda: release.image("NOBODY-1"), "no specimen 'NOBODY-1'"),
        (lambda: release.image("DEMO010-24"), "DEMO010-24 has no image"),
    ):
        with pytest.raises(SourceError, match=match) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.fixture
def copied(release, tmp_path):
    shutil.copytree(release.root, tmp_path / "v1")
    return tmp_path / "v1"


def test_paths_of_the_data_lead_nowhere_else(copied, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(next(copied.rglob("*.jpg")).read_bytes())
    path = next((copied / "data").glob("val-*"))
    frame = pl.read_parquet(path, hive_partitioning=False)
    up = "../" * 5
    for column, value in (("processid", f"{up}secret"), ("chunk", up), ("split", f"{up}x"), ("processid", "a\\b")):
        frame.with_columns(pl.lit(value).alias(column)).write_parquet(path)
        with pytest.raises(SourceError, match=r"no plain file within|is missing"):
            list(open_release(copied).images(split="val"))
    frame.write_parquet(path)
    image = next((copied / "bioscan5m/images/cropped_256/val").rglob("*.jpg"))
    image.unlink()
    image.symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(SourceError, match="no plain file within"):
        open_release(copied).image(image.stem)


def test_damage_is_named(copied):
    first, second = sorted((copied / "bioscan5m/images/cropped_256/val").rglob("*.jpg"))
    first.write_bytes(first.read_bytes()[:500])
    second.unlink()
    release = open_release(copied)
    with pytest.raises(SourceError, match=r"\.jpg is damaged: "):
        release.image(first.stem)
    with pytest.raises(SourceError, match=r"\.jpg is missing"):
        release.image(second.stem)
    next((copied / "data").glob("train-*")).write_bytes(b"PAR1 nothing")
    with pytest.raises(SourceError, match="check finds the damaged file"):
        open_release(copied).rows()
    with pytest.raises(SourceError, match="check finds the damaged file"):
        list(open_release(copied).images(split="train"))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda head: head.pop("counts"), "cannot be read"),
        (lambda head: head["counts"].update(boxes=-1), "counts|boxes"),
        (lambda head: head.update(dataset="../x"), "dataset"),
        (lambda head: head["settings"]["splits"].update(protocol="mine"), "splits.protocol"),
    ],
)
def test_a_manifest_that_lies_is_refused(copied, change, match):
    head = json.loads((copied / "manifest.json").read_text())
    change(head)
    files = head.pop("files")
    bioscan_etl.release.manifest.write_manifest(copied, head, files)
    with pytest.raises(SourceError, match=match) as caught:
        open_release(copied)
    assert "\n" not in str(caught.value)


def test_settings_of_another_version_are_left_out(copied):
    head = json.loads((copied / "manifest.json").read_text())
    head["settings"] |= {"gone": {"x": 1}, "gates": {"gone": 1, "require_bin": True}}
    files = head.pop("files")
    bioscan_etl.release.manifest.write_manifest(copied, head, files)
    assert open_release(copied).settings.gates.require_bin is True


@pytest.mark.slow
def test_it_checks_itself(release, copied):
    assert release.check() == []
    (copied / "README.md").write_text("other")
    assert {fault.file for fault in open_release(copied).check()} >= {"README.md"}


def test_reading_needs_no_detector(release):
    """A notebook that reads a release has the base installed, without OpenCV and ONNX Runtime."""
    code = f"""
import sys
for name in ("cv2", "onnxruntime", "dagster", "torch", "pandas", "matplotlib"):
    sys.modules[name] = None
from bioscan_etl.release.opened import open_release
release = open_release({str(release.root)!r})
print(release.rows().height, sum(pixels.shape[2] for _, pixels, _ in release.images()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["32", "93"], done.stderr


def test_the_examples_of_the_docstrings_run(output, tmp_path, monkeypatch):
    (tmp_path / "out" / "releases").mkdir(parents=True)
    (tmp_path / "out" / "releases" / "v1").symlink_to(output / "releases" / "v1")
    (tmp_path / "out" / "releases" / "latest").symlink_to("v1")
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(bioscan_etl.release.opened)
    assert found.attempted > 4
    assert not found.failed
