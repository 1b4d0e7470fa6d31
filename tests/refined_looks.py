"""Candidates of the trained detector, made up for tests."""

import numpy as np

from bioscan_etl.images.refined import Refined
from bioscan_etl.images.window import Window


def a_look(**given) -> Refined:
    mask = np.zeros((48, 48), np.float32)
    mask[12:36, 18:30] = 0.9
    values = {
        "box": (30.0, 20.0, 50.0, 60.0),
        "rough": (28.0, 18.0, 52.0, 62.0),
        "window": Window(0, 0, 80),
        "mask": mask,
        "coarse": 0.5,
        "present": 0.5,
        "iou": 0.5,
        "spread": 0.1,
        "doubt": 0.2,
        "share": 0.1,
    }
    return Refined(**(values | given))
