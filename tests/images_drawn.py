"""Drawn wells and insects for the tests of the image stage."""

import cv2
import numpy as np


def well(width: int = 1024, height: int = 768) -> np.ndarray:
    """An empty well: grey ground, a bright ring, a little noise."""
    image = np.full((height, width, 3), (205, 210, 212), np.uint8)
    cv2.circle(image, (width // 2, height // 2), height // 2 - 10, (235, 238, 240), 6, cv2.LINE_AA)
    cv2.circle(image, (width // 2, height // 2), height // 7, (225, 228, 230), 9, cv2.LINE_AA)
    noise = np.random.default_rng(0).integers(-3, 4, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def insect(image: np.ndarray, centre: tuple[int, int], length: int) -> tuple[int, int, int, int]:
    """Draw a body with a head and wings; returns the box of what is drawn."""
    drawn = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(drawn, centre, (length // 2, length // 5), 20, 0, 360, 1, -1)
    cv2.circle(drawn, (centre[0] + length // 2, centre[1] + length // 5), length // 6, 1, -1)
    image[drawn > 0] = (70, 50, 35)
    ys, xs = np.nonzero(drawn)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def iou(one, other) -> float:
    wide, high = (max(0, min(one[a + 2], other[a + 2]) - max(one[a], other[a])) for a in (0, 1))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * high / (areas - wide * high)
