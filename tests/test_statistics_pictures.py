"""Reading the images of a release for its figures."""

import cv2
import numpy as np
import polars as pl
import pytest
from images_drawn import insect, well
from PIL import Image

from bioscan_etl import schema
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.pictures import load_pictures

PACKAGES = ("original_256", "cropped_256")


def settings_of(*packages):
    return Settings.model_validate({"release": {"image_packages": list(packages), "hdf5_packages": []}})


def save(root, package, path, pixels):
    target = root / "bioscan5m/images" / package / path
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(target, quality=95)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """One specimen on an image of 1024x768, whose packages are as a release has them; and its box."""
    root = tmp_path_factory.mktemp("release")
    image = well()
    box = insect(image, (520, 380), 240)
    save(root, "original_full", "train/a/A.jpg", image)
    save(root, "original_256", "train/a/A.jpg", cv2.resize(image, (341, 256), interpolation=cv2.INTER_AREA))
    save(root, "cropped_256", "train/a/A.jpg", image[300:500, 380:660])
    row = {"processid": "A", "width_original": 1024, "height_original": 768, "scale_factor": 0.5, "area_fraction": 0.1}
    row |= dict(zip(("x0", "y0", "x1", "y1"), map(int, box), strict=True))
    pl.DataFrame([row], schema=schema.BBOX.schema()).write_csv(root / "BIOSCAN_5M_Insect_bbox.tsv")
    return root, box


def test_boxes_are_found_by_process_id(release):
    root, box = release
    pictures = load_pictures(root, settings_of(*PACKAGES))
    found = pictures.boxes(["A", "B"])
    assert list(found) == ["A"]
    assert tuple(found["A"][name] for name in ("x0", "y0", "x1", "y1")) == box
    assert load_pictures(root.parent, settings_of(*PACKAGES)) is None


def test_a_thumbnail_is_the_crop_and_not_wider_than_asked_for(release):
    root, _ = release
    pictures = load_pictures(root, settings_of(*PACKAGES))
    assert pictures.thumbnail("train/a/A.jpg", 140).shape == (100, 140, 3)
    assert pictures.thumbnail("train/a/A.jpg", 4_000).shape == (200, 280, 3)
    whole = load_pictures(root, settings_of("original_256")).thumbnail("train/a/A.jpg", 4_000)
    assert whole.shape == (256, 341, 3)


@pytest.mark.parametrize("packages", [("original_256",), ("original_256", "original_full")])
def test_box_frame_and_outline_lie_on_the_specimen_at_every_size(release, packages):
    root, box = release
    pictures = load_pictures(root, settings_of(*packages))
    one = pictures.outlined("train/a/A.jpg", pictures.boxes(["A"])["A"], 300)
    assert one.pixels.shape[1] == 300
    assert one.box == pytest.approx([value * 300 / 1024 for value in box])
    middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    assert one.frame.mean(axis=0) == pytest.approx([value * 300 / 1024 for value in middle], abs=0.5)
    width, height = np.ptp(one.frame, axis=0)
    assert width / height == pytest.approx(4 / 3, rel=0.02)
    mask = np.zeros(one.pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(part).reshape(-1, 2).round().astype(np.int32) for part in one.polygons], 1)
    again = np.zeros((768, 1024, 3), np.uint8)
    insect(again, (520, 380), 240)
    drawn = cv2.resize((again.max(axis=2) > 0).astype(np.uint8), (300, 225), interpolation=cv2.INTER_AREA)
    assert (mask & drawn).sum() / (mask | drawn).sum() > 0.7


@pytest.mark.parametrize(
    "path", [None, "../../../secret.jpg", "/etc/hostname", "train/a/B.jpg", "train/linked.jpg", ""]
)
def test_what_is_no_file_of_the_release_is_not_read(release, path):
    root, _ = release
    secret = root / "secret.jpg"
    Image.fromarray(well(40, 40)).save(secret)
    link = root / "bioscan5m/images/cropped_256/train/linked.jpg"
    if not link.is_symlink():
        link.symlink_to(secret)
    pictures = load_pictures(root, settings_of(*PACKAGES))
    assert pictures.thumbnail(path, 100) is None
    assert pictures.outlined(path, pictures.boxes(["A"])["A"], 100) is None
    assert pictures.outlined("train/a/A.jpg", None, 100) is None


def test_a_damaged_image_is_none(release, tmp_path):
    root, _ = release
    save(root, "cropped_256", "train/a/D.jpg", well(40, 40))
    (root / "bioscan5m/images/cropped_256/train/a/D.jpg").write_bytes(b"no image")
    assert load_pictures(root, settings_of(*PACKAGES)).thumbnail("train/a/D.jpg", 100) is None


def test_damaged_boxes_are_none(tmp_path):
    (tmp_path / "bioscan5m/images").mkdir(parents=True)
    pictures = load_pictures(tmp_path, settings_of(*PACKAGES))
    assert pictures.boxes(["A"]) == {}
    (tmp_path / "BIOSCAN_5M_Insect_bbox.tsv").write_text("processid,x0\nA,left\n")
    assert pictures.boxes(["A"]) == {}
