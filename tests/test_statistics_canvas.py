"""What all figures share."""

import xml.etree.ElementTree as ET

from bioscan_etl.statistics.canvas import SPLIT_COLOURS, boxes, canvas, count_bars, plain, say_empty, short
from bioscan_etl.vocabulary import SPLITS


def test_a_figure_is_written_as_svg_and_png_and_only_when_it_is_done(tmp_path):
    with canvas(tmp_path / "x.svg") as page:
        (axis,) = page.axes(2, 4)
        say_empty(axis, "<nothing & none>")
        assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.png", "x.svg"]
    assert "x" in "".join(ET.parse(tmp_path / "x.svg").getroot().itertext())


def test_bars_carry_their_numbers(tmp_path):
    with canvas(tmp_path / "x.svg") as page:
        (axis,) = page.axes(2, 4)
        count_bars(axis, ["a", "b"], [1_200, 0], "#000000")
        assert [text.get_text() for text in axis.texts] == ["1,200", "0"]


def test_boxes_are_the_numbers_that_they_are_given(tmp_path):
    row = {"minimum": 1, "lower_quartile": 2, "median": 3, "upper_quartile": 5, "maximum": 9}
    with canvas(tmp_path / "x.svg") as page:
        (axis,) = page.axes(2, 4)
        boxes(axis, [row], [1], 0.5)
        extent = axis.patches[0].get_path().get_extents()
        assert (extent.y0, extent.y1) == (2, 5)
        heights = {round(float(value), 6) for line in axis.lines for value in line.get_ydata()}
        assert heights == {1, 2, 3, 5, 9}


def test_each_partition_has_a_colour_of_its_own():
    assert list(SPLIT_COLOURS) == list(SPLITS)
    assert len(set(SPLIT_COLOURS.values())) == len(SPLITS)


def test_names_of_the_data_cannot_take_the_page(tmp_path):
    assert short("x" * 500) == "x" * 31 + "…"
    assert short("_hidden") == " _hidden"  # a legend would leave it out
    assert short("a\nb\x1b") == "a\\nb\\x1b"
    names = ["x" * 500, "\u5317\u6d77", "$x^2$"]  # of the second, the font has no letter
    with canvas(tmp_path / "x.svg") as page:
        (axis,) = page.axes(2)
        count_bars(axis, names, [1, 2, 3], "#000000")
    assert axis.get_position().width > 0.2


def test_numbers_are_plain():
    shown = {25_820: "25,820", 99.96: "100", 2.582: "2.58", 0.0273: "0.0273", 0.00012: "0.00012", 0: "0", 3.2e6: "3.2M"}
    assert {value: plain(value) for value in shown} == shown
