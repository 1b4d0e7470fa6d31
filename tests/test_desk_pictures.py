"""Images as browsers get them: upright, small, and none that would show something else."""

import io
import threading

import numpy as np
import pytest
from desk_lake import corpus_of
from PIL import Image

from bioscan_etl import landing
from bioscan_etl.desk import pictures as module
from bioscan_etl.desk.pictures import SIDES, Pictures

NAMES = ("A-1", "A-2", "A-3", "A-4", "A-5")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A-1 is large, A-2 turned by its EXIF orientation, A-3 no image, A-4 gone, A-5 smaller than a thumbnail."""
    root = tmp_path_factory.mktemp("desk")
    images = root / "images"
    images.mkdir()
    wide = np.zeros((900, 1200, 3), np.uint8)
    wide[:, :600] = (255, 0, 0)
    Image.fromarray(wide).save(images / "A-1.jpg", quality=95)
    turned = Image.fromarray(wide)
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(images / "A-2.jpg", quality=95, exif=exif)
    (images / "A-3.jpg").write_bytes(b"no image")
    Image.fromarray(wide[:60, :80]).save(images / "A-5.jpg")
    (root / "records.tsv").write_text("processid\nA-1\n")
    rows = [{"processid": name, "image_batch": "one", "image_file": f"{name}.jpg"} for name in NAMES]
    rows += [{"processid": "A-6"}, {"processid": "A-7", "image_batch": "gone", "image_file": "A-7.jpg"}]
    rows += [{"processid": "A-8", "image_batch": "one", "image_file": "../records.tsv"}]
    found = corpus_of(root / "out", rows)
    landing.register(found.lake, "one", [str(root / "records.tsv")], [str(images)])
    return found


@pytest.fixture
def pictures(corpus):
    made = Pictures(corpus)
    yield made
    made.close()


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize("size", SIDES)
def test_the_shorter_side_is_that_of_the_size_and_the_picture_is_whole(pictures, size):
    image = opened(pictures.jpeg("A-1", size))
    assert image.size == (SIDES[size] * 4 // 3, SIDES[size])
    red, black = image.getpixel((2, 2)), image.getpixel((image.width - 3, 2))
    assert red[0] > 200
    assert max(black) < 50


def test_an_image_is_upright_as_its_boxes_are(pictures):
    image = opened(pictures.jpeg("A-2", "thumbs"))
    assert image.size == (96, 128)
    # Its left half is red; turned clockwise, that is the upper one.
    assert image.getpixel((48, 3))[0] > 200
    assert max(image.getpixel((48, 124))) < 50


def test_a_small_image_is_not_enlarged(pictures):
    assert opened(pictures.jpeg("A-5", "images")).size == (80, 60)


@pytest.mark.parametrize("processid", ["A-3", "A-4", "A-6", "A-7", "A-8", "Z-9", "../A-1", ""])
def test_what_cannot_be_shown_is_none(pictures, processid):
    """No image, a lost file, no file at all, no such batch, a path out of the folder, and unknown process IDs."""
    assert pictures.jpeg(processid, "thumbs") is None


def test_a_picture_is_made_once_and_the_oldest_are_dropped(pictures, monkeypatch):
    made = []
    make = Pictures._made
    monkeypatch.setattr(Pictures, "_made", lambda self, *given: made.append(given[1]) or make(self, *given))
    first = pictures.jpeg("A-1", "thumbs")
    assert pictures.jpeg("A-1", "thumbs") == first
    assert made == ["A-1.jpg"]
    monkeypatch.setattr(module, "_KEPT_BYTES", len(first) + 10)
    pictures.jpeg("A-2", "thumbs")
    assert pictures.jpeg("A-1", "thumbs") == first
    assert made == ["A-1.jpg", "A-2.jpg", "A-1.jpg"]


def test_several_readers_get_the_same_pictures(pictures):
    alone = {name: pictures.jpeg(name, "images") for name in ("A-1", "A-2", "A-5")}
    found = []
    fresh = Pictures(pictures._corpus)
    threads = [
        threading.Thread(target=lambda: found.append({name: fresh.jpeg(name, "images") for name in alone}))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh.close()
    assert found == [alone] * 6
