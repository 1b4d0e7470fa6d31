"""The curators' page of images."""

from pathlib import Path

import numpy as np
import polars as pl
from images_drawn import insect, well
from PIL import Image

from bioscan_etl.images.contact_sheet import contact_sheet
from bioscan_etl.images.index import index_images
from bioscan_etl.images.stage import process_images
from bioscan_etl.settings import ImageSettings


def test_sheet_shows_boxes_and_failures(tmp_path: Path) -> None:
    source = tmp_path / "images"
    source.mkdir()
    for number in range(3):
        image = well(320, 240)
        insect(image, (150, 120), 60 + 10 * number)
        Image.fromarray(image).save(source / f"A-{number}.jpg")
    (source / "A-9.jpg").write_text("no image")
    index = index_images([str(source)], None, None, "b", ImageSettings())
    process_images(index, [str(source)], ImageSettings(), ("cropped",), tmp_path / "out", "b")
    boxes = pl.read_parquet(tmp_path / "out" / "boxes.parquet")
    pages = []
    for name in ("one.jpg", "two.jpg"):
        contact_sheet(boxes, [str(source)], tmp_path / name, ImageSettings())
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]
    with Image.open(tmp_path / "one.jpg") as image:
        page = np.asarray(image).astype(int)
    assert page.shape == (3 * (32 + 276), 6 * 320, 3)
    green = (page[..., 1] - page[..., 0] > 60) & (page[..., 1] - page[..., 2] > 40)
    tile = green[32 : 32 + 240, :320]  # the first image's box
    assert tile.sum() > 100
    red = (page[..., 0] - page[..., 1] > 100) & (page[..., 0] - page[..., 2] > 100)
    assert red[2 * 308 + 32 :].sum() > 50  # the caption of the text file
    empty = boxes.head(0)
    contact_sheet(empty, [str(source)], tmp_path / "empty.jpg", ImageSettings())
    with Image.open(tmp_path / "empty.jpg") as image:
        assert image.size == (1920, 96)
