"""Figures: the same bytes, sound SVG and PNG, and nothing in the data breaks them."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import drawn_release
import pytest
from PIL import Image

from bioscan_etl.errors import SourceError
from bioscan_etl.statistics import definitions
from bioscan_etl.statistics.drawn import Drawn, shown_of
from bioscan_etl.statistics.figures import TABLES, draw_figures, have_images
from bioscan_etl.statistics.titles import FIGURES

SVG = "{http://www.w3.org/2000/svg}"


class _Images:
    """Has no image, and remembers which figures asked for one."""

    def __init__(self):
        self.drawn = 0
        self.asked = set()

    def progress(self, what, done, of):
        self.drawn = done

    def __getattr__(self, name):
        self.asked.add(self.drawn)
        return lambda *given: {} if name == "boxes" else None


@pytest.fixture(scope="module")
def release():
    rows = drawn_release.rows()
    return replace(drawn_release.of(rows), shown=shown_of(rows.lazy()), pictures=_Images())


@pytest.fixture(scope="module")
def drawn(release, tmp_path_factory):
    return draw_figures(release, tmp_path_factory.mktemp("figures"), progress=release.pictures.progress)


def test_only_figures_that_show_images_ask_for_them(release, drawn):
    images = ["sample_record", "specimen_sheet", "image_boxes", "image_masks", "image_sizes"]
    assert [name for name in FIGURES if have_images([name])] == images
    assert {drawn[number].stem for number in release.pictures.asked} == set(images)
    assert have_images()
    assert not have_images(["site_map", "maps"])


def test_every_figure_is_sound_svg_that_describes_itself(drawn):
    assert [path.stem for path in drawn] == list(FIGURES)
    for path in drawn:
        root = ET.parse(path).getroot()
        assert root.tag == f"{SVG}svg"
        assert root.find(f"{SVG}title").text == FIGURES[path.stem]
        assert root.find(f"{SVG}desc").text.endswith(".")
        assert not root.findall(f".//{SVG}script")
        assert not root.findall(f".//{SVG}text")
        assert path.stat().st_size < 500_000, path.name


def test_every_figure_is_a_png_that_can_be_read_on_a_slide(drawn):
    for path in drawn:
        with Image.open(path.with_suffix(".png")) as image:
            image.load()
            assert image.width >= 1_100, path.name
            assert len(image.convert("L").getcolors(256) or range(256)) > 3, path.name
        assert path.with_suffix(".png").stat().st_size < 500_000, path.name


def test_no_dates_and_the_same_bytes_again_even_with_a_users_style(release, drawn, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"axes.facecolor": "pink", "font.size": 20}):
        again = draw_figures(release, tmp_path)
        assert matplotlib.rcParams["font.size"] == 20
    for suffix in (".svg", ".png"):
        bytes_ = [[path.with_suffix(suffix).read_bytes() for path in paths] for paths in (again, drawn)]
        assert bytes_[0] == bytes_[1]
    assert not any(b"<dc:date>" in path.read_bytes() for path in drawn)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"processid": "A"}],
        [{"processid": f"A-{n}", "class": "Insecta", "species": "A b", "split": "train"} for n in range(3)],
    ],
    ids=["empty", "all null", "three specimens of one class without places"],
)
def test_nothing_to_draw(rows, tmp_path):
    paths = draw_figures(drawn_release.of(drawn_release.metadata(rows)), tmp_path)
    assert len(paths) == len(FIGURES)
    for path in paths:
        root = ET.parse(path).getroot()
        assert root.tag == f"{SVG}svg"
        assert root.find(f"{SVG}desc").text.endswith(".")
        with Image.open(path.with_suffix(".png")) as image:
            assert len(image.convert("L").getcolors(256) or range(256)) > 3, f"{path.stem} is blank"


def test_figures_of_some_names_and_of_some_tables(release, tmp_path):
    steps = []
    paths = draw_figures(release, tmp_path, ["site_map", "barcode_gap"], lambda *step: steps.append(step))
    assert [path.stem for path in paths] == ["site_map", "barcode_gap"]  # in the order of FIGURES
    assert steps == [("figures", 1, 2), ("figures", 2, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "barcode_gap.png", "barcode_gap.svg", "index.html", "site_map.png", "site_map.svg"
    ]  # fmt: skip
    without = Drawn(release.rows, {})
    assert [path.stem for path in draw_figures(without, tmp_path, ["site_map", "barcode_gap"])] == ["site_map"]


def test_each_table_of_a_figure_is_one_of_the_release():
    assert {table.name for table in definitions.TABLES} >= TABLES


def test_a_figure_that_does_not_exist_is_named_with_those_that_do(release, tmp_path):
    with pytest.raises(SourceError, match=r"no figure maps; the figures are sample_record, .*site_map"):
        draw_figures(release, tmp_path, ["maps"])
