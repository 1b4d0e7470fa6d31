"""Training images made on the fly: specimens cut out by their outlines and laid into other wells.

Belongs here: the material (photographs, cut-outs, empty wells, rendered insects) and how a scene is made of
it and looked at. Does not belong here: the networks (`train`, `refine`).

There are few annotated images, and each shows its specimen in one well only. So half of the scenes are composed. The
background is an empty well, or a well whose specimen was replaced by its surroundings. A specimen is laid into it at
another size, rotation and place, with the light of the well and a soft edge, with or without a shadow.

Dirt and lost legs stay where they are, without a label, and more of them are laid beside specimens: the most common
mistake of a detector on these images is a box that includes what is next to the specimen. Wings are cut off
specimens and laid out alone, because a well with only a wing is annotated as empty and there are few such wells. A
few scenes are drawn altogether, as in `bioscan_etl.demo`, so that drawn specimens are found as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bioscan_etl.extras import extras_named

with extras_named():
    import cv2

    from bioscan_etl.demo.insects import VISIBLE, draw_insect, draw_leg
    from bioscan_etl.demo.wells import HEIGHT, WIDTH, Grain, add_dirt, draw_well
    from bioscan_etl.training.dataset import Annotated, Image, read_annotations, read_pixels

Points = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Place = tuple[float, float]
Shares = tuple[float, float]
"""Shares of the scenes that are photographs: of any image, and of empty wells."""

_LARGEST_FILLED = 0.06  # share of the image up to which a specimen's place can be filled from its surroundings
_DEBRIS_CONTRAST = 28  # grey levels by which debris is darker than the well
_CLEAN = 0.01  # share of the image that is darker than the well, up to which it is as good as empty
_DEBRIS_AREA = 0.00004, 0.01  # share of the image
_DEBRIS_PER_IMAGE = 3
_DEBRIS_THICKNESS = 0.008  # half of it, as a share of the image's width
_DEBRIS_SHARP = 25  # gradient of the lightness at its outline; what is thick and blurred may be the wall of the well
_BODY = 60, 0.08  # grey levels by which a body is darker than the well, and share of the specimen that it takes
_SHEER = 26, 7  # grey levels and tint by which a wing differs from the well at most
_WING_AREA = 0.06, 300  # share of the specimen, and pixels of a scene of 1024 px, that a wing takes at least
_WING_FULL = 0.8  # share of its convex hull that it fills
_SMALLEST_LAID = 0.036  # longer side of a laid-out specimen as a share of the width; of the real ones, 99 % are larger
_DENSE = 0.01  # share of the picture within which an outline that crosses its edge has a point on this side
_LIMBED = 0.25  # share of the laid-out specimens that get further limbs
_LIMBED_SIDE = 0.1  # their longer side as a share of the width at least: whole insects are larger than the others
_LIMB_LENGTH = 0.25, 1.1  # of the specimen's longer side
_LIMB_WIDTH = 0.008, 0.035  # likewise, at its root
_LIMB_DARKER = 14  # grey levels by which a limb is darker than the well at least
_EDGE = 0.88  # opacity at the outline of a cut-out, which is a pixel wider, with a soft edge
_RENDERED_INSECTS = 160
_RENDERED_LEGS = 12
_RENDERED_WELLS = 24


PHOTOGRAPHED = 0.33, 0.09
"""Share of the scenes that are photographs of any image, and of empty wells on top of these."""

DRAWN = 0.06
"""Share of the scenes that are drawn; the others are composed."""


@dataclass(frozen=True, slots=True)
class Object:
    """A labelled specimen of a scene.

    Attributes:
        outline: all corners of its outlines, (n, 2), in pixels of the scene.
        mask: 1 on the specimen, (height, width) of the scene, uint8.
    """

    outline: Points
    mask: Image


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and the specimens in it; pixels are RGB, uint8."""

    pixels: Image
    objects: list[Object]
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class CutOut:
    """A specimen on its own: pixels, opacity (0 to 1), outline in its pixels, mean colour of its surroundings."""

    pixels: Image
    opacity: npt.NDArray[np.float32]
    outline: Points
    light: npt.NDArray[np.float32] | None


