"""Two detectors on the same images."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_corpus import annotated_corpus

from bioscan_etl.images.detection import Detection
from bioscan_etl.training import compare
from bioscan_etl.training.changes import changes
from bioscan_etl.training.dataset import Annotated, read_annotations
from bioscan_etl.training.views import VIEWS, detect_views, mirrored, outcomes_of_views


class Oracle:
    """Knows the truth of all views, and draws boxes that are so many times as wide; loses some specimens."""

    def __init__(self, truth: list[Annotated], views: int, wide: float = 1.0, lose: int = 0) -> None:
        self.name = f"oracle {wide} {lose}"
        boxes = [
            mirrored(np.empty((image.size[1], image.size[0], 0), np.uint8), image.box, view)[1]
            for image in truth
            for view in range(views)
        ]
        self._boxes, self._wide, self._lose = iter(boxes), wide, lose

    def detect(self, pixels: np.ndarray, half: np.ndarray | None = None) -> Detection:
        box = next(self._boxes)
        if box is None:
            return Detection(None, 0.0, 0, "empty")
        if self._lose:
            self._lose -= 1
            return Detection(None, 0.1, 0, "empty")
        x0, y0, x1, y1 = box
        return Detection((x0, y0, x0 + self._wide * (x1 - x0), y1), 0.9, 1, "detected")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Annotated]]:
    images, annotations = annotated_corpus(tmp_path_factory.mktemp("corpus"))
    return images, read_annotations(annotations)


@pytest.mark.parametrize("views", [1, VIEWS])
def test_worse_boxes_are_a_sure_difference(corpus, views: int) -> None:
    images, truth = corpus
    seen = [detect_views(images, truth, one, views) for one in (Oracle(truth, views), Oracle(truth, views, wide=1.5))]
    before, after = (outcomes_of_views(truth, one) for one in seen)
    assert len(before) == views * len(truth)
    assert len(np.unique(before.image)) == len(truth)
    found = compare.differences(before, after, compare.groups_of(truth))
    assert set(found) == {"agreed"}
    gap = found["agreed"]["AP75"]
    assert (gap.before.value, gap.after.value, gap.difference.value) == pytest.approx((1, 0, -1))
    assert gap.difference.high < 0
    assert found["agreed"]["empty_as_empty"].difference.value == 0
    lines = compare.as_text(found).splitlines()
    assert next(line for line in lines if "AP75" in line).endswith("*")
    assert not next(line for line in lines if "empty_as_empty" in line).endswith("*")


def test_what_became_better_or_worse_is_listed(corpus, tmp_path: Path) -> None:
    images, truth = corpus
    full = [image.file_name for image in truth if image.box is not None]
    seen = [detect_views(images, truth, one, 1) for one in (Oracle(truth, 1), Oracle(truth, 1, wide=1.5, lose=2))]
    worse, better = changes(truth, *([one[0] for one in found] for found in seen))
    compare.write_changes(tmp_path / "c.csv", worse, better)
    with (tmp_path / "c.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["image_file"] for row in rows} == set(full)
    lost = [row["image_file"] for row in rows if row["status_after"] == "empty"]
    assert sorted(lost) == sorted(full[:2])
    assert {row["iou_after"] for row in rows if row["status_after"] != "empty"} == {"0.6667"}


def test_agreed_and_disputed_images_are_compared_apart(corpus) -> None:
    _, truth = corpus
    sorted_ = [replace(image, triage="empty" if number < 4 else "valid") for number, image in enumerate(truth)]
    groups = compare.groups_of(sorted_)
    assert set(groups) == {"agreed", "disputed", "empty", "valid"}
    assert (groups["agreed"] != groups["disputed"]).all()
    assert (groups["agreed"] == (groups["empty"] | groups["valid"])).all()


def test_the_command(corpus, tmp_path: Path, monkeypatch, capsys) -> None:
    images, _ = corpus
    files = ["--output", str(tmp_path / "r.json"), "--changes", str(tmp_path / "c.csv")]
    annotations = str(images.parent / "annotations.coco.json")
    monkeypatch.setattr("sys.argv", ["compare", str(images), annotations, "segmentation", "--part", "all", *files])
    compare.main()
    assert "12 images, 1 views" in capsys.readouterr().out
    result = json.loads((tmp_path / "r.json").read_text())
    assert set(result) == {"agreed"}
    assert set(result["agreed"]["AR"]) == {"before", "after", "difference"}
    with (tmp_path / "c.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == [
            "image_file",
            "change",
            "status_before",
            "status_after",
            "iou_before",
            "iou_after",
        ]
