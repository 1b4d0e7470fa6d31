"""Drawings as files: titles, the dark ground, photographs and sizes."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from bioscan_etl.statistics import rendered
from bioscan_etl.statistics.canvas import GRID, INK, LIGHT, MISSING, PAPER, QUIET, canvas, photograph
from bioscan_etl.statistics.rendered import DARK, LIMIT
from bioscan_etl.statistics.world import COAST, LAND

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"


def luminance(colour):
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_of_paper_and_ink_has_a_dark_one_that_is_as_legible():
    """WCAG 2.2 asks for 4.5 for text."""
    assert {PAPER, INK, QUIET, GRID, MISSING, LAND, COAST} <= DARK.keys()
    assert not {LIGHT, *(colour.upper() for colour in DARK)} & DARK.keys()
    for text in (INK, QUIET):
        assert contrast(text, PAPER) >= 4.5
        assert contrast(DARK[text], DARK[PAPER]) >= 4.5


def test_the_file_says_what_it_is_and_swaps_its_colours_on_dark_ground(tmp_path):
    with canvas(tmp_path / "site_map.svg", 'About <b> & "all".') as page:
        page.axes(2)[0].set_title("x")
        page.caption = "Counted: 3 & more."
    text = (tmp_path / "site_map.svg").read_text()
    root = ET.fromstring(text)
    assert root.find(f"{SVG}title").text.startswith("Equal-area map")
    assert root.find(f"{SVG}desc").text == 'Counted: 3 & more. About <b> & "all".'
    style = root.find(f"{SVG}style").text
    assert style.startswith("@media (prefers-color-scheme:dark)")
    assert f'[style*="fill: {PAPER}"]{{fill:{DARK[PAPER]}!important}}' in style
    assert f'style="fill: {PAPER}"' in text  # what the rule is for is there, in the same spelling
    assert max(len(one) for one in re.findall(r"\.\d+", " ".join(re.findall(r' d="([^"]*)"', text)))) <= 3
    with Image.open(tmp_path / "site_map.png") as image:
        assert image.text["Description"].startswith("Counted: 3 & more.")


def test_photographs_are_jpeg_at_their_own_size_and_others_stay_as_they_are(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    with canvas(tmp_path / "x.svg") as page:
        left, right = page.axes(2, columns=2)
        photograph(left, noise, "one")
        right.imshow(noise)
    root = ET.parse(tmp_path / "x.svg").getroot()
    found = {image.get("id"): image.get(HREF) for image in root.iter(f"{SVG}image")}
    assert len(found) == 2
    kind, data = found.pop("photograph-one").split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert (image.format, image.size) == ("JPEG", (120, 90))
    assert next(iter(found.values())).startswith("data:image/png;base64")


def test_a_file_that_would_be_too_large_loses_quality(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (600, 800, 3), np.uint8)

    def sizes(name):
        with canvas(tmp_path / name) as page:
            photograph(page.axes(4)[0], noise, "one")
        return [(tmp_path / name).with_suffix(suffix).stat().st_size for suffix in (".svg", ".png")]

    small = sizes("small.svg")
    assert all(size <= LIMIT for size in small)
    monkeypatch.setattr(rendered, "LIMIT", 50_000_000)
    assert all(size > LIMIT for size in sizes("large.svg"))
    with Image.open(tmp_path / "small.png") as image:
        assert "Title" in image.text


def test_thousands_of_points_are_pixels_of_few_colours_that_fit(tmp_path):
    at = np.random.default_rng(0).random((2, 4_000))
    shade = np.random.default_rng(1).random((4_000, 3))
    with canvas(tmp_path / "x.svg") as page:
        page.axes(5, 8)[0].scatter(*at, c=shade, alpha=0.5, s=60, edgecolors="#ffffff", rasterized=True)
    text = (tmp_path / "x.svg").read_text()
    assert len(text) <= LIMIT
    assert "data:image/png;base64" in text


@pytest.mark.parametrize("size", [(10, 10), (3, 500)])
def test_small_photographs_are_drawn_as_well(tmp_path, size):
    with canvas(tmp_path / "x.svg") as page:
        photograph(page.axes(2)[0], np.full((*size, 3), 90, np.uint8), "a")
    assert "data:image/jpeg" in (tmp_path / "x.svg").read_text()