class Material:
    """Everything that scenes are made of, held in memory at one scale.

    Args:
        images: folder of the annotated images.
        annotated: those to use, at least one of them empty.
        width: of a scene in px; the height is three quarters of it.
        photographed: share of the scenes that are photographs, with a specimen and without one.
    """

    def __init__(
        self, images: Path, annotated: list[Annotated], width: int, photographed: Shares = PHOTOGRAPHED
    ) -> None:
        self.size = width, width * 3 // 4
        self.photos: list[Scene] = []
        self.dishes: list[Image] = []
        self.cut_outs: list[CutOut] = []
        self.debris: list[CutOut] = []
        self.photographed = photographed
        self.wings: list[CutOut] = []
        self.empty: list[int] = []
        for image in annotated:
            scene = _photo(images, image, self.size)
            if not scene.objects:
                self.empty.append(len(self.photos))
                # A few images that are annotated as empty show an insect all the same: no well for another one.
                if _darker(scene).mean() < _CLEAN:
                    self.dishes.append(scene.pixels)
            self.photos.append(scene)
            self.debris.extend(_debris(scene))
            for found in scene.objects:
                self.cut_outs.append(_cut_out(scene.pixels, found))
                self.wings.extend(_wings(scene.pixels, found))
                if found.mask.mean() < _LARGEST_FILLED:
                    self.dishes.append(_emptied(scene.pixels, found.mask))
        rng = np.random.default_rng(11)
        self.debris.extend(piece for cut in self.cut_outs if (piece := _strip(rng, cut)) is not None)
        scale = width / WIDTH
        self._grain = Grain(rng)
        self.wells = [_rendered_well(rng, self.size) for _ in range(_RENDERED_WELLS)]
        self.insects = [_rendered(rng, scale) for _ in range(_RENDERED_INSECTS)]
        self.legs = [_patch(draw_leg(rng, 36.0), scale) for _ in range(_RENDERED_LEGS)]

    def scene(self, rng: np.random.Generator) -> Scene:
        """A photograph, a composed or a drawn scene."""
        chance = rng.random()
        occupied, bare = self.photographed
        if chance < occupied:
            scene = self.photos[int(rng.integers(len(self.photos)))]
            return self._littered(rng, scene) if rng.random() < 0.3 else scene
        if chance < occupied + bare:
            scene = self.photos[self.empty[int(rng.integers(len(self.empty)))]]
            return self._littered(rng, scene) if rng.random() < 0.3 else scene
        return self.drawn(rng) if chance < occupied + bare + DRAWN else self.composed(rng)

    def composed(self, rng: np.random.Generator) -> Scene:
        """A well with another specimen in it; sometimes with two, or with none."""
        canvas = self.dishes[int(rng.integers(len(self.dishes)))].copy()
        if rng.random() < 0.5:
            canvas = np.ascontiguousarray(canvas[:, ::-1])
        chance = rng.random()
        objects: list[Object] = []
        if chance < 0.14 and rng.random() < 0.85:
            self._part(rng, canvas)
        elif chance >= 0.14 and self.wings and rng.random() < 0.12:
            self._wing(rng, canvas)
        for _ in range(0 if chance < 0.14 else 2 if chance < 0.18 else 1):
            cut = self.cut_outs[int(rng.integers(len(self.cut_outs)))]
            factor = float(np.exp(rng.normal(0, 0.3)))
            with_limbs = rng.random() < _LIMBED
            if with_limbs or rng.random() < 0.25:  # any size up to most of the picture, evenly on a logarithmic scale
                smallest_side = _LIMBED_SIDE if with_limbs else _SMALLEST_LAID
                side = np.exp(rng.uniform(np.log(smallest_side), np.log(0.75))) * self.size[0]
                factor = float(side / max(cut.opacity.shape))
            smallest = _SMALLEST_LAID * self.size[0] / max(cut.opacity.shape)
            factor = float(np.clip(factor, max(0.1, smallest), 3.0))
            place = _place(rng, self.size)
            if self.debris and rng.random() < 0.6:
                self._litter(rng, canvas, place, factor * max(cut.opacity.shape))
            laid = _lay(rng, canvas, cut, factor, place)
            if laid is not None:
                objects.append(limbed(rng, canvas, laid) if with_limbs else laid)
        return Scene(canvas, _visible(objects))

    def _part(self, rng: np.random.Generator, canvas: Image) -> None:
        """Lay out parts of insects, which alone are not a specimen, in place."""
        chance = rng.random()
        if self.wings and chance < 0.55:
            for _ in range(2 if rng.random() < 0.25 else 1):
                self._wing(rng, canvas)
        if self.debris and chance > 0.35:
            self._litter(rng, canvas, _place(rng, self.size), rng.uniform(0.05, 0.5) * self.size[0])

    def _wing(self, rng: np.random.Generator, canvas: Image) -> None:
        """Lay a wing anywhere, in place."""
        piece = self.wings[int(rng.integers(len(self.wings)))]
        _lay(rng, canvas, piece, float(np.clip(np.exp(rng.normal(0, 0.35)), 0.4, 2.5)), _place(rng, self.size))

    def _litter(self, rng: np.random.Generator, canvas: Image, place: Place, extent: float) -> None:
        """Lay debris around a place of the canvas, in place."""
        for _ in range(int(rng.integers(1, 4))):
            piece = self.debris[int(rng.integers(len(self.debris)))]
            beside = place[0] + rng.normal(0, 0.6) * extent, place[1] + rng.normal(0, 0.6) * extent
            _lay(rng, canvas, piece, float(np.clip(np.exp(rng.normal(0, 0.35)), 0.3, 2.5)), beside)

    def _littered(self, rng: np.random.Generator, scene: Scene) -> Scene:
        """A photograph with debris next to its unchanged specimen, or, if it is empty, with parts of another one."""
        if not scene.objects:
            canvas = scene.pixels.copy()
            self._part(rng, canvas)
            return Scene(canvas, [])
        if not self.debris:
            return scene
        found = scene.objects[0]
        low, high = found.outline.min(axis=0), found.outline.max(axis=0)
        canvas = scene.pixels.copy()
        self._litter(rng, canvas, (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2), float((high - low).max()))
        near = cv2.dilate(found.mask, np.ones((5, 5), np.uint8)).astype(bool)
        canvas[near] = scene.pixels[near]
        return Scene(canvas, scene.objects)

    def drawn(self, rng: np.random.Generator) -> Scene:
        """A rendered well with a rendered insect (or two, a lost leg, or none), as the demo corpus has them."""
        canvas = self.wells[int(rng.integers(len(self.wells)))].copy()
        chance = rng.random()
        pool = self.legs if chance < 0.06 else self.insects
        objects: list[Object] = []
        for _ in range(0 if 0.06 <= chance < 0.14 else 2 if chance > 0.86 else 1):
            piece = pool[int(rng.integers(len(pool)))]
            laid = _lay(rng, canvas, piece, float(rng.uniform(0.8, 1.2)), _place(rng, self.size))
            if laid is not None:
                objects.append(laid)
        look = rng.random()
        if look < 0.05:
            canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 9 * self.size[0] / WIDTH), np.uint8)
        elif look < 0.12:
            canvas = np.asarray(cv2.convertScaleAbs(canvas, alpha=float(rng.uniform(0.25, 0.6))), np.uint8)
        elif self.size == (WIDTH, HEIGHT):
            canvas = self._grain.add(rng, canvas)
        return Scene(canvas, _visible(objects), drawn=True)


