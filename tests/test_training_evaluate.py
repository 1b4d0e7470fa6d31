"""The measures of a detector against annotated images."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from training_corpus import annotated_corpus

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")

from bioscan_etl.images.detection import Detection
from bioscan_etl.training import dataset, evaluate, report


class Oracle:
    """Knows the truth, and moves or hides it as told."""

    name = "oracle"

    def __init__(self, truth: list[dataset.Annotated], shift: float = 0.0, hide: int = 0, invent: int = 0) -> None:
        self._truth = iter(truth)
        self._shift, self._hide, self._invent = shift, hide, invent

    def detect(self, pixels: np.ndarray) -> Detection:
        image = next(self._truth)
        if image.box is None:
            if self._invent:
                self._invent -= 1
                return Detection((10, 10, 50, 50), 0.3, 1, "low_confidence")
            return Detection(None, 0.0, 0, "empty")
        if self._hide:
            self._hide -= 1
            return Detection(None, 0.1, 0, "empty")
        x0, y0, x1, y1 = image.box
        by = self._shift * (x1 - x0)
        return Detection((x0 + by, y0, x1 + by, y1), 0.9, 1, "detected", image.mask())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    images, annotations = annotated_corpus(tmp_path_factory.mktemp("corpus"))
    return images, dataset.read_annotations(annotations)


def test_the_truth_is_perfect(corpus) -> None:
    images, truth = corpus
    result = evaluate.measure(images, truth, Oracle(truth), "all")
    assert (result.occupied, result.empty) == (8, 4)
    assert result.coco["all"] == pytest.approx({"specimens": 8, "AP50": 1, "AP75": 1, "AP": 1, "AR": 1})
    assert sum(figures["specimens"] for name, figures in result.coco.items() if name != "all") == 8
    assert (result.empty_as_empty, result.occupied_as_empty) == (1, 0)
    assert set(result.sizes) == set(result.coco)
    for name, sized in result.sizes.items():
        assert sized.specimens == result.coco[name]["specimens"]
        assert (sized.missed, sized.mask_iou) == (0, 1)
        assert all(value == [0, 0] for value in sized.errors.values())
        assert set(sized.errors) == {"area_fraction", "scale_factor", "image_measurement_value"}
    assert "AP75 1.000" in report.as_text(asdict(result))


def test_shifted_boxes_fail_the_strict_thresholds(corpus) -> None:
    images, truth = corpus
    # Shifted by a fifth of the width, IoU is 0.8 / 1.2.
    result = evaluate.measure(images, truth, Oracle(truth, shift=0.2), "all")
    assert result.coco["all"]["AP50"] == pytest.approx(1)
    assert result.coco["all"]["AP75"] == 0
    assert result.coco["all"]["AR"] == pytest.approx(0.4)  # IoU 0.50, 0.55, 0.60, 0.65 of ten


def test_missed_and_invented_specimens_are_counted(corpus) -> None:
    images, truth = corpus
    result = evaluate.measure(images, truth, Oracle(truth, hide=2, invent=1), "all")
    assert result.occupied_as_empty == pytest.approx(2 / 8)
    assert result.empty_as_empty == pytest.approx(3 / 4)
    assert result.statuses == {
        "occupied": {"detected": 6, "empty": 2},
        "empty": {"empty": 3, "low_confidence": 1},
    }
    assert result.coco["all"]["AR"] == pytest.approx(0.75)
    assert sum(one.missed * one.specimens for name, one in result.sizes.items() if name != "all") == pytest.approx(2)
    assert sum(one.specimens for name, one in result.sizes.items() if name != "all") == 8


def test_nothing_found_has_no_figures(corpus) -> None:
    images, truth = corpus
    result = evaluate.measure(images, truth, Oracle(truth, hide=8), "all")
    assert result.coco == {}
    assert "images            8 occupied, 4 empty (all)" in report.as_text(asdict(result))


TRIAGES = ("valid", "valid", "blurred", "fragment", "unsorted", "empty")


@pytest.fixture
def triage(corpus, tmp_path: Path) -> Path:
    """A triage of the corpus: two specimens are disputed, and one of the four empty wells."""
    _, truth = corpus
    full = [image.file_name for image in truth if image.box is not None]
    bare = [image.file_name for image in truth if image.box is None]
    lines = [f"{name},specimen,{kind}" for name, kind in zip(full, TRIAGES, strict=False)]
    lines += [f"{name},empty,{kind}" for name, kind in zip(bare, ("empty", "empty", "empty", "fragment"), strict=True)]
    (tmp_path / "triage.csv").write_text("\n".join(["image_file,annotation,second_triage", *lines]) + "\n")
    return tmp_path / "triage.csv"


def sorted_truth(corpus, triage: Path) -> list[dataset.Annotated]:
    """The annotated images of the corpus with their triage."""
    images, _ = corpus
    return dataset.read_annotations(images.parent / "annotations.coco.json", triage=triage)


def test_agreed_labels_count_and_disputed_ones_stand_apart(corpus, triage: Path) -> None:
    images, _ = corpus
    truth = sorted_truth(corpus, triage)
    result, found = evaluate.run(images, truth, Oracle(truth, hide=6), "all")
    # The first six specimens are hidden; two of them are disputed, and so is one of the empty wells.
    assert (result.occupied, result.empty, len(found)) == (6, 3, 9)
    assert result.occupied_as_empty == pytest.approx(4 / 6)
    assert result.coco["all"]["specimens"] == 6
    assert result.sizes["all"].specimens == 6
    assert result.intervals["all"]["AR"].value == pytest.approx(result.coco["all"]["AR"])
    assert result.intervals["all"]["AP75"].value == pytest.approx(result.coco["all"]["AP75"])
    groups = {name: (one.agreed, one.occupied, one.empty) for name, one in result.groups.items()}
    assert groups == {
        "agreed": (True, 6, 3),
        "disputed": (False, 2, 1),
        "specimen, blurred": (True, 1, 0),
        "specimen, fragment": (True, 1, 0),
        "specimen, not sorted again": (True, 2, 0),
        "specimen, valid": (True, 2, 0),
        "empty, empty": (True, 0, 3),
        "specimen, empty": (False, 1, 0),
        "specimen, unsorted": (False, 1, 0),
        "empty, fragment": (False, 0, 1),
    }
    assert result.groups["disputed"].figures["occupied_as_empty"].value == 1
    assert result.groups["specimen, not sorted again"].figures["AR"].value == 1
    assert result.groups["empty, empty"].figures.keys() == {"empty_as_empty", "empty_as_empty_or_sent", "sent"}
    kept = [image for image in truth if image.agreed]
    alone = evaluate.measure(images, kept, Oracle(kept, hide=4), "all")
    assert alone.coco == result.coco
    assert alone.groups["agreed"] == result.groups["agreed"]


def test_the_command(corpus, triage: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    images, _ = corpus
    pytest.importorskip("matplotlib")
    names = ["r.json", "c.csv", "c.png"]
    output, curve, plot = (str(tmp_path / name) for name in names)
    arguments = [str(images), str(images.parent / "annotations.coco.json"), "--part", "all", "--triage", str(triage)]
    files = ["--output", output, "--curve", curve, "--plot", plot, "--markdown"]
    monkeypatch.setattr("sys.argv", ["evaluate", *arguments, *files])
    evaluate.main()
    printed = capsys.readouterr().out.strip()
    result = json.loads(Path(output).read_text())
    assert printed == report.as_markdown(result)
    assert {"agreed", "disputed"} <= result["groups"].keys()
    for name in names:
        assert (tmp_path / name).stat().st_size
