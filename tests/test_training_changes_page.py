"""The page of images that changed: all boxes are drawn, nothing of a name is markup, and what is left out is said."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from test_training_comparison import PERFECT, outcomes

from bioscan_etl.training.changes import Change, Found
from bioscan_etl.training.changes_page import (
    COLOURS,
    MOST,
    PAGE,
    SHORT,
    SHORT_LIMIT,
    Verdict,
    _surroundings,
    draw,
    told,
    write_pages,
)
from bioscan_etl.training.comparison import compare, reasons
from bioscan_etl.training.dataset import Annotated

HOSTILE = "<script>alert(1)</script>&`[x](y)|\u202e*.png"
SIZE = 640, 480


def change(name="a.png", *, truth=(100.0, 100.0, 180.0, 160.0), after=(300.0, 200.0, 420.0, 330.0), worse=True):
    before = Found("detected", (104.0, 98.0, 190.0, 170.0), 0.8)
    now = Found("empty", None, None) if after is None else Found("detected", after, 0.0)
    return Change(Annotated(0, name, SIZE, (), truth), before, now, "right box before, wrong box now", worse)


def near(picture, colour):
    """Pixels of about a colour: JPEG changes it a little."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 60).sum())


def grey():
    return np.full((SIZE[1], SIZE[0], 3), 225, np.uint8)


def test_all_boxes_that_there_are_are_drawn_whole_and_close():
    picture = draw(grey(), change())
    assert picture.shape == (300, 400 + 8 + 300, 3)
    for part in (picture[:, :400], picture[:, 408:]):
        for colour in COLOURS.values():
            assert near(part, colour) > 50
    lost = draw(grey(), change(after=None))
    assert near(lost, COLOURS["tuned"]) == 0
    invented = draw(grey(), change(truth=None))
    assert near(invented, COLOURS["annotated"]) == 0
    assert near(invented, COLOURS["tuned"]) > 50


@pytest.mark.parametrize(
    ("boxes", "part"),
    [
        ([(100, 100, 200, 150)], (65, 40, 235, 210)),
        ([(0, 0, 100, 100)], (0, 0, 170, 170)),  # moved into the image, not cut
        ([(600, 440, 640, 480)], (572, 412, 640, 480)),
        ([(10, 100, 630, 150), (50, 90, 60, 140)], (10, 0, 630, 480)),  # wider than the image is high
        ([(0, 0, 640, 480)], (0, 0, 640, 480)),
    ],
)
def test_the_close_up_holds_all_boxes_and_stays_within_the_image(boxes, part):
    assert _surroundings(boxes, *SIZE) == part


def written(tmp_path, worse, better=(), remarks=()):
    images = tmp_path / "images"
    images.mkdir(exist_ok=True)
    for one in (*worse, *better):
        Image.fromarray(grey()).save(images / one.image.file_name.replace("/", "_"), format="PNG")
    found = compare(PERFECT, outcomes(80, 20, lost=range(8)), 0.01)
    verdict = Verdict("trained-a", "trained-b", {"occupied": 80, "empty": 20}, found, reasons(found), list(remarks))
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    write_pages(folder, images, verdict, worse, better)
    return (folder / PAGE).read_text(encoding="utf-8"), (folder / SHORT).read_text(encoding="utf-8")


def test_the_page_shows_verdict_figures_and_pictures_and_is_one_file(tmp_path):
    page, short = written(
        tmp_path, [change(), change("b.png", after=None)], [change("c.png", worse=False)], ["a remark"]
    )
    assert "2 images became worse" in page
    assert "1 image became better" in page
    assert "Refused:" in page
    assert "refused: worse" in page
    assert "a remark" in page
    for name in ("a.png", "b.png", "c.png"):
        assert f"{name}: <strong>" in page
    pictures = re.findall(r'src="([^"]+)"', page)
    assert len(pictures) == 3
    assert all(one.startswith("data:image/jpeg;base64,") for one in pictures)
    assert "href" not in page
    with Image.open(io.BytesIO(base64.b64decode(pictures[0].partition(",")[2]))) as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (708, 300))
    assert short.startswith("**2 images became worse, 1 image better**, of 100.")
    assert short.count("](data:image/jpeg;base64,") == 2
    assert written(tmp_path, [change(), change("b.png", after=None)], [change("c.png", worse=False)], ["a remark"]) == (
        page,
        short,
    )


def test_nothing_of_a_name_is_markup(tmp_path):
    page, short = written(tmp_path, [change(HOSTILE.replace("/", ""))], remarks=[HOSTILE])
    assert "<script" not in page
    assert not re.search(r"(?<!\\)<", short)
    assert "\u202e" not in page + short
    words = [line for line in short.splitlines() if "script" in line]
    assert len(words) == 2
    assert all("\\<script\\>" in line and "\\[x\\](y)\\|" in line for line in words)


def test_a_limit_says_what_it_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setitem(MOST, "worse", 12)
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    many = [change(f"{number:03d}.png") for number in range(MOST["worse"] + 5)]
    images = tmp_path / "images"
    images.mkdir()
    verdict = Verdict("a", "b", {"occupied": 80, "empty": 20}, [], [], [])
    for one in many:
        Image.fromarray(noise).save(images / one.image.file_name, compress_level=1)
    write_pages(tmp_path, images, verdict, many, [])
    page, short = (tmp_path / PAGE).read_text(), (tmp_path / SHORT).read_text()
    assert page.count("<figure>") == MOST["worse"]
    assert f"The first {MOST['worse']} are shown. 5 more are listed in evaluation.json." in page
    assert "Not refused." in page
    assert "0 images became better" in page
    shown = short.count("](data:")
    assert 0 < shown < MOST["worse"]
    assert f"{len(many) - shown} more: see {PAGE}" in short
    assert SHORT_LIMIT * 0.5 < len(short) <= SHORT_LIMIT


def test_an_iou_below_a_limit_does_not_seem_to_reach_it():
    assert told(Found("detected", (0, 0, 1, 1), 0.74996)) == "detected, IoU 0.749"
    assert told(Found("empty", None, None)) == "empty"
