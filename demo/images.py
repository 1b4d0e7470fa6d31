"""Rendered specimen images whose true boxes are known from the rendering.

Belongs here: laying specimens into wells, the faults of a photograph, and the bytes of a file. Does not
belong here: which specimen gets which image (`bioscan_etl.demo.image_plan`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from bioscan_etl.demo.insects import VISIBLE, Look, Patch, draw_insect, draw_leg
from bioscan_etl.demo.looks import one_of
from bioscan_etl.demo.wells import HEIGHT, WIDTH, Grain, Image, add_dirt, draw_well

JPEG_QUALITY = 75
MARGIN = 24
"""Pixels that stay free between a whole specimen and the image's border, at least."""

_CUT_SHARE = 0.2
"""Share of a cut-off specimen's height that is beyond the picture."""


@dataclass(frozen=True, slots=True)
class _Pose:
    """Size and position of specimens.

    Attributes:
        lengths: shortest, median and longest body, px.
        spread: deviation of the logarithm of the length.
        margin: px that stay free on each side.
        scatter: deviation of the place from the middle, px, in x and y.
        smallest: share of the image that the box takes, at least.
    """

    lengths: tuple[float, float, float]
    spread: float
    margin: int
    scatter: tuple[float, float]
    smallest: float


# A sound picture has what an imaging station aims at: the specimen fills the middle of the well. A small, pale one
# off the middle is as real, but no baseline is sure of it, so such pictures are a kind of their own (`hard`).
_SOUND = _Pose((172.0, 215.0, 320.0), 0.25, 72, (55.0, 45.0), 0.02)
_HARD = _Pose((62.0, 74.0, 90.0), 0.15, MARGIN, (130.0, 110.0), 0.004)
_MIDDLING = _Pose((160.0, 185.0, 215.0), 0.42, MARGIN, (55.0, 45.0), 0.02)
_PAIR = _Pose((200.0, 220.0, 245.0), 0.2, MARGIN, (20.0, 35.0), 0.02)
_LARGE = _Pose((230.0, 260.0, 300.0), 0.15, MARGIN, (55.0, 45.0), 0.02)
_LEG = _Pose((35.0, 36.0, 37.0), 0.0, MARGIN, (35.0, 30.0), 0.0)
_POSES = {"": _SOUND, "hard": _HARD, "two_specimens": _PAIR, "cut_off": _LARGE, "dark": _LARGE, "fragment": _LEG}
_PAIRED = ((96, WIDTH // 2), (WIDTH // 2, WIDTH - 96))
"""Columns of the two specimens of a pair, px."""
_EXIF_ORIENTATION = 0x0112
_ROTATED_CLOCKWISE = 6


@dataclass(frozen=True, slots=True)
class Rendering:
    """An image before it becomes a file.

    Attributes:
        pixels: (768, 1024, 3) BGR.
        box: (x0, y0, x1, y1) of the main specimen, whole px, x1 and y1 exclusive; None in an empty well.
        area: px that the main specimen covers.
        specimens: how many whole or cut-off specimens are seen.
    """

    pixels: Image
    box: tuple[int, int, int, int] | None
    area: int
    specimens: int


class Studio:
    """Wells and grain that a series of images shares; `render` is safe to call from several threads."""

    def __init__(self, seed: int, wells: int) -> None:
        """Draw `wells` wells from `seed`."""
        rng = np.random.default_rng([seed, 11])
        self._wells = [draw_well(rng) for _ in range(wells)]
        self._grain = Grain(rng)

    def render(self, rng: np.random.Generator, fault: str = "", look: Look | None = None) -> Rendering:
        """Take a picture.

        Args:
            rng: the random generator, one per image.
            fault: `empty_well`, `two_specimens`, `cut_off`, `fragment`, `blurred`, `dark` or `hard`; a good
                picture of one specimen without it.
            look: that of the specimen's species; any insect without it.
        """
        canvas = self._wells[int(rng.integers(len(self._wells)))]
        if rng.random() < 0.5:
            canvas = canvas[:, ::-1]
        canvas = _scaled(canvas, float(rng.uniform(0.95, 1.03)))
        add_dirt(rng, canvas)
        visible = np.zeros((HEIGHT, WIDTH), np.bool_)
        specimens = {"empty_well": 0, "two_specimens": 2}.get(fault, 1)
        pose = _POSES.get(fault, _MIDDLING)
        if fault == "two_specimens":
            for half in (0, 1):
                seen = _lay(rng, canvas, _insect(rng, fault, pose, look), _PAIRED[half], pose, cut_off=False)
                visible = visible if half else seen
        elif fault != "empty_well":
            visible = _lay(rng, canvas, _insect(rng, fault, pose, look), (0, WIDTH), pose, cut_off=fault == "cut_off")
        if fault == "blurred":
            canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 9), dtype=np.uint8)
        elif fault == "dark":
            canvas = _scaled(canvas, 0.27)
        if fault != "blurred":
            canvas = self._grain.add(rng, canvas)
        return Rendering(canvas, _box(visible), int(visible.sum()), specimens)