def _photo(folder: Path, image: Annotated, size: tuple[int, int]) -> Scene:
    pixels = read_pixels(folder, image, size)
    if not image.polygons:
        return Scene(pixels, [])
    factor = np.array([size[0] / image.size[0], size[1] / image.size[1]], np.float32)
    mask = np.asarray(cv2.resize(image.mask() * 255, size, interpolation=cv2.INTER_AREA) >= 96, np.uint8)
    outline = np.vstack([_dense(polygon * factor) for polygon in image.polygons])
    return Scene(pixels, [Object(outline, mask)])


def _dense(polygon: Points) -> Points:
    """The polygon with further points along its edges, so that a part of it has a box, too."""
    after = np.roll(polygon, -1, axis=0)
    steps = np.maximum(np.ceil(np.abs(after - polygon).max(axis=1) / 2), 1).astype(int)
    start, end = np.repeat(polygon, steps, axis=0), np.repeat(after, steps, axis=0)
    share = (np.arange(len(start)) - np.repeat(np.cumsum(steps) - steps, steps)) / np.repeat(steps, steps)
    return np.asarray(start + (end - start) * share[:, None], np.float32)


def _cut_out(pixels: Image, found: Object) -> CutOut:
    x, y, width, height = cv2.boundingRect(found.mask)
    pad = 3
    top, left = max(y - pad, 0), max(x - pad, 0)
    part = slice(top, y + height + pad), slice(left, x + width + pad)
    mask = found.mask[part]
    grown = cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(np.float32)
    opacity = np.asarray(cv2.GaussianBlur(grown, (0, 0), 0.8), np.float32)
    ring = _around(found.mask)
    light = np.array(cv2.mean(pixels, mask=ring)[:3], np.float32)
    return CutOut(pixels[part].copy(), opacity, found.outline - np.array([left, top], np.float32), light)


