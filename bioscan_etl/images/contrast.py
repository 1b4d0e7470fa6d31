"""How a found specimen stands out from the well: dark, sharp, coloured, textured, and where it lies.

Belongs here: the features that tell an insect from a blur at the wall of the well, a scrap or a reflection. Does not
belong here: what is made of them (`calibration`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.images.decode import RGB
from bioscan_etl.images.measure import FloatBox

CONTRAST = ("contrast", "darkest", "sharpness", "tint", "texture", "eccentricity")
"""Names of the features."""

_USUAL_LIGHT = 200.0  # of the well, if nothing of it is seen
_OUTLINE = np.ones((5, 5), np.uint8)
_FLOOR = 0.05  # of the sharpness, before its logarithm

_Floats = npt.NDArray[np.float32]


def contrast(window: RGB, mask: _Floats, box: FloatBox, width: int, height: int) -> dict[str, float]:
    """The features of one candidate, each of the order of 1.

    Lightness and colour are those of CIE L*a*b* in 8 bits, as OpenCV gives them.

    Args:
        window: (side, side, 3), RGB, uint8; black beyond the image's edge.
        mask: (side / 2, side / 2), probability that a cell shows the organism.
        box: of the candidate, in pixels of the image.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Returns:
        `contrast` and `darkest`: by how many 50 levels of lightness the organism, and its darkest tenth, are darker
        than the well in the window. `sharpness`: logarithm of the gradient of the lightness at the outline. `tint`: by
        how many 10 levels its colour differs. `texture`: deviation of its lightness. `eccentricity`: distance from the
        middle of the image, as a share of its width.
    """
    shown = np.repeat(np.repeat(mask >= 0.5, 2, axis=0), 2, axis=1)
    seen = window.any(axis=2)
    ground = seen & ~shown
    colours = cv2.cvtColor(window, cv2.COLOR_RGB2LAB)
    light = colours[..., 0].astype(np.float32)
    x = (box[0] + box[2]) / 2 / width - 0.5
    y = ((box[1] + box[3]) / 2 / height - 0.5) * height / width
    found = dict.fromkeys(CONTRAST, 0.0) | {"eccentricity": math.hypot(x, y), "sharpness": math.log(_FLOOR)}
    if not shown.any():
        return found
    lightness = float(np.median(light[ground])) if ground.any() else _USUAL_LIGHT
    organism = light[shown]
    found["contrast"] = (lightness - float(organism.mean())) / 50
    found["darkest"] = (lightness - float(np.percentile(organism, 10))) / 50
    found["texture"] = float(organism.std()) / 30
    if ground.any():
        apart = [float(np.median(plane[shown])) - float(np.median(plane[ground])) for plane in cv2.split(colours)[1:]]
        found["tint"] = math.hypot(*apart) / 10
    drawn = shown.astype(np.uint8)
    outline = (cv2.dilate(drawn, _OUTLINE) > cv2.erode(drawn, _OUTLINE)) & seen
    if outline.any():
        gradient = cv2.magnitude(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
        found["sharpness"] = math.log(float(np.percentile(gradient[outline], 80)) / 100 + _FLOOR)
    return found