def _scaled(pixels: Image, contrast: float, brightness: float = 0.0) -> Image:
    scaled = cv2.convertScaleAbs(np.ascontiguousarray(pixels), alpha=contrast, beta=brightness)
    return np.asarray(scaled, dtype=np.uint8)


def _insect(rng: np.random.Generator, fault: str, pose: _Pose, look: Look | None) -> tuple[Patch, Patch]:
    """A specimen of a size that suits the picture."""
    image = WIDTH * HEIGHT
    if fault == "fragment":
        return draw_leg(rng, rng.uniform(pose.lengths[0], pose.lengths[-1]))
    shades = {"": "any", "hard": "pale", "two_specimens": "black", "dark": "black"}.get(fault, "dark")
    look = None if look is None else one_of(rng, look)
    low, median, high = pose.lengths
    room = _PAIRED[0][1] - _PAIRED[0][0] if fault == "two_specimens" else WIDTH
    while True:
        length = float(np.exp(rng.normal(np.log(median), pose.spread)))
        if not low <= length <= high:
            continue
        colour, opacity = draw_insect(rng, length, shades=shades, look=look)
        height, width = opacity.shape
        fits = width <= room - 2 * pose.margin and height <= HEIGHT - 2 * pose.margin
        if fits and width * height >= pose.smallest * image:
            return colour, opacity


def _lay(
    rng: np.random.Generator,
    canvas: Image,
    insect: tuple[Patch, Patch],
    columns: tuple[int, int],
    pose: _Pose,
    *,
    cut_off: bool,
) -> npt.NDArray[np.bool_]:
    """Blend a specimen into the canvas, in place, with its soft shadow; gives the pixels it covers."""
    colour, opacity = insect
    height, width = opacity.shape
    low, high = columns[0] + pose.margin, columns[1] - pose.margin - width
    x = int(np.clip(rng.normal((columns[0] + columns[1] - width) / 2, pose.scatter[0]), low, high))
    y = int(np.clip(rng.normal((HEIGHT - height) / 2, pose.scatter[1]), pose.margin, HEIGHT - pose.margin - height))
    if cut_off:
        # Above or below: the picture is wider than the well, so nothing is beyond its sides.
        beyond = round(_CUT_SHARE * height)
        y = -beyond if rng.random() < 0.5 else HEIGHT - height + beyond
    pad = 24
    wide = cv2.copyMakeBorder(opacity, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    shadow = cv2.GaussianBlur(cv2.resize(wide, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), (0, 0), 5)
    shadow = cv2.resize(shadow, (wide.shape[1], wide.shape[0]), interpolation=cv2.INTER_LINEAR)
    ink = cv2.copyMakeBorder(colour, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    top, left = max(0, y - pad), max(0, x - pad)
    bottom, right = min(HEIGHT, y + height + pad), min(WIDTH, x + width + pad)
    part = (slice(top - y + pad, bottom - y + pad), slice(left - x + pad, right - x + pad))
    under = canvas[top:bottom, left:right].astype(np.float32) * (1 - 0.16 * shadow[part][..., None])
    cover = wide[part][..., None]
    canvas[top:bottom, left:right] = np.clip(under * (1 - cover) + ink[part] * cover, 0, 255).astype(np.uint8)
    visible = np.zeros((HEIGHT, WIDTH), np.bool_)
    visible[top:bottom, left:right] = wide[part] > VISIBLE
    return visible


def _box(visible: npt.NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """The tight box of a mask, x1 and y1 exclusive; None if nothing is visible."""
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def as_jpeg(pixels: Image, quality: int = JPEG_QUALITY) -> bytes:
    """A 4:2:0 JPEG file of BGR pixels, as BOLD delivers them."""
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def as_png(pixels: Image) -> bytes:
    """A PNG file of BGR pixels."""
    return bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def as_turned_jpeg(pixels: Image) -> bytes:
    """A JPEG stored lying on its side, with the EXIF orientation that sets it upright again."""
    lying = np.ascontiguousarray(np.rot90(pixels)[..., ::-1])
    exif = PillowImage.Exif()
    exif[_EXIF_ORIENTATION] = _ROTATED_CLOCKWISE
    stream = io.BytesIO()
    PillowImage.fromarray(lying).save(stream, "JPEG", quality=JPEG_QUALITY, exif=exif)
    return stream.getvalue()


def nearly_same(pixels: Image) -> Image:
    """The same picture taken again: a little brighter, shifted by a pixel."""
    return np.roll(_scaled(pixels, 1.0, 2.0), 1, axis=1)
