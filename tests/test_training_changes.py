"""Which images became worse or better, and the order in which they are listed."""

import json

from bioscan_etl.images.detection import Detection
from bioscan_etl.training.changes import changes, listed
from bioscan_etl.training.dataset import Annotated

BOX = (10.0, 10.0, 110.0, 110.0)
RIGHT = Detection((10, 10, 110, 100), 0.9, 1, "detected")  # IoU 0.9
WRONG = Detection((10, 10, 110, 60), 0.9, 1, "low_confidence")  # IoU 0.5
NARROW = Detection((10, 10, 110, 20), 0.9, 1, "low_confidence")  # IoU 0.1
EMPTY = Detection(None, 0.1, 0, "empty")


def image(name, box=BOX):
    return Annotated(0, name, (200, 200), (), box)


def told(rows):
    """Names and words of those that became worse, and better; rows of (name, box, before, after)."""
    truth = [image(name, box) for name, box, *_ in rows]
    worse, better = changes(truth, [row[2] for row in rows], [row[3] for row in rows])
    assert all(change.worse for change in worse)
    assert not any(change.worse for change in better)
    return [[(change.image.file_name, change.what) for change in found] for found in (worse, better)]


def test_what_is_the_same_is_no_change():
    assert told([("a", BOX, RIGHT, RIGHT), ("b", BOX, WRONG, NARROW), ("c", None, EMPTY, EMPTY)]) == [[], []]
    assert told([("a", BOX, EMPTY, EMPTY), ("b", None, WRONG, RIGHT)]) == [[], []]


def test_worse_images_in_their_order_the_worst_mistakes_first():
    worse, better = told(
        [
            ("a", None, EMPTY, WRONG),
            ("b", BOX, RIGHT, WRONG),
            ("c", BOX, RIGHT, NARROW),
            ("d", BOX, WRONG, EMPTY),
            ("e", BOX, RIGHT, EMPTY),
            ("f", BOX, RIGHT, WRONG),
        ]
    )
    assert worse == [
        ("e", "right box before, reported empty now"),
        ("d", "found before, reported empty now"),
        ("c", "right box before, wrong box now"),
        ("b", "right box before, wrong box now"),
        ("f", "right box before, wrong box now"),
        ("a", "empty before, not reported empty now"),
    ]
    assert better == []


def test_better_images():
    worse, better = told(
        [
            ("a", None, RIGHT, EMPTY),
            ("b", BOX, WRONG, RIGHT),
            ("c", BOX, EMPTY, NARROW),
            ("d", BOX, EMPTY, RIGHT),
        ]
    )
    assert worse == []
    assert better == [
        ("d", "reported empty before, right box now"),
        ("c", "reported empty before, found now"),
        ("b", "wrong box before, right box now"),
        ("a", "not reported empty before, empty now"),
    ]


def test_a_list_for_json():
    worse, _ = changes([image("a"), image("b", None)], [RIGHT, EMPTY], [WRONG, WRONG])
    assert json.loads(json.dumps(listed(worse))) == [
        {
            "file_name": "a",
            "what": "right box before, wrong box now",
            "current": {"status": "detected", "iou": 0.9},
            "tuned": {"status": "low_confidence", "iou": 0.5},
        },
        {
            "file_name": "b",
            "what": "empty before, not reported empty now",
            "current": {"status": "empty", "iou": None},
            "tuned": {"status": "low_confidence", "iou": None},
        },
    ]