def _around(mask: Image) -> Image:
    """1 on the well next to a specimen."""
    outer, inner = (cv2.dilate(mask, np.ones((side, side), np.uint8)) for side in (15, 5))
    return np.asarray(outer - inner, np.uint8)


def _emptied(pixels: Image, mask: Image) -> Image:
    """The well without its specimen, whose place is filled smoothly and with grain."""
    wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    small = pixels.shape[1] // 4, pixels.shape[0] // 4
    hole = np.asarray(cv2.resize(wide * 255, small, interpolation=cv2.INTER_AREA) > 0, np.uint8)
    filled = cv2.inpaint(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), hole, 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = np.random.default_rng(int(mask.sum())).normal(0, 1.2, (*mask.shape, 1))
    filled = (filled + grain).astype(np.float32)
    cover = cv2.GaussianBlur(cv2.dilate(wide, np.ones((3, 3), np.uint8)).astype(np.float32), (0, 0), 2)[..., None]
    return np.clip(pixels * (1 - cover) + filled * cover, 0, 255).astype(np.uint8)


def _rendered_well(rng: np.random.Generator, size: tuple[int, int]) -> Image:
    well = draw_well(rng).copy()
    add_dirt(rng, well)
    reduced = cv2.resize(well, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(reduced[..., ::-1])


def _rendered(rng: np.random.Generator, scale: float) -> CutOut:
    length = float(np.exp(rng.uniform(np.log(62), np.log(320))))
    return _patch(draw_insect(rng, length), scale)


def _patch(drawn: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], scale: float) -> CutOut:
    colour, opacity = (cv2.copyMakeBorder(plane, 2, 2, 2, 2, cv2.BORDER_REPLICATE) for plane in drawn)
    opacity[:2], opacity[-2:], opacity[:, :2], opacity[:, -2:] = 0, 0, 0, 0
    size = max(2, round(opacity.shape[1] * scale)), max(2, round(opacity.shape[0] * scale))
    pixels = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)[..., ::-1]
    shown = (opacity > VISIBLE).astype(np.uint8)
    contours, _ = cv2.findContours(shown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # The contour runs through the middles of pixels; half a pixel on each side belongs to them.
    corners = np.vstack([contour.reshape(-1, 2) for contour in contours]).astype(np.float32)
    outline = np.vstack([corners, corners + 1]) * np.float32(scale)
    small = np.asarray(cv2.resize(opacity, size, interpolation=cv2.INTER_AREA), np.float32)
    return CutOut(np.clip(pixels, 0, 255).astype(np.uint8), small, outline, None)


def _debris(scene: Scene) -> list[CutOut]:
    """Cut out the largest dark pieces next to the specimen: legs, hairs, dirt."""
    height, width = scene.pixels.shape[:2]
    apart = _darker(scene)
    for labelled in scene.objects:
        apart[cv2.dilate(labelled.mask, np.ones((9, 9), np.uint8)) > 0] = 0
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(apart, np.ones((2, 2), np.uint8)))
    sizes = stats[1:, cv2.CC_STAT_AREA] / (width * height)
    low, high = _DEBRIS_AREA
    found: list[CutOut] = []
    for label in np.argsort(-sizes)[:_DEBRIS_PER_IMAGE] + 1 if count > 1 else []:
        if not low < sizes[label - 1] < high:
            continue
        piece = (labels == label).astype(np.uint8)
        thin = cv2.distanceTransform(piece, cv2.DIST_L2, 3).max() < _DEBRIS_THICKNESS * width
        # What is thick may be another specimen, which must not be laid out as if it were none.
        if thin or (not scene.objects and _inside(stats[label], width, height) and _sharp(scene.pixels, piece)):
            found.append(_cut_out(scene.pixels, Object(np.zeros((1, 2), np.float32), piece)))
    return found


