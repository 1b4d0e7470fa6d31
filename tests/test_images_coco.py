"""Outlines from masks, and COCO files that the training reads."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.coco import Outlined, image_name, outline, polygons, write_coco
from bioscan_etl.training import dataset

SIZE = (400, 300)


def ellipse(size: tuple[int, int] = SIZE) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    mask = np.zeros(size[::-1], np.uint8)
    cv2.ellipse(mask, (size[0] // 2, size[1] // 3), (size[0] // 6, size[1] // 9), 20, 0, 360, 1, -1)
    ys, xs = np.nonzero(mask)
    return mask, (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)


def mask_of(image: Outlined, tmp_path: Path) -> np.ndarray:
    write_coco(tmp_path / "coco.json", [image])
    return dataset.read_annotations(tmp_path / "coco.json")[0].mask()


def test_a_mask_comes_back_from_its_outline(tmp_path: Path) -> None:
    mask, box = ellipse()
    back = mask_of(Outlined("A-1.jpg", SIZE, box, outline(mask, box, SIZE)), tmp_path)
    assert np.count_nonzero(back & mask) / np.count_nonzero(back | mask) > 0.95


def test_a_smaller_mask_is_scaled_to_the_image(tmp_path: Path) -> None:
    mask, box = ellipse((2880, 2160))
    small = cv2.resize(mask, (1024, 768), interpolation=cv2.INTER_AREA)
    polygons = outline(small, box, (2880, 2160))
    back = mask_of(Outlined("A-1.jpg", (2880, 2160), box, polygons), tmp_path)
    assert np.count_nonzero(back & mask) / np.count_nonzero(back | mask) > 0.95
    assert sum(len(polygon) for polygon in polygons) < 400


def extent(polygons: list) -> tuple[float, ...]:
    corners = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in polygons])
    return (*corners.min(axis=0), *corners.max(axis=0))


def test_what_lies_outside_the_reviewed_box_is_no_outline() -> None:
    mask, box = ellipse()
    mask[250:290, 20:60] = 1
    assert extent(outline(mask, box, SIZE)) == pytest.approx(box)


@given(st.tuples(*[st.floats(-4, 4).map(lambda value: round(value, 2))] * 4))
def test_the_box_of_an_outline_is_the_curator_s(by: tuple) -> None:
    """Else a corrected edge would teach nothing."""
    mask, box = ellipse()
    corrected = tuple(edge + change for edge, change in zip(box, by, strict=True))
    assert extent(outline(mask, corrected, SIZE)) == pytest.approx(corrected, abs=0.006)


def test_a_mask_that_does_not_fill_the_box_is_not_believed() -> None:
    mask, box = ellipse()
    assert outline(mask, (box[0] - 60, box[1], box[2], box[3]), SIZE) == []
    assert outline(mask, (0, 250, 40, 290), SIZE) == []
    assert outline(np.zeros_like(mask), box, SIZE) == []
    assert outline(None, box, SIZE) == []


def test_the_training_reads_what_is_written(tmp_path: Path) -> None:
    mask, box = ellipse()
    polygons = outline(mask, box, SIZE)
    images = [
        Outlined("B-2.jpg", SIZE),
        Outlined("A-1.jpg", SIZE, (1.5, 2, 30, 40)),
        Outlined("C.png", SIZE, box, polygons),
    ]
    assert write_coco(tmp_path / "coco.json", images) == {"occupied": 2, "empty": 1, "outlined": 1}
    one, two, three = dataset.read_annotations(tmp_path / "coco.json")
    assert [image.file_name for image in (one, two, three)] == ["A-1.jpg", "B-2.jpg", "C.png"]
    assert one.box == (1.5, 2, 30, 40)
    assert one.polygons[0].tolist() == [[1.5, 2], [30, 2], [30, 40], [1.5, 40]]
    assert (two.box, two.polygons) == (None, ())
    assert three.box == pytest.approx(box)
    assert [pytest.approx(polygon.ravel(), abs=0.001) for polygon in three.polygons] == polygons
    coco = json.loads((tmp_path / "coco.json").read_text())
    assert coco["categories"] == [{"id": 1, "name": "specimen"}]
    assert coco["annotations"][0]["area"] == pytest.approx(28.5 * 38)
    assert {entry["id"] for entry in coco["images"]} >= {entry["image_id"] for entry in coco["annotations"]}
    write_coco(tmp_path / "again.json", images[::-1])
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "coco.json").read_bytes()


def test_pycocotools_reads_it_too(tmp_path: Path) -> None:
    coco_api = pytest.importorskip("pycocotools.coco", reason="the package pycocotools is not installed")
    mask, box = ellipse()
    write_coco(tmp_path / "coco.json", [Outlined("A-1.jpg", SIZE, box, outline(mask, box, SIZE))])
    coco = coco_api.COCO(str(tmp_path / "coco.json"))
    entry = coco.loadAnns(coco.getAnnIds())[0]
    assert coco.annToMask(entry).sum() == pytest.approx(mask.sum(), rel=0.08)
    assert entry["area"] == pytest.approx(mask.sum(), rel=0.08)


def test_names_that_labels_would_share_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="two images are named A-1"):
        write_coco(tmp_path / "coco.json", [Outlined("A-1.jpg", SIZE), Outlined("A-1.png", SIZE)])


@given(st.text("ABab09-", min_size=1), st.text(max_size=30))
def test_a_name_is_that_of_the_process_id_and_safe(processid: str, image_file: str) -> None:
    name = image_name(processid, image_file)
    assert name.startswith(processid + ".")
    assert Path(name).name == name
    assert Path(name).suffix in {".jpg", ".jpeg", ".png", ".tif", ".tiff"}


def test_polygons_show_the_mask_as_it_is_also_where_it_fills_little_of_the_box():
    mask = np.zeros((100, 200), np.uint8)
    mask[40:60, 50:80] = 255
    mask[5:20, 5:20] = 255  # beyond the box
    box, size = (20, 20, 180, 90), (200, 100)
    assert outline(mask, box, size) == []
    [found] = polygons(mask, box, size)
    corners = np.array(found).reshape(-1, 2)
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([50, 40], [79, 59])
    assert polygons(None, box, size) == []
