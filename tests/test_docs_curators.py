"""The tour for curators: its steps are those of the script, and its pictures are there."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "curators.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tour():
    spec = importlib.util.spec_from_file_location("curators_tour", ROOT / "tools" / "curators_tour.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks itself up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_each_step_of_the_script_is_one_of_the_page(tour):
    steps = [(title, name) for name, (title, _) in tour.STEPS.items()]
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    on_page = [
        (section.splitlines()[0], *re.findall(r"\]\(images/curators/([\w-]+)\.png\)", section))
        for section in sections[: len(steps)]
    ]
    assert on_page == steps
    assert all("](images/" not in section for section in sections[len(steps) :])


def test_each_picture_of_a_step_is_there_and_no_other(tour):
    pictures = sorted(path.name for path in tour.FOLDER.iterdir())
    assert pictures == sorted(["ORIGIN.txt", *(f"{name}.png" for name in tour.STEPS)])
    for path in tour.FOLDER.glob("*.png"):
        assert path.stat().st_size < 150_000, path
        with Image.open(path) as image:
            assert image.size == (tour.WINDOW["width"], tour.WINDOW["height"])
            assert len(image.convert("RGB").getcolors(1 << 20)) > 8  # something is on it


def test_the_page_says_what_the_script_does(tour):
    assert f'--curator "{tour.CURATOR}"' in PAGE
    assert "out/decisions/ada-lovelace.csv" in PAGE
    assert "bioscan-etl run --output out" in PAGE
