"""Tables about ordinary images: boxes of another tool, and what is cut."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SettingsError
from bioscan_etl.training import ordinary_tables as tables
from bioscan_etl.training.ordinary import PUBLISHED, image_names

BOXES = "image_file,kind,x0,y0,x1,y1,published_value"
NAMES = ["a.png", "b.png"]


def published(path: Path, *lines: str) -> dict:
    (path / "p.csv").write_text("\n".join((BOXES, *lines)) + "\n")
    return tables.read_published(path / "p.csv", NAMES)


def judged(path: Path, *lines: str) -> dict:
    (path / "j.csv").write_text("\n".join(("image_file,detector,status,cut", *lines)) + "\n")
    return tables.read_judged(path / "j.csv", NAMES, "fixed")


def test_published_boxes_are_read_by_name(tmp_path: Path) -> None:
    found = published(tmp_path, "b.png,mask,1,2,30,40,100", "a.png,box,0,0,5,6,0.02")
    assert found == {"b.png": (1, 2, 30, 40), "a.png": (0, 0, 5, 6)}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["c.png,box,0,0,5,6,0.1"], "line 2, column image_file: 'c.png' is not in the folder"),
        (["a.png,box,0,0,5,6,0.1", "a.png,box,0,0,5,6,0.1"], "line 3, column image_file: 'a.png' has a box already"),
        (["a.png,frame,0,0,5,6,0.1"], "line 2, column kind: 'frame' is unknown; write one of box, mask"),
        (["a.png,box,0,-1,5,6,0.1"], "line 2, column y0: '-1' is no whole number of pixels"),
        (["a.png,box,5,0,5,6,0.1"], "line 2, column x1: the box has no area"),
    ],
)
def test_a_wrong_published_box_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        published(tmp_path, *lines)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["c.png,fixed,detected,no"], "line 2, column image_file: 'c.png' is not in the folder"),
        (["a.png,fixed,detected,no"] * 2, "line 3, column image_file: 'a.png' is listed twice"),
        (
            ["a.png,other,detected,no"],
            "line 2, column detector: the boxes of 'other' were judged, not those of 'fixed'",
        ),
        (["a.png,fixed,detected,perhaps"], "line 2, column cut: 'perhaps' is unknown; write yes or no"),
    ],
)
def test_a_wrong_judgement_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        judged(tmp_path, *lines)


def test_what_is_written_can_be_judged(tmp_path: Path) -> None:
    lines = [
        tables.Seen(name, "fixed", 10, 10, "detected", x0=1.0, cut=cut)
        for name, cut in (("a.png", "yes"), ("b.png", ""))
    ]
    tables.write_lines(tmp_path / "l.csv", lines)
    assert tables.read_judged(tmp_path / "l.csv", NAMES, "fixed") == {"a.png": "yes", "b.png": ""}
    with (tmp_path / "l.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert (rows[0]["x0"], rows[0]["published_iou"], rows[0]["width"]) == ("1.0", "", "10")


@settings(deadline=None)
@given(st.text(max_size=120))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("published") / "p.csv"
    path.write_text(f"{BOXES}\n{text}", encoding="utf-8")
    try:
        said = tables.read_published(path, NAMES)
    except SettingsError as error:
        said = str(error)
    assert "\n" not in said if isinstance(said, str) else set(said) <= set(NAMES)


def test_the_real_boxes(shared_data: Path) -> None:
    names = image_names(shared_data / "ordinary")
    assert len(names) == 66
    assert len(tables.read_published(shared_data / "ordinary" / PUBLISHED, names)) == 15
