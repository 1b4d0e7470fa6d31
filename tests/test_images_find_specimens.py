"""The table of boxes of any images, without records."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from images_drawn import insect, well
from PIL import Image

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.images.find_specimens import COLUMNS, find_specimen, find_specimens, mask_name
from bioscan_etl.images.index import index_images
from bioscan_etl.images.stage import process_images
from bioscan_etl.settings import ImageSettings

SETTINGS = ImageSettings(detector="segmentation")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three insects (one in a folder, one without a process ID), an empty well, a truncated and a text file."""
    root = tmp_path_factory.mktemp("images")
    (root / "plate 1").mkdir()
    for number, name in enumerate(("A-1.1024px.jpg", "plate 1/A-2.png", "no process id.jpg")):
        image = well(320, 240)
        insect(image, (130 + 20 * number, 120), 60)
        Image.fromarray(image).save(root / name)
    Image.fromarray(well(320, 240)).save(root / "B-1.png")
    (root / "C-1.jpg").write_bytes((root / "A-1.1024px.jpg").read_bytes()[:-300])
    (root / "C-2.jpg").write_text("404 not found")
    (root / "readme.txt").write_text("no image")
    return root


def test_every_image_is_one_row(images: Path, tmp_path: Path) -> None:
    reports: list[tuple] = []
    counts = find_specimens(
        str(images), tmp_path / "new" / "boxes.csv", SETTINGS, progress=lambda *report: reports.append(report)
    )
    assert counts == {
        "images": 6,
        "detected": 3,
        "low_confidence": 0,
        "empty": 1,
        "multiple": 0,
        "unreadable": 2,
        "masks": 0,
    }
    assert (reports[0], reports[-1]) == (("detect", 0, 6), ("detect", 6, 6))
    table = pl.read_csv(tmp_path / "new" / "boxes.csv")
    assert tuple(table.columns) == COLUMNS
    rows = {row["image_file"]: row for row in table.to_dicts()}
    assert list(rows) == ["A-1.1024px.jpg", "B-1.png", "C-1.jpg", "C-2.jpg", "no process id.jpg", "plate 1/A-2.png"]
    assert [row["processid"] for row in rows.values()] == ["A-1", "B-1", "C-1", "C-2", None, "A-2"]
    assert rows["C-1.jpg"]["status"] == rows["C-2.jpg"]["status"] == "unreadable"
    assert rows["C-2.jpg"]["width_original"] is None
    assert (rows["B-1.png"]["status"], rows["B-1.png"]["x0"], rows["B-1.png"]["width_original"]) == ("empty", None, 320)


def test_the_rows_are_those_of_the_image_stage(images: Path, tmp_path: Path) -> None:
    find_specimens(str(images), tmp_path / "boxes.parquet", SETTINGS)
    index = index_images([str(images)], None, None, "b1", SETTINGS)
    process_images(index, [str(images)], SETTINGS, ("cropped",), tmp_path, "b1")
    named = pl.col("processid").is_not_null()
    stage = pl.read_parquet(tmp_path / "boxes.parquet").select(COLUMNS).sort("image_file")
    find_specimens(str(images), tmp_path / "own.parquet", SETTINGS)
    assert pl.read_parquet(tmp_path / "own.parquet").filter(named).equals(stage)


def test_zip_threads_and_endings_make_no_difference(images: Path, tmp_path: Path) -> None:
    archive = tmp_path / "images.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for path in sorted(images.rglob("*.*")):
            written.write(path, path.relative_to(images).as_posix())
        written.writestr("../evil.jpg", b"x")
    find_specimens(str(images), tmp_path / "folder.parquet", SETTINGS)
    find_specimens(str(archive), tmp_path / "zip.parquet", SETTINGS.model_copy(update={"workers": 5}))
    folder, zipped = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("folder", "zip"))
    evil = zipped.row(by_predicate=pl.col("image_file") == "../evil.jpg", named=True)
    assert evil["status"] == "unreadable"
    assert zipped.filter(pl.col("image_file") != "../evil.jpg").equals(folder)
    assert not (tmp_path.parent / "evil.jpg").exists()
    find_specimens(str(images), tmp_path / "folder.csv", SETTINGS)
    assert pl.read_csv(tmp_path / "folder.csv", schema=folder.schema).equals(folder)


def test_masks_have_safe_names_and_the_counted_pixels(images: Path, tmp_path: Path) -> None:
    counts = find_specimens(str(images), tmp_path / "boxes.parquet", SETTINGS, tmp_path / "masks")
    found = pl.read_parquet(tmp_path / "boxes.parquet").filter(pl.col("x0").is_not_null())
    assert counts["masks"] == found.height == len(list((tmp_path / "masks").iterdir())) == 3
    for row in found.to_dicts():
        mask = cv2.imread(str(tmp_path / "masks" / mask_name(row["image_file"])), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(mask)) == {0, 255}
        share = np.count_nonzero(mask) / mask.size
        assert row["image_measurement_value"] == round(share * 1024 * 768)


def test_mask_names_are_single_and_short() -> None:
    names = ["a/b.jpg", "a%2Fb.jpg", "../../x.jpg", "ü" * 300 + "1.jpg", "ü" * 300 + "2.jpg"]
    made = [mask_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert all("/" not in name and len(name) < 255 for name in made)


def test_what_cannot_be_written_or_read_is_said(images: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.parquet or \.csv"):
        find_specimens(str(images), tmp_path / "boxes.xlsx", SETTINGS)
    with pytest.raises(SourceError, match="absent"):
        find_specimens(str(tmp_path / "absent"), tmp_path / "boxes.csv", SETTINGS)
    assert not (tmp_path / "boxes.csv").exists()


def test_no_images_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    for ending in ("csv", "parquet"):
        assert find_specimens(str(tmp_path / "none"), tmp_path / f"boxes.{ending}", SETTINGS)["images"] == 0
    assert tuple(pl.read_parquet(tmp_path / "boxes.parquet").columns) == COLUMNS
    assert tuple(pl.read_csv(tmp_path / "boxes.csv").columns) == COLUMNS


def test_the_command_tells_what_it_found(tmp_path, capsys):
    from bioscan_etl.cli import main

    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "BAD-1.jpg").write_bytes(b"no image")
    output, masks = tmp_path / "boxes.csv", tmp_path / "masks"
    call = ["detect", str(tmp_path / "images"), "--model", "segmentation", "--masks", str(masks)]
    assert main([*call, "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"1 images (1 unreadable): {output}\n0 masks: {masks}\n"
    assert pl.read_csv(output)["status"].to_list() == ["unreadable"]
    assert main([*call, "--output", str(tmp_path / "boxes.xlsx")]) == 2
    assert main(["detect", str(tmp_path / "none"), "--output", str(output)]) == 2


def test_one_image_has_the_row_that_it_has_in_a_folder(images: Path, tmp_path: Path) -> None:
    find_specimens(str(images), tmp_path / "boxes.parquet", SETTINGS)
    for row in pl.read_parquet(tmp_path / "boxes.parquet").iter_rows(named=True):
        found = find_specimen(images / row["image_file"], SETTINGS)
        assert tuple(found.columns) == COLUMNS
        assert found.row(0, named=True) == row | {"processid": None, "image_file": Path(row["image_file"]).name}
    with pytest.raises(SourceError, match="cannot be read"):
        find_specimen(tmp_path / "none.jpg", SETTINGS)
