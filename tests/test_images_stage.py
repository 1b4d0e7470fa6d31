"""The image stage: streaming, resumable, the same bytes for any number of threads."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from images_drawn import insect, well
from PIL import Image

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.images.crops import FOLDER
from bioscan_etl.images.index import index_images
from bioscan_etl.images.measure import area_fraction, scale_factor
from bioscan_etl.images.sources import FolderSource
from bioscan_etl.images.stage import process_images
from bioscan_etl.schema import BOXES, CROPS
from bioscan_etl.settings import ImageSettings

PACKAGES = ("original_256", "cropped", "cropped_256")
# The classical detector: what is asked here is about shards, and drawn insects of 30 px are what it is sure of.
SETTINGS = ImageSettings(detector="segmentation", shard_images=5)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """17 images: 13 with an insect, one empty, one truncated, one a text file, one without a byte."""
    root = tmp_path_factory.mktemp("delivery")
    for number in range(13):
        image = well(320, 240)
        insect(image, (110 + 8 * number, 120), 30 + 4 * number)
        Image.fromarray(image).save(root / f"A-{number:02d}.jpg", quality=75)
    Image.fromarray(well(320, 240)).save(root / "B-empty.png")
    (root / "B-cut.jpg").write_bytes((root / "A-01.jpg").read_bytes()[:-300])
    (root / "B-text.jpg").write_text("404 not found")
    (root / "B-zero.jpg").write_bytes(b"")
    return root


def index_of(*sources: Path) -> pl.DataFrame:
    return index_images([str(source) for source in sources], None, None, "b1", SETTINGS)


def read_crops(folder: Path, package: str) -> list[tuple[str, bytes]]:
    """Process ID and bytes of the images of a package, in the order of the shards."""
    paths = sorted((folder / FOLDER).glob(f"{package}-[0-9][0-9][0-9][0-9][0-9].parquet"))
    return [row for path in paths for row in pl.read_parquet(path).rows()]


def run(delivery: Path, folder: Path, settings: ImageSettings = SETTINGS, packages=PACKAGES, **given) -> dict[str, int]:
    index = given.get("index")
    return process_images(
        index_of(delivery) if index is None else index,
        [str(delivery)],
        settings,
        packages,
        folder,
        "b1",
        given.get("progress", lambda *_: None),
    )


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def done(delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    counts = run(delivery, folder)
    assert counts == {
        "images": 17,
        "detected": 13,
        "low_confidence": 0,
        "empty": 1,
        "multiple": 0,
        "unreadable": 3,
        "crops": 13,
    }
    return folder


def test_boxes_are_the_table_and_say_why(done: Path, delivery: Path) -> None:
    boxes = pl.read_parquet(done / "boxes.parquet")
    BOXES.check(boxes)
    assert boxes["processid"].to_list() == sorted(path.stem for path in delivery.iterdir())
    unreadable = {row["processid"]: row for row in boxes.filter(pl.col("status") == "unreadable").to_dicts()}
    assert set(unreadable) == {"B-cut", "B-text", "B-zero"}
    assert all(row["detail"] and row["flags"] == ["UNREADABLE_IMAGE"] for row in unreadable.values())
    empty = boxes.row(by_predicate=pl.col("processid") == "B-empty", named=True)
    assert (empty["x0"], empty["flags"], empty["width_original"]) == (None, ["EMPTY_IMAGE"], 320)
    for row in boxes.filter(pl.col("status") == "detected").to_dicts():
        box = row["x0"], row["y0"], row["x1"], row["y1"]
        assert row["area_fraction"] == area_fraction(box, 320, 240)
        assert row["scale_factor"] == scale_factor(box)
        assert row["image_measurement_value"] > 100
        assert row["sha256"] == hashlib.sha256((delivery / row["image_file"]).read_bytes()).hexdigest()
        assert row["dhash"] is not None
        assert row["detector"] == "segmentation"


def test_crops_stream_in_order(done: Path) -> None:
    assert sorted(path.name for path in (done / "crops").iterdir()) == sorted(
        f"{package}-{number:05d}.parquet" for package in PACKAGES for number in range(4)
    )
    for package in PACKAGES:
        images = list(read_crops(done, package))
        assert [processid for processid, _ in images] == [f"A-{number:02d}" for number in range(13)]
        for _, data in images:
            opened = Image.open(io.BytesIO(data))
            opened.load()
            assert opened.format == "JPEG"
            if package.endswith("_256"):
                assert min(opened.size) == 256
        CROPS.check(pl.read_parquet(done / "crops" / f"{package}-00000.parquet"))
    file = pq.ParquetFile(done / "crops" / "cropped-00000.parquet")
    assert file.metadata.row_group(0).column(1).compression == "UNCOMPRESSED"
    assert read_crops(done, "original_full") == []


def test_same_bytes_for_any_number_of_threads(done: Path, delivery: Path, tmp_path: Path) -> None:
    for workers in (1, 2, 5):
        folder = tmp_path / str(workers)
        run(delivery, folder, SETTINGS.model_copy(update={"workers": workers}))
        assert tree(folder) == tree(done)


def test_boxes_do_not_depend_on_the_size_of_shards(done: Path, delivery: Path, tmp_path: Path) -> None:
    run(delivery, tmp_path, SETTINGS.model_copy(update={"shard_images": 1000}))
    assert tree(tmp_path)["boxes.parquet"] == tree(done)["boxes.parquet"]
    assert read_crops(tmp_path, "cropped") == read_crops(done, "cropped")


def test_a_killed_run_resumes_and_ends_in_the_same_bytes(
    done: Path, delivery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    whole = FolderSource.read

    def failing(source: FolderSource, name: str) -> bytes:
        reads.append(name)
        if name == "A-12.jpg":
            raise SourceError("the disk is gone")
        return whole(source, name)

    index = index_of(delivery)
    monkeypatch.setattr(FolderSource, "read", failing)
    with pytest.raises(SourceError, match="disk"):
        run(delivery, tmp_path, index=index)
    assert not (tmp_path / "boxes.parquet").exists()
    assert len(list((tmp_path / "parts").glob("*.parquet"))) == 2
    # What a kill in the middle of a write leaves behind, and shards of other settings.
    (tmp_path / "crops" / ".cropped-00002.parquet.x7").write_bytes(b"half")
    (tmp_path / "crops" / "cropped-00099.parquet").write_bytes(b"stale")
    (tmp_path / ".boxes.parquet.x7").write_bytes(b"half")
    monkeypatch.setattr(FolderSource, "read", lambda s, name: reads.append(name) or whole(s, name))
    reads.clear()
    run(delivery, tmp_path, index=index)
    assert reads
    assert min(reads) >= "A-10.jpg"
    assert tree(tmp_path) == tree(done)


def test_a_complete_folder_is_left_alone(
    done: Path, delivery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_of(delivery)
    first = run(delivery, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    with monkeypatch.context() as patched:
        patched.setattr(FolderSource, "read", lambda *_: pytest.fail("an image was read again"))
        assert run(delivery, tmp_path, index=index) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == times
    run(delivery, tmp_path, SETTINGS.model_copy(update={"jpeg_quality": 40}))
    other = tree(tmp_path)
    assert other != tree(done)
    run(delivery, tmp_path)
    assert tree(tmp_path) == tree(done)


def test_damaged_or_missing_shards_are_made_again(done: Path, delivery: Path, tmp_path: Path) -> None:
    run(delivery, tmp_path)
    (tmp_path / "crops" / "cropped-00001.parquet").write_bytes(b"damaged")
    (tmp_path / "crops" / "original_256-00002.parquet").unlink()
    run(delivery, tmp_path)
    assert tree(tmp_path) == tree(done)


def test_an_image_that_changed_since_the_index_stops_the_run(delivery: Path, tmp_path: Path) -> None:
    index = index_of(delivery).with_columns(sha256=pl.lit("0" * 64))
    with pytest.raises(SourceError, match="has changed since"):
        run(delivery, tmp_path, index=index)


def test_a_library_that_stumbles_over_one_image_costs_only_that_image(
    delivery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bioscan_etl.images import segmentation

    whole = segmentation.candidates
    narrow = np.asarray(Image.open(delivery / "A-03.jpg"))

    def stumbling(image):
        if np.array_equal(image, narrow):
            raise RuntimeError("inner trouble\nof a library")
        return whole(image)

    monkeypatch.setattr(segmentation, "candidates", stumbling)
    assert run(delivery, tmp_path)["unreadable"] == 4
    row = pl.read_parquet(tmp_path / "boxes.parquet").row(by_predicate=pl.col("processid") == "A-03", named=True)
    assert row["detail"] == "RuntimeError: inner trouble"


def test_original_bytes_stay_untouched(delivery: Path, tmp_path: Path) -> None:
    run(delivery, tmp_path, packages=("original_full",))
    for processid, data in read_crops(tmp_path, "original_full"):
        assert data == (delivery / f"{processid}.jpg").read_bytes()


def test_progress_and_empty_batches(delivery: Path, tmp_path: Path) -> None:
    reports: list[tuple] = []
    run(delivery, tmp_path / "full", progress=lambda *report: reports.append(report))
    assert reports[0] == ("images", 0, 17)
    assert reports[-1] == ("images", 17, 17)
    counts = run(delivery, tmp_path / "none", index=index_of(delivery).head(0))
    assert counts["images"] == 0
    assert pl.read_parquet(tmp_path / "none" / "boxes.parquet").schema == BOXES.schema()
    assert read_crops(tmp_path / "none", "cropped") == []


def test_unknown_package(delivery: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cropped_999"):
        run(delivery, tmp_path, packages=("cropped_999",))


def test_real_images(shared_data: Path, tmp_path: Path) -> None:
    index = index_of(shared_data / "images").head(60)
    counts = run(shared_data / "images", tmp_path, ImageSettings(shard_images=25), index=index)
    assert counts["images"] == 60
    assert counts["unreadable"] == 0
    assert counts["crops"] == len(read_crops(tmp_path, "cropped_256"))


def test_a_run_of_the_stage_does_without_pandas(delivery: Path, tmp_path: Path) -> None:
    """Its import takes two seconds, and its share of the memory of every process."""
    text = f"""
import sys
from bioscan_etl.images.index import index_images
from bioscan_etl.images.stage import process_images
from bioscan_etl.settings import ImageSettings

settings = ImageSettings()
index = index_images([{str(delivery)!r}], None, None, "b1", settings)
process_images(index, [{str(delivery)!r}], settings, {PACKAGES!r}, __import__("pathlib").Path({str(tmp_path)!r}), "b1")
print(sorted({{name.split(".")[0] for name in sys.modules}} & {{"pandas", "torch", "matplotlib"}}))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert sorted(path.name for path in (tmp_path / "crops").iterdir())
