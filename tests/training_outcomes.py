"""Random annotated pictures and detections of them."""

import numpy as np

from bioscan_etl.images.detection import Detection
from bioscan_etl.training.dataset import Annotated
from bioscan_etl.training.outcomes import Outcomes, outcomes_of


def drawn_pictures(seed: int, pictures: int, rounded: bool = False) -> tuple[list[Annotated], list[Detection]]:
    """Pictures of 200 x 100 px, a third of them empty, with detections near the specimen or anywhere.

    Rounded confidences are often equal.
    """
    rng = np.random.default_rng(seed)
    annotated, detections = [], []
    for number in range(pictures):
        x0, y0 = rng.uniform(0, 150), rng.uniform(0, 60)
        box = x0, y0, x0 + rng.uniform(5, 50), y0 + rng.uniform(5, 40)
        annotated.append(Annotated(number, f"{number}.jpg", (200, 100), (), box if rng.random() < 0.67 else None))
        near = tuple(float(edge + rng.normal(0, 2.0)) for edge in box)
        presence = float(rng.random())
        confidence = round(presence * 5) / 5 if rounded else float(rng.random())
        status = str(rng.choice(["detected", "low_confidence", "empty"], p=[0.6, 0.2, 0.2]))
        if status == "empty":
            detections.append(Detection(None, confidence, 0, status, presence=presence))
        else:
            detections.append(Detection(near, confidence, 1, status, presence=presence))  # type: ignore[arg-type]
    return annotated, detections


def drawn_outcomes(seed: int, pictures: int) -> Outcomes:
    """Outcomes of such pictures."""
    return outcomes_of(*drawn_pictures(seed, pictures))
