"""What a detector does with ordinary images: figures and the command."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from images_drawn import insect, well

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.detection import Detection
from bioscan_etl.training import ordinary
from bioscan_etl.training.ordinary_tables import Seen

BOXES = "image_file,kind,x0,y0,x1,y1,published_value"


class Fixed:
    """Finds the same in every image."""

    name = "fixed"

    def __init__(self, detection: Detection) -> None:
        self._detection = detection

    def detect(self, image: np.ndarray, half: np.ndarray | None = None) -> Detection:
        return self._detection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of different sizes, and what is no image."""
    (tmp_path / "images").mkdir()
    pixels = well()
    insect(pixels, (500, 400), 200)
    cv2.imwrite(str(tmp_path / "images" / "b.png"), pixels)
    cv2.imwrite(str(tmp_path / "images" / "a.png"), cv2.resize(pixels, (326, 245), interpolation=cv2.INTER_AREA))
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return tmp_path / "images"


def test_a_line_compares_with_the_published_box(folder: Path) -> None:
    detector = Fixed(Detection((10, 10, 60, 50), 0.9, 1, "detected", presence=0.97))
    line, drawn = ordinary.look(folder, "a.png", detector, (10, 10, 60, 60))
    assert (line.width, line.height, line.status, line.presence) == (326, 245, "detected", 0.97)
    assert (line.published_iou, line.published_ratio) == (0.8, 0.8)
    assert drawn.shape[2] == 3
    none, _ = ordinary.look(folder, "b.png", Fixed(Detection(None, 0.2, 0, "empty")), (10, 10, 60, 60))
    assert (none.status, none.x0, none.published_iou, none.cut) == ("empty", None, 0, "")
    (folder / "c.png").write_bytes(b"no image")
    broken, _ = ordinary.look(folder, "c.png", detector, None)
    assert (broken.status, broken.width, broken.published_iou) == ("unreadable", None, None)


def test_the_summary_counts_what_was_judged() -> None:
    def line(name: str, status: str, iou: float | None, cut: str) -> Seen:
        return Seen(name, "d", 10, 10, status, published_iou=iou, cut=cut)

    found = ordinary.summary(
        [
            line("a", "detected", 0.8, "yes"),
            line("b", "low_confidence", 0.0, "no"),
            line("c", "empty", None, ""),
            line("d", "detected", None, "no"),
        ]
    )
    assert (found["empty"], found["published_bad"], found["cut_files"]) == (["c"], ["b"], ["a"])
    assert (found["published"], found["judged"], found["images"]) == (2, 3, 4)
    assert found["cut"]["value"] == pytest.approx(1 / 3)
    assert (found["published_good"]["value"], found["sent"]["value"]) == (0.5, 0.25)
    assert "empty      c" in ordinary.as_text(found)
    assert ordinary.as_markdown(found).splitlines()[2].startswith("| 4 | 1 | 25.0 % [")


def test_the_command(folder: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    (folder / "published_boxes.csv").write_text(f"{BOXES}\nb.png,box,400,300,600,500,0.05\n")
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["ordinary", str(folder), "--output", str(out)])
    ordinary.main()
    assert "images     2" in capsys.readouterr().out
    with (out / "images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["image_file"] for row in rows] == ["a.png", "b.png"]
    assert {row["cut"] for row in rows} == {""}
    assert float(rows[1]["published_iou"]) > 0
    page = cv2.imread(str(out / "page_01.png"))
    assert page.shape == (384, 1600, 3)
    first = [(out / name).read_bytes() for name in ("images.csv", "page_01.png", "result.json")]

    filled = tmp_path / "filled.csv"
    with filled.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows([rows[0] | {"cut": "yes"}, rows[1] | {"cut": "no"}])
    again = ["ordinary", str(folder), "--output", str(tmp_path / "again"), "--judged", str(filled), "--markdown"]
    monkeypatch.setattr("sys.argv", again)
    ordinary.main()
    assert "50.0 % [" in capsys.readouterr().out
    result = json.loads((tmp_path / "again" / "result.json").read_text())
    assert (result["judged"], result["cut_files"]) == (2, ["a.png"])
    assert (tmp_path / "again" / "images.csv").read_text() == filled.read_text().replace("\r\n", "\n")
    monkeypatch.setattr("sys.argv", ["ordinary", str(folder), "--output", str(out)])
    ordinary.main()
    assert [(out / name).read_bytes() for name in ("images.csv", "page_01.png", "result.json")] == first


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no image"):
        ordinary.image_names(tmp_path)
    with pytest.raises(SettingsError, match="cannot be listed"):
        ordinary.image_names(tmp_path / "none")
