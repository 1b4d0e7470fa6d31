"""The four mirrorings of an image."""

import numpy as np
import pytest
from training_corpus import annotated_corpus

from bioscan_etl.images.detection import Detection
from bioscan_etl.training import views
from bioscan_etl.training.dataset import read_annotations


def test_mirrored_boxes_follow_their_pixels():
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:20, 30:35] = 255
    for mirroring in range(views.VIEWS):
        seen, box = views.mirrored(pixels, (30.0, 10.0, 35.0, 20.0), mirroring)
        x0, y0, x1, y1 = (int(value) for value in box)
        assert (seen[y0:y1, x0:x1] == 255).all()
        assert int((seen == 255).sum()) == 150
    assert views.mirrored(pixels, None, 3)[1] is None


class Dark:
    """Boxes the dark pixels of a drawn well."""

    name = "dark"

    def detect(self, pixels: np.ndarray) -> Detection:
        inner = slice(100, -100)
        rows, columns = np.nonzero(pixels[inner, inner].mean(axis=2) < 100)
        if not rows.size:
            return Detection(None, 0.0, 0, "empty")
        box = columns.min() + 100, rows.min() + 100, columns.max() + 101, rows.max() + 101
        return Detection(tuple(map(float, box)), 0.9, 1, "detected", np.ones((4, 4)))


def test_a_detector_that_does_not_care_is_as_good_in_all_views(tmp_path):
    images, annotations = annotated_corpus(tmp_path, 6)
    truth = read_annotations(annotations)
    found = views.detect_views(images, truth, Dark())
    assert [len(each) for each in found] == [views.VIEWS] * 6
    assert all(each.mask is None for one in found for each in one)
    outcomes = views.outcomes_of_views(truth, found)
    assert outcomes.image.tolist() == np.repeat(np.arange(6), 4).tolist()
    assert outcomes.occupied.tolist() == np.repeat([image.box is not None for image in truth], 4).tolist()
    by_image = outcomes.iou.reshape(6, 4)
    assert by_image[outcomes.occupied.reshape(6, 4)].min() > 0.5
    assert by_image == pytest.approx(np.repeat(by_image[:, :1], 4, axis=1), abs=0.02)
