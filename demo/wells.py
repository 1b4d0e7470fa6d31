"""Backgrounds of specimen images: microplate wells seen from above, lit by a ring lamp.

Belongs here: floor, rings, wall, reflections, grain, hairs and dirt. Does not belong here: the specimen
(`bioscan_etl.demo.insects`).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 1024, 768

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

# Tints (BGR) that the wells of one imaging station have: grey, bluish, warm white.
_TINTS = ((214, 213, 208), (226, 219, 208), (224, 214, 200), (222, 228, 228), (208, 206, 206), (232, 232, 230))
_GRAIN_TILE = 1536
_GRAIN_MIDDLE = 16
_STEPS = 2048


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> Plane:
    """Noise of unit spread with features of 1/cells of the image, as a float32 plane."""
    coarse = rng.standard_normal((cells[0] + 1, cells[1] + 1)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _around(rng: np.random.Generator, turn: npt.NDArray[np.int32], waves: int) -> Plane:
    """A smooth function of the angle, between 0 and 1; `turn` is the angle in steps of 1/_STEPS of a circle."""
    numbers = np.arange(1, waves + 1)
    phases = rng.uniform(0, 2 * np.pi, waves)
    angles = np.linspace(0, 2 * np.pi, _STEPS, endpoint=False)
    table = (np.cos(numbers[:, None] * angles + phases[:, None]) / numbers[:, None] ** 0.7).sum(axis=0)
    table = (table - table.min()) / (table.max() - table.min())
    around: Plane = table.astype(np.float32)[turn]
    return around


def draw_well(rng: np.random.Generator) -> Image:
    """An empty, clean well, 1024x768 BGR; tens of ms, so a series of images shares some wells."""
    shape = (HEIGHT, WIDTH)
    centre = (WIDTH / 2 + rng.normal(0, 14), HEIGHT / 2 + rng.normal(0, 12))
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    dx, dy = xs - np.float32(centre[0]), ys - np.float32(centre[1])
    wobble = 1 + 0.004 * _smooth_noise(rng, shape, (3, 4))
    radius = np.hypot(dx, dy) * wobble
    turn = (np.arctan2(dy, dx) * np.float32(_STEPS / (2 * np.pi))).astype(np.int32) % _STEPS
    wall = np.float32(rng.uniform(425, 520))
    tint = np.array(_TINTS[rng.integers(len(_TINTS))], np.float32) * np.float32(rng.uniform(0.88, 1.0))

    light = 6 * _smooth_noise(rng, shape, (4, 5)) - 9 * (radius / wall) ** 2
    # The lamp's ring is mirrored by the floor a few times; the innermost mirror image is the sharpest.
    inner = np.float32(rng.uniform(85, 125))
    flakes = _around(rng, turn, 24) ** 3 * (1 + 0.5 * _smooth_noise(rng, shape, (60, 80)))
    light += rng.uniform(14, 34) * (0.35 + flakes) * np.exp(-(((radius - inner) / rng.uniform(13, 22)) ** 2))
    for at in (rng.uniform(1.5, 1.9), rng.uniform(2.3, 2.9), rng.uniform(3.2, 3.8)):
        ring = np.exp(-(((radius - inner * np.float32(at)) / rng.uniform(10, 26)) ** 2))
        light += rng.uniform(-7, 13) * (0.4 + _around(rng, turn, 5)) * ring
    light -= rng.uniform(4, 12) * np.exp(-((radius / (inner * 0.75)) ** 4))
    streaks = _around(rng, turn, 40) * np.exp(-(((radius - wall * 0.8) / 60) ** 2))
    light += rng.uniform(2, 8) * streaks

    canvas = tint + light[..., None]
    outside = np.clip((radius - wall) / 10, 0, 1)[..., None]
    cast = np.array((238, 228, 232), np.float32)
    blotches = 16 * _smooth_noise(rng, shape, (5, 7)) + 6 * np.sin(radius / 17 + 2 * _smooth_noise(rng, shape, (3, 4)))
    canvas = canvas * (1 - outside) + (cast + blotches[..., None]) * outside
    edge = np.zeros(shape, np.float32)
    for offset, width, strength in (
        (0, 2.4, -105),
        (7, 3.2, 80),
        (14, 2.0, -70),
        (21, 1.6, 40),
        (46, 9, 30),
        (90, 14, -22),
    ):
        arc = _around(rng, turn, 9) ** 1.5
        edge += strength * arc * np.exp(-(((radius - wall - offset) / width) ** 2))
    canvas += edge[..., None]
    well: Image = np.clip(canvas, 0, 255).astype(np.uint8)
    return well


def add_dirt(rng: np.random.Generator, canvas: Image) -> None:
    """Draw specks, bubbles and the odd hair or scratch onto a well, in place; none is as large as a specimen."""
    for _ in range(int(rng.integers(2, 14))):
        x, y = int(rng.uniform(120, WIDTH - 120)), int(rng.uniform(60, HEIGHT - 60))
        angle, length = rng.uniform(0, np.pi), rng.uniform(0.5, 5)
        end = (int(16 * (x + length * np.cos(angle))), int(16 * (y + length * np.sin(angle))))
        shade = canvas[y, x].astype(np.int16) - int(rng.integers(25, 90))
        colour = tuple(int(value) for value in np.clip(shade, 30, 255))
        cv2.line(canvas, (16 * x, 16 * y), end, colour, 1, cv2.LINE_AA, 4)
    for _ in range(int(rng.integers(0, 20))):
        x, y = int(rng.uniform(150, WIDTH - 150)), int(rng.uniform(80, HEIGHT - 80))
        colour = tuple(int(value) for value in np.clip(canvas[y, x].astype(np.int16) + 22, 0, 255))
        cv2.circle(canvas, (16 * x, 16 * y), int(rng.uniform(12, 40)), colour, 1, cv2.LINE_AA, 4)
    for _ in range(int(rng.integers(0, 3))):
        start = rng.uniform((150, 100), (WIDTH - 150, HEIGHT - 100))
        turn = np.cumsum(rng.normal(0, 0.14, 24)) + rng.uniform(0, 2 * np.pi)
        steps = np.stack([np.cos(turn), np.sin(turn)], axis=1) * rng.uniform(2, 8)
        points = np.round(16 * (start + np.cumsum(steps, axis=0))).astype(np.int32)
        level = int(rng.choice((-26, 20, 24)))
        base = canvas[int(start[1]), int(start[0])].astype(np.int16) + level
        colour = tuple(int(value) for value in np.clip(base, 0, 255))
        cv2.polylines(canvas, [points], False, colour, 1, cv2.LINE_AA, 4)


class Grain:
    """Sensor noise: one tile of noise, cut at another place for every image."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the tile."""
        tile = np.zeros((_GRAIN_TILE, _GRAIN_TILE, 3), np.float32)
        tile += rng.standard_normal((_GRAIN_TILE, _GRAIN_TILE, 1)).astype(np.float32) * np.float32(1.9)
        tile += rng.standard_normal((_GRAIN_TILE, _GRAIN_TILE, 3)).astype(np.float32) * np.float32(0.7)
        self._tile = np.clip(np.round(tile) + _GRAIN_MIDDLE, 0, 2 * _GRAIN_MIDDLE).astype(np.uint8)

    def add(self, rng: np.random.Generator, canvas: Image) -> Image:
        """The canvas with noise of about 2 grey levels."""
        height, width = canvas.shape[:2]
        y, x = (int(value) for value in rng.integers(0, (_GRAIN_TILE - height, _GRAIN_TILE - width)))
        tile = self._tile[y : y + height, x : x + width]
        # Both steps saturate, as a sensor does: the highlights lose their noise first.
        lifted = cv2.add(canvas, tile)
        return np.asarray(cv2.subtract(lifted, np.full_like(canvas, _GRAIN_MIDDLE)), dtype=np.uint8)
