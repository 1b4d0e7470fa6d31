"""How a found specimen stands out from the well: dark, sharp, coloured, textured, and where it lies.

Belongs here: the features that tell an insect from a blur at the wall of the well, a scrap or a reflection. Does not
belong here: what is made of them (`calibration`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.images.refined import Refined

CONTRAST = ("contrast", "darkest", "sharpness", "tint", "texture", "eccentricity", "dimness")
"""Names of the features."""

_BLUR = {"dimness": 0.6, "eccentricity": 0.38}  # at least
_BLUR_SHARPNESS, _BLUR_SIZE = -0.2, -5.8  # at most, and at least: logarithms
_USUAL_LIGHT = 200.0  # of the well, if nothing of it is seen
_OUTLINE = np.ones((5, 5), np.uint8)
_LEAST = 0.02  # probability of a cell that counts at least
_FLOOR = 0.05  # of the sharpness, before its logarithm


def contrast(look: Refined, window: RGB, width: int, height: int) -> dict[str, float]:
    """The features of one candidate, each of the order of 1.

    Lightness and colour are those of CIE L*a*b* in 8 bits, as OpenCV gives them.

    Args:
        look: the candidate.
        window: the window that its network saw, (side, side, 3), RGB, uint8; black beyond the image's edge.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Returns:
        `contrast` and `darkest`: by how many 50 levels of lightness the organism, and its darkest tenth, are darker
        than the well in the window. `sharpness`: logarithm of the gradient of the lightness at the outline. `tint`: by
        how many 10 levels its colour differs. `texture`: deviation of its lightness. `eccentricity`: distance from the
        middle of the image, as a share of its width. `dimness`: by how many 50 levels the middle of the box is darker
        than what is around the box; it needs no mask, of which a blur has none.
    """
    # Of a blur no cell is sure; then its likeliest cells count.
    level = max(min(0.5, float(look.mask.max()) / 2), _LEAST)
    shown = cv2.resize((look.mask >= level).astype(np.uint8), window.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    light, *colours = (np.asarray(plane, np.uint8) for plane in cv2.split(cv2.cvtColor(window, cv2.COLOR_RGB2LAB)))
    seen = np.asarray(cv2.max(cv2.max(*cv2.split(window)[:2]), window[..., 2]) > 0)
    drawn = shown > 0
    x = (look.box[0] + look.box[2]) / 2 / width - 0.5
    y = ((look.box[1] + look.box[3]) / 2 / height - 0.5) * height / width
    found = dict.fromkeys(CONTRAST, 0.0) | {"eccentricity": math.hypot(x, y), "sharpness": math.log(_FLOOR)}
    found["dimness"] = _dimness(light, seen, look.window.from_image(look.box))
    organism = light[drawn]
    if not organism.size:
        return found
    ground = seen & ~drawn
    lightness = _quantile(light[ground], 0.5) if ground.any() else _USUAL_LIGHT
    found["contrast"] = (lightness - float(organism.mean())) / 50
    found["darkest"] = (lightness - _quantile(organism, 0.1)) / 50
    found["texture"] = float(organism.std()) / 30
    if ground.any():
        apart = (_quantile(plane[drawn], 0.5) - _quantile(plane[ground], 0.5) for plane in colours)
        found["tint"] = math.hypot(*apart) / 10
    outline = (cv2.dilate(shown, _OUTLINE) > cv2.erode(shown, _OUTLINE)) & seen
    if outline.any():
        across, down = cv2.Sobel(light, cv2.CV_16S, 1, 0), cv2.Sobel(light, cv2.CV_16S, 0, 1)
        gradient = np.hypot(across[outline].astype(np.float32), down[outline].astype(np.float32))
        found["sharpness"] = math.log(_quantile(gradient.astype(np.uint16), 0.8) / 100 + _FLOOR)
    return found


def _quantile(values: npt.NDArray[np.unsignedinteger[Any]], share: float) -> float:
    """The value at a share of whole numbers in their order; a hundredth of the time of numpy's own."""
    below = np.bincount(values).cumsum()
    return float(below.searchsorted(share * (len(values) - 1), side="right"))


def blur_at_the_wall(features: Mapping[str, float]) -> bool:
    """Whether a candidate is a dark blur near the wall of the well, which a person needs to look at.

    The limits are from images of the training and calibration parts: outlined blurs that nobody sorted, and empty
    wells. Spec: specimen images, annotation.

    Args:
        features: of the candidate, with those of `CONTRAST` and its `size`.
    """
    far = all(features[name] >= least for name, least in _BLUR.items())
    return far and features["sharpness"] < _BLUR_SHARPNESS and features["size"] >= _BLUR_SIZE


def _dimness(light: RGB, seen: npt.NDArray[np.bool_], place: FloatBox) -> float:
    """By how many 50 levels the middle of a box is darker than its surroundings.

    Args:
        light: lightness of the window, (side, side).
        seen: where the window shows the image.
        place: of the box, in shares of the window's side.
    """
    side = len(light)
    x0, y0, x1, y1 = (min(max(round(edge * side), 0), side) for edge in place)
    inset_x, inset_y = (x1 - x0) // 5, (y1 - y0) // 5
    middle = light[y0 + inset_y : y1 - inset_y, x0 + inset_x : x1 - inset_x]
    around_x, around_y = max(4, (x1 - x0) // 3), max(4, (y1 - y0) // 3)
    around = np.zeros_like(seen)
    around[max(y0 - around_y, 0) : y1 + around_y, max(x0 - around_x, 0) : x1 + around_x] = True
    around[y0:y1, x0:x1] = False
    around &= seen
    if not middle.size or not around.any():
        return 0.0
    return (_quantile(light[around], 0.5) - float(middle.mean())) / 50