def _inside(stats: npt.NDArray[np.int32], width: int, height: int) -> bool:
    """Whether a component is whole, not cut off by the edge of the picture."""
    left, top, wide, high = (int(value) for value in stats[:4])
    return left > 1 and top > 1 and left + wide < width - 1 and top + high < height - 1


def _sharp(pixels: Image, mask: Image) -> bool:
    light = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[..., 0]
    return _edge_gradient(light.astype(np.float32), mask) >= _DEBRIS_SHARP


def _edge_gradient(light: npt.NDArray[np.float32], mask: Image) -> float:
    gradient = cv2.magnitude(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    outline = cv2.dilate(mask, np.ones((7, 7), np.uint8)) - cv2.erode(mask, np.ones((3, 3), np.uint8))
    return float(np.percentile(gradient[outline > 0], 80))


def _wings(pixels: Image, found: Object) -> list[CutOut]:
    """The sheer parts of a specimen with a dark body, cut out: its wings, whole or in part."""
    left, top, wide, high = cv2.boundingRect(found.mask)
    extent = max(wide, high)
    pad = 16
    part = slice(max(top - pad, 0), top + high + pad), slice(max(left - pad, 0), left + wide + pad)
    mask, shown = found.mask[part], np.ascontiguousarray(pixels[part])
    ring = _around(mask)
    if extent < 0.06 * pixels.shape[1] or not ring.any():
        return []
    colours = cv2.cvtColor(shown, cv2.COLOR_RGB2LAB).astype(np.float32)
    apart = np.median(colours[ring > 0], axis=0) - cv2.GaussianBlur(colours, (0, 0), max(1.0, extent * 0.02))
    tint = np.hypot(apart[..., 1], apart[..., 2])
    if (apart[..., 0][mask > 0] > _BODY[0]).mean() < _BODY[1]:
        return []
    sheer = ((mask > 0) & (apart[..., 0] < _SHEER[0]) & (tint < _SHEER[1])).astype(np.uint8)
    side = int(extent * 0.04) * 2 + 1
    sheer = cv2.morphologyEx(sheer, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(sheer)
    least = max(_WING_AREA[0] * mask.sum(), _WING_AREA[1] * (pixels.shape[1] / WIDTH) ** 2)
    light = np.median(shown[ring > 0], axis=0).astype(np.float32)  # what a wing lets through is that of its well
    wings = []
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < least:
            continue
        piece = (labels == label).astype(np.uint8)
        contours, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        hull = cv2.contourArea(cv2.convexHull(np.vstack(contours)))
        full = stats[label, cv2.CC_STAT_AREA] >= _WING_FULL * max(hull, 1.0)
        if full and _edge_gradient(colours[..., 0], piece) >= _DEBRIS_SHARP:
            cut = _cut_out(shown, Object(np.zeros((1, 2), np.float32), piece))
            wings.append(replace(cut, light=light))
    return wings


def _darker(scene: Scene) -> Image:
    """1 where the picture is clearly darker than the well around."""
    light = cv2.cvtColor(scene.pixels, cv2.COLOR_RGB2LAB)[..., 0]
    width, height = light.shape[1], light.shape[0]
    small = cv2.resize(light, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    ground = cv2.resize(cv2.medianBlur(small, 15), (width, height), interpolation=cv2.INTER_LINEAR)
    return (cv2.subtract(ground, light) > _DEBRIS_CONTRAST).astype(np.uint8)


def _strip(rng: np.random.Generator, cut: CutOut) -> CutOut | None:
    """A narrow strip of a specimen, similar to a lost leg; None if it would be too small."""
    ys, xs = np.nonzero(cut.opacity > 0.5)
    extent = max(cut.opacity.shape)
    if extent < 12:
        return None
    spot = int(rng.integers(len(xs)))
    axes = rng.uniform(0.15, 0.4) * extent, max(rng.uniform(0.015, 0.045) * extent, 1.0)
    shape = np.zeros(cut.opacity.shape, np.uint8)
    middle, half = (int(xs[spot]), int(ys[spot])), (round(axes[0]), max(1, round(axes[1])))
    cv2.ellipse(shape, middle, half, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    opacity = cut.opacity * cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 0.6)
    if opacity.sum() < 12:
        return None
    return CutOut(cut.pixels, opacity, cut.outline, cut.light)


def _place(rng: np.random.Generator, size: tuple[int, int]) -> Place:
    """Anywhere; some specimens reach beyond the edge of the picture."""
    return float(rng.uniform(-0.02, 1.02) * size[0]), float(rng.uniform(-0.02, 1.02) * size[1])


def _lay(rng: np.random.Generator, canvas: Image, cut: CutOut, factor: float, place: Place) -> Object | None:
    """Blend a cut-out into the canvas, in place, at any turn; None if too little of it is seen."""
    pixels, opacity = cut.pixels, cut.opacity
    start = 1.0
    if factor < 0.7:  # a linear filter would skip pixels
        size = max(2, round(opacity.shape[1] * factor)), max(2, round(opacity.shape[0] * factor))
        start = size[0] / opacity.shape[1]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        opacity = np.asarray(cv2.resize(opacity, size, interpolation=cv2.INTER_AREA), np.float32)
        factor = 1.0
    height, width = opacity.shape
    angle = rng.uniform(0, 2 * np.pi)
    turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[0] *= rng.choice([-1, 1])
    corners = (np.array([[0, 0], [width, 0], [width, height], [0, height]]) - [width / 2, height / 2]) @ turn.T
    span = np.ceil(corners.max(axis=0) - corners.min(axis=0)).astype(int) + 2
    inner = np.hstack([turn, (span / 2 - turn @ [width / 2, height / 2])[:, None]])
    shape = int(span[0]), int(span[1])
    colour = cv2.warpAffine(pixels, inner, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(opacity, inner, shape, flags=cv2.INTER_LINEAR)
    left, top = (int(value) for value in np.round(np.array(place) - span / 2))
    x0, y0, x1, y1 = (
        max(left, 0),
        max(top, 0),
        min(left + shape[0], canvas.shape[1]),
        min(top + shape[1], canvas.shape[0]),
    )
    part = slice(max(-top, 0), y1 - top), slice(max(-left, 0), x1 - left)
    if x1 - x0 < 3 or y1 - y0 < 3 or cover[part].sum() < 0.35 * cover.sum():
        return None
    under = canvas[y0:y1, x0:x1].astype(np.float32)
    ink = colour[part].astype(np.float32)
    if cut.light is not None:
        ink *= np.clip(np.median(under, axis=(0, 1)) / (cut.light + 1), 0.6, 1.4) * rng.uniform(0.85, 1.15)
    if rng.random() < 0.4:
        soft = cv2.GaussianBlur(cover[part], (0, 0), max(1.0, 0.01 * canvas.shape[1]))
        under *= 1 - rng.uniform(0.05, 0.25) * soft[..., None]
    blend = cover[part][..., None] * float(rng.uniform(0.75, 1.0) if rng.random() < 0.25 else 1.0)
    canvas[y0:y1, x0:x1] = np.clip(under * (1 - blend) + ink * blend, 0, 255)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    mask[y0:y1, x0:x1] = cover[part] > (_EDGE if cut.light is not None else VISIBLE)
    outline = (cut.outline * start) @ inner[:, :2].T + inner[:, 2] + [left, top]
    return Object(outline.astype(np.float32), mask)


def limbed(rng: np.random.Generator, canvas: Image, found: Object) -> Object:
    """The specimen with one to three long limbs, drawn onto the canvas: antennae, legs, tails.

    Few of the annotated insects have long ones, but lost legs and hairs lie beside many. Without these limbs a detector
    learns that what is long and thin belongs to nothing, and cuts antennae off whole insects.
    """
    ys, xs = np.nonzero(found.mask)
    if len(xs) < 30:
        return found
    extent = float(max(xs.max() - xs.min(), ys.max() - ys.min()))
    well = np.median(canvas[cv2.dilate(found.mask, np.ones((15, 15), np.uint8)) > found.mask], axis=0)
    shades = canvas[ys, xs].astype(np.float32)
    dark = shades[shades.sum(axis=1) <= np.percentile(shades.sum(axis=1), 40)]
    middle = np.array([xs.mean(), ys.mean()])
    mask, outline = found.mask.copy(), [found.outline]
    for _ in range(int(rng.integers(1, 4))):
        # From the end of the body that is farthest in some direction, and on in about that direction.
        angle = rng.uniform(0, 2 * np.pi)
        spot = int(np.argmax(np.cos(angle) * xs + np.sin(angle) * ys))
        root = 0.9 * np.array([xs[spot], ys[spot]], np.float64) + 0.1 * middle
        steps = 24
        length = extent * float(np.exp(rng.uniform(*np.log(_LIMB_LENGTH)))) * 1.1
        bends = angle + rng.normal(0, 0.5) + np.cumsum(rng.normal(0, 0.11, steps))
        if rng.random() < 0.4:  # a joint
            bends[int(rng.integers(6, 18)) :] += rng.normal(0, 0.9)
        path = root + np.cumsum(np.stack([np.cos(bends), np.sin(bends)], 1) * length / steps, axis=0)
        widths = (
            extent * float(np.exp(rng.uniform(*np.log(_LIMB_WIDTH)))) * np.linspace(1, rng.uniform(0.4, 0.9), steps)
        )
        shade = np.minimum(dark[int(rng.integers(len(dark)))], well - _LIMB_DARKER) * rng.uniform(0.85, 1.1)
        drawn = np.zeros(canvas.shape[:2], np.uint8)
        points = np.round(np.vstack([root, path]) * 16).astype(np.int32)
        for start, end, width in zip(points[:-1], points[1:], widths, strict=True):
            cv2.line(drawn, start.tolist(), end.tolist(), 255, max(1, round(width)), cv2.LINE_AA, 4)
        cover = cv2.GaussianBlur(drawn, (0, 0), 0.6).astype(np.float32)[..., None] / 255 * rng.uniform(0.75, 1.0)
        canvas[:] = np.clip(canvas * (1 - cover) + shade * cover, 0, 255).astype(np.uint8)
        mask |= (drawn > 127).astype(np.uint8)
        outline.append(path.astype(np.float32))
    return Object(np.vstack(outline), mask)


def _visible(objects: list[Object]) -> list[Object]:
    """Of two objects that overlap, the first would be hidden: then the scene has no clear label for it."""
    if len(objects) < 2:
        return objects
    first, second = objects
    hidden = np.count_nonzero(first.mask & second.mask) > 0.3 * np.count_nonzero(first.mask)
    return [second] if hidden else objects


def box_of(outline: Points, size: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    """(x0, y0, x1, y1) of an outline within a picture of `size`; None if less than a third of it is inside."""
    low, high = outline.min(axis=0).astype(np.float64), outline.max(axis=0).astype(np.float64)
    inner_low, inner_high = np.clip(low, 0, size), np.clip(high, 0, size)
    if (inner_high - inner_low).prod() < 0.33 * max((high - low).prod(), 1e-6):
        return None
    # What is beyond one edge must not stretch the box along the other; outlines are dense enough for it.
    inside = outline[((outline >= 0) & (outline <= size)).all(axis=1)]
    if len(inside) >= 8:
        near = _DENSE * np.array(size)
        seen_low, seen_high = inside.min(axis=0), inside.max(axis=0)
        inner_low = np.where((low < 0) & (seen_low < near), 0, seen_low).astype(np.float64)
        inner_high = np.where((high > size) & (seen_high > size - near), size, seen_high).astype(np.float64)
    return np.concatenate([inner_low, inner_high])


def look(rng: np.random.Generator, size: tuple[int, int], target: tuple[int, int]) -> Matrix:
    """How a scene of `size` is seen in a picture of `target`: mirrored, turned, closer; never beyond its edge."""
    width, height = size
    angle = float(rng.choice([0.0, np.pi])) + float(rng.choice([0.0, rng.normal(0, 0.12), rng.uniform(0, 2 * np.pi)]))
    cosine, sine = abs(np.cos(angle)), abs(np.sin(angle))
    closest = max((width * cosine + height * sine) / width, (width * sine + height * cosine) / height)
    zoom = closest * float(np.exp(abs(rng.normal(0, 0.12))))
    free = np.array([width, height]) - np.array([width * cosine + height * sine, width * sine + height * cosine]) / zoom
    middle = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * np.maximum(free, 0)
    scale = zoom * target[0] / width
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[0] *= rng.choice([-1, 1])
    return np.hstack([turn, (np.array(target) / 2 - turn @ middle)[:, None]])


def seen(points: Points, matrix: Matrix) -> Points:
    """Points of a scene in the picture that `matrix` maps to."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def relit(rng: np.random.Generator, pixels: Image) -> Image:
    """Another light, white balance, focus and noise; sometimes a hair across the picture."""
    if rng.random() < 0.15:
        _hair(rng, pixels)
    values = pixels.astype(np.float32)
    values *= (rng.normal(1, 0.045, 3) * np.exp(rng.normal(0, 0.1))).astype(np.float32)
    if rng.random() < 0.5:
        mean = values.mean()
        values = (values - mean) * float(np.exp(rng.normal(0, 0.15))) + mean
    if rng.random() < 0.1:
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.15:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.4, 1.2))), np.float32)
    if rng.random() < 0.3:
        values += rng.normal(0, rng.uniform(1, 5), values.shape).astype(np.float32)
    return np.clip(values, 0, 255).astype(np.uint8)


def _hair(rng: np.random.Generator, pixels: Image) -> None:
    height, width = pixels.shape[:2]
    start, bend = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0, 2 * np.pi)
    steps = bend + np.cumsum(rng.normal(0, 0.25, 24))
    length = rng.uniform(0.005, 0.02) * width
    path = start + np.cumsum(np.stack([np.cos(steps), np.sin(steps)], 1) * length, axis=0)
    shade = tuple(int(value) for value in rng.uniform(0.3, 0.85) * np.array(pixels.mean(axis=(0, 1))))
    cv2.polylines(pixels, [np.round(path * 16).astype(np.int32)], False, shade, 1, cv2.LINE_AA, 4)


def load_material(
    images: Path,
    annotations: Path,
    width: int,
    parts: Iterable[str] = ("training",),
    triage: Path | None = None,
    photographed: Shares = PHOTOGRAPHED,
) -> Material:
    """The material of some parts of the annotated images; with a second triage, of those with an agreed label."""
    annotated = (image for part in parts for image in read_annotations(annotations, part, triage, disputed=False))
    return Material(images, list(annotated), width, photographed)
