"""The figures over the outcomes of a detector: as pycocotools takes them, and weighted as resampled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_outcomes import drawn_outcomes, drawn_pictures

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")

from bioscan_etl.images.detection import Detection
from bioscan_etl.training import outcomes
from bioscan_etl.training.coco_figures import coco_figures
from bioscan_etl.training.dataset import Annotated


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans())
def test_precision_and_recall_are_those_of_pycocotools(seed: int, pictures: int, rounded: bool) -> None:
    annotated, detections = drawn_pictures(seed, pictures, rounded=rounded)
    wanted = coco_figures(annotated, detections)
    found = outcomes.outcomes_of(annotated, detections)
    for size, figures in wanted.items():
        got = [outcomes.average_precision(found, outcomes.once(found), iou, size)[0] for iou in outcomes.IOUS]
        assert got[5] == pytest.approx(figures["AP75"], abs=1e-12)
        assert got[0] == pytest.approx(figures["AP50"], abs=1e-12)
        assert np.mean(got) == pytest.approx(figures["AP"], abs=1e-12)
        assert outcomes.average_recall(found, outcomes.once(found), size)[0] == pytest.approx(figures["AR"], abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 25), st.lists(st.integers(0, 3), min_size=25, max_size=25))
def test_a_weight_is_a_number_of_copies(seed: int, pictures: int, counts: list[int]) -> None:
    found = drawn_outcomes(seed, pictures)
    counts = counts[:pictures]
    copied = found.only(np.repeat(np.arange(pictures), counts))
    for figure in (*outcomes.FIGURES.values(), outcomes.sent_to_a_person):
        weighted = figure(found, np.array([counts], float))
        np.testing.assert_allclose(weighted, figure(copied, outcomes.once(copied)), atol=1e-12)


def test_shares_count_statuses() -> None:
    annotated = [Annotated(n, f"{n}.jpg", (100, 80), (), (1, 1, 9, 9) if n < 4 else None) for n in range(6)]
    statuses = ["detected", "empty", "low_confidence", "multiple", "empty", "low_confidence"]
    found = outcomes.outcomes_of(
        annotated, [Detection(None if s == "empty" else (1, 1, 9, 9), 0.5, 1, s, presence=0.5) for s in statuses]
    )
    once = outcomes.once(found)
    assert outcomes.occupied_lost(found, once) == [0.25]
    assert outcomes.empty_found(found, once) == [0.5]
    assert outcomes.sent_to_a_person(found, once) == [2 / 6]
    assert outcomes.average_recall(found, once) == [0.75]
    assert np.isnan(outcomes.empty_found(found, np.array([[1, 1, 1, 1, 0, 0.0]]))).all()
    assert np.isnan(outcomes.average_precision(found, np.array([[0, 0, 0, 0, 1, 1.0]]))).all()


def test_one_detection_a_picture() -> None:
    annotated, detections = drawn_pictures(1, 5)
    with pytest.raises(ValueError, match="shorter"):
        outcomes.outcomes_of(annotated, detections[:4])
