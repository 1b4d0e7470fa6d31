"""COCO's figures by pycocotools, by size of the specimen."""

from dataclasses import replace
from pathlib import Path

import pytest
from training_corpus import annotated_corpus

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")

from bioscan_etl.images.detection import Detection
from bioscan_etl.training.coco_figures import coco_figures
from bioscan_etl.training.dataset import read_annotations


def test_a_size_is_a_share_of_its_own_image(tmp_path: Path) -> None:
    truth = read_annotations(annotated_corpus(tmp_path)[1])
    # One image of three is given at half the length: its specimen has a quarter of the area, and the same share.
    mixed = [
        replace(
            one,
            size=tuple(length // 2 for length in one.size),
            box=one.box and tuple(edge / 2 for edge in one.box),
        )
        if number % 3 == 1
        else one
        for number, one in enumerate(truth)
    ]
    assert any(one.box for number, one in enumerate(mixed) if number % 3 == 1)
    perfect = [
        [Detection(one.box, 0.9, 1, "detected" if one.box else "empty") for one in part] for part in (truth, mixed)
    ]
    figures = [coco_figures(part, found) for part, found in zip((truth, mixed), perfect, strict=True)]
    assert {name: one["specimens"] for name, one in figures[0].items()} == {
        name: one["specimens"] for name, one in figures[1].items()
    }
    assert all(one["AP75"] == pytest.approx(1) for one in figures[1].values())


def test_without_a_box_or_a_specimen_there_are_no_figures(tmp_path: Path) -> None:
    truth = read_annotations(annotated_corpus(tmp_path)[1])
    nothing = Detection(None, 0.1, 0, "empty")
    assert coco_figures(truth, [nothing] * len(truth)) == {}
    bare = [image for image in truth if image.box is None]
    assert coco_figures(bare, [Detection((1, 2, 3, 4), 0.9, 1, "detected")] * len(bare)) == {}
