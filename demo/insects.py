"""Insects, drawn from ellipses, tapered limbs and veined wings at any turn and size.

Belongs here: a specimen on a transparent patch. Does not belong here: its position and background
(`bioscan_etl.demo.images`).

A patch is drawn at twice its size and averaged down, so edges are as soft as a lens makes them. Coordinates
of a plan are body lengths: the body lies along x, head to the right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

Patch = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

SUPERSAMPLING = 2
VISIBLE = 0.2
"""Opacity from which a pixel counts as organism; the membrane of a wing is above it."""

# The first ones are dark: they stand out in any well.
# Body and limb colours, BGR: black, brown, ochre, straw, reddish, olive.
_COLOURS: tuple[tuple[Colour, Colour], ...] = (
    ((38, 36, 40), (52, 62, 82)),
    ((44, 58, 84), (70, 112, 150)),
    ((62, 88, 116), (96, 138, 168)),
    ((92, 124, 144), (126, 158, 176)),
    ((44, 56, 92), (74, 110, 152)),
    ((58, 84, 86), (96, 136, 140)),
)
SHADES = {"any": (0, 1, 2, 3, 4, 5), "dark": (0, 1), "black": (0,), "pale": (3,)}
"""Which of the colours a specimen may have, by name."""


@dataclass(frozen=True, slots=True)
class _Build:
    """Proportions of a kind of insect, in body lengths."""

    abdomen: tuple[float, float]
    thorax: tuple[float, float]
    head: float
    wing: tuple[float, float]
    limb: float
    limb_width: float
    antenna: float
    wings: int
    legs: int = 3
    opacity: tuple[int, int] = (70, 104)


_BUILDS = {
    "fly": _Build((0.27, 0.16), (0.20, 0.16), 0.12, (0.66, 0.14), 0.42, 0.022, 0.10, 1),
    "midge": _Build((0.33, 0.07), (0.15, 0.12), 0.075, (0.64, 0.10), 0.66, 0.012, 0.26, 1),
    "wasp": _Build((0.24, 0.10), (0.17, 0.10), 0.09, (0.52, 0.09), 0.36, 0.017, 0.42, 2),
    "beetle": _Build((0.34, 0.22), (0.14, 0.19), 0.11, (0.30, 0.05), 0.30, 0.024, 0.22, 0),
    "hopper": _Build((0.34, 0.14), (0.15, 0.15), 0.14, (0.66, 0.10), 0.34, 0.020, 0.12, 1),
}
KINDS = tuple(_BUILDS)
# Builds that only a look asks for (`bioscan_etl.demo.looks`).
_BUILDS |= {
    "moth": _Build((0.30, 0.12), (0.17, 0.14), 0.09, (0.70, 0.24), 0.30, 0.018, 0.30, 2, opacity=(150, 190)),
    "louse": _Build((0.31, 0.17), (0.12, 0.11), 0.15, (0.52, 0.12), 0.32, 0.016, 0.46, 1, opacity=(90, 120)),
    "caddis": _Build((0.33, 0.09), (0.14, 0.10), 0.08, (0.80, 0.13), 0.48, 0.018, 0.80, 1, opacity=(130, 165)),
    "springtail": _Build((0.38, 0.13), (0.12, 0.12), 0.11, (0.30, 0.05), 0.20, 0.022, 0.34, 0),
    "spider": _Build((0.30, 0.25), (0.18, 0.17), 0.07, (0.30, 0.05), 0.72, 0.026, 0.06, 0, legs=4),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What the specimens of a species have in common.

    Attributes:
        build: name of the build.
        stretch: factors of the length and width of the abdomen, of the wings' length, and of limbs and feelers.
        body: colour, BGR.
        limbs: colour, BGR.
        banded: share of specimens with bands on the abdomen.
    """

    build: str
    stretch: tuple[float, float, float, float]
    body: Colour
    limbs: Colour
    banded: float


def _stretched(build: _Build, by: tuple[float, float, float, float]) -> _Build:
    length, width, wing, limb = by
    return replace(
        build,
        abdomen=(build.abdomen[0] * length, build.abdomen[1] * width),
        wing=(build.wing[0] * wing, build.wing[1] * wing),
        limb=build.limb * limb,
        antenna=build.antenna * limb,
    )


class _Canvas:
    """Colour and opacity of a square patch, with the plan's coordinates turned and scaled."""

    def __init__(self, length: float, angle: float, ground: Colour) -> None:
        self.scale = length * SUPERSAMPLING
        side = int(np.ceil(2.5 * self.scale)) // 2 * 2
        self.centre = side / 2
        self.angle = angle
        self.colour = np.empty((side, side, 3), np.uint8)
        self.colour[:] = np.round(ground).astype(np.uint8)
        self.body = np.zeros((side, side), np.uint8)
        self.wings = np.zeros((side, side), np.uint8)
        self._turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    def pixels(self, points: Points) -> npt.NDArray[np.int32]:
        """Plan coordinates (n, 2) as OpenCV's fixed point with 4 bits."""
        turned = points @ self._turn * self.scale + self.centre
        return np.asarray(np.round(turned * 16), dtype=np.int32)

    def polygon(self, points: Points, colour: Colour) -> None:
        """Fill an opaque outline."""
        outline = [self.pixels(points)]
        cv2.fillPoly(self.colour, outline, colour, cv2.LINE_AA, 4)
        cv2.fillPoly(self.body, outline, 255, cv2.LINE_AA, 4)

    def limb(self, points: Points, width: float, colour: Colour) -> None:
        """Draw a limb that gets thinner from joint to joint."""
        path = self.pixels(points)
        for joint in range(len(path) - 1):
            thickness = max(2, round(width * self.scale * (1 - 0.22 * joint)))
            for plane, ink in ((self.colour, colour), (self.body, 255)):
                cv2.polylines(plane, [path[joint : joint + 2]], False, ink, thickness, cv2.LINE_AA, 4)

    def membrane(self, points: Points, veins: list[Points], opacity: int) -> None:
        """Lay a wing: see-through between its veins."""
        outline = [self.pixels(points)]
        layer = np.zeros_like(self.wings)
        cv2.fillPoly(layer, outline, opacity, cv2.LINE_AA, 4)
        thickness = max(1, round(0.008 * self.scale))
        lines = [self.pixels(vein) for vein in veins]
        cv2.polylines(layer, lines, False, min(230, opacity + 80), thickness, cv2.LINE_AA, 4)
        cv2.polylines(layer, outline, True, min(230, opacity + 95), thickness, cv2.LINE_AA, 4)
        np.maximum(self.wings, layer, out=self.wings)


def _ellipse(centre: tuple[float, float], radii: tuple[float, float], tilt: float = 0.0, points: int = 48) -> Points:
    around = np.linspace(0, 2 * np.pi, points, endpoint=False)
    local = np.stack([radii[0] * np.cos(around), radii[1] * np.sin(around)], axis=1)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    moved: Points = local @ turn + np.array(centre)
    return moved


def _tone(colour: Colour, factor: float) -> Colour:
    blue, green, red = (float(np.clip(value * factor + 6 * (factor - 1), 0, 255)) for value in colour)
    return blue, green, red


def _legs(rng: np.random.Generator, canvas: _Canvas, build: _Build, colour: Colour, pale: Colour) -> None:
    hips = ((0.24, 0.75), (0.17, 0.05), (0.09, -0.8), (0.04, -1.2))[: build.legs]
    for side in (-1, 1):
        for pair, (hip, heading) in enumerate(hips):
            forward = heading + rng.normal(0, 0.28)
            femur = build.limb * rng.uniform(0.36, 0.46)
            tibia = build.limb * rng.uniform(0.36, 0.48)
            tarsus = build.limb * rng.uniform(0.22, 0.36)
            first = np.pi / 2 - forward
            second = first + rng.normal(-0.7 if pair == 0 else 0.8, 0.35)
            third = second + rng.normal(0.1, 0.4)
            joints = [np.array([hip, side * build.thorax[1] * 0.6])]
            for length, turn in ((femur, first), (tibia, second), (tarsus, third)):
                joints.append(joints[-1] + length * np.array([np.cos(turn), side * np.sin(turn)]))
            canvas.limb(np.array(joints), build.limb_width, pale if pair % 2 else colour)


def _wings(rng: np.random.Generator, canvas: _Canvas, build: _Build) -> None:
    opacity = int(rng.integers(*build.opacity))
    sweep = rng.uniform(0.12, 0.95)
    for side in (-1, 1):
        for pair in range(build.wings):
            length, width = build.wing[0] * (1 - 0.3 * pair), build.wing[1] * (1 - 0.15 * pair)
            heading = np.pi - side * (sweep + 0.35 * pair + rng.normal(0, 0.1))
            root = np.array([0.17 - 0.06 * pair, side * build.thorax[1] * 0.55])
            along = np.array([np.cos(heading), np.sin(heading)])
            across = np.array([-along[1], along[0]])
            reach = np.linspace(0, 1, 26)
            bulge = width * np.sin(np.pi * reach**0.75) ** 0.8
            spine = root + length * reach[:, None] * along
            outline = np.concatenate([spine + bulge[:, None] * across * 0.7, (spine - bulge[:, None] * across)[::-1]])
            veins = [
                spine[:23] + (k * bulge[:23] * (1 - 0.3 * reach[:23]))[:, None] * across for k in (-0.55, -0.1, 0.35)
            ]
            canvas.membrane(outline, veins, opacity)


def _trunk(
    rng: np.random.Generator, canvas: _Canvas, build: _Build, colour: Colour, pale: Colour, bands: float = 0.6
) -> None:
    length, width = build.abdomen
    bend = rng.normal(0, 0.22)
    banded = rng.random() < bands
    canvas.polygon(_ellipse((-0.24, 0), (length, width), bend), colour)
    for segment in np.linspace(-0.8, 0.85, 6):
        girth = width * np.sqrt(1 - segment**2) * 0.96
        centre = (-0.24 + length * segment * np.cos(bend), length * segment * np.sin(bend))
        tone = pale if banded else _tone(colour, 1.22)
        canvas.polygon(_ellipse(centre, (length * 0.1, girth), bend, 24), _tone(tone, rng.uniform(0.8, 1.05)))
    canvas.polygon(_ellipse((0.13, 0), build.thorax), _tone(colour, 0.92))
    canvas.polygon(
        _ellipse((0.15, -build.thorax[1] * 0.3), (build.thorax[0] * 0.6, build.thorax[1] * 0.35)), _tone(colour, 1.28)
    )
    head = (0.13 + build.thorax[0] + build.head * 0.8, rng.normal(0, 0.03))
    canvas.polygon(_ellipse(head, (build.head * 0.85, build.head)), _tone(colour, 0.85))
    eye: Colour = (30, 24, 66) if rng.random() < 0.5 else (30, 30, 34)
    for side in (-1, 1):
        bulge = (head[0] + build.head * 0.15, head[1] + side * build.head * 0.62)
        canvas.polygon(_ellipse(bulge, (build.head * 0.55, build.head * 0.48), points=24), eye)
        shine = (bulge[0] + build.head * 0.15, bulge[1] - build.head * 0.15)
        canvas.polygon(_ellipse(shine, (build.head * 0.13, build.head * 0.1), points=12), (150, 150, 165))
        turn = side * rng.uniform(0.25, 0.8)
        steps = turn + side * np.linspace(0, rng.uniform(-0.4, 0.7), 5)
        knots = np.stack([np.cos(steps), np.sin(steps)], axis=1) * build.antenna / 5
        feeler = np.array([head[0] + build.head * 0.7, head[1] + side * build.head * 0.2]) + np.cumsum(knots, axis=0)
        canvas.limb(feeler, build.limb_width * 0.7, _tone(colour, 1.1))


def _beetle_shell(canvas: _Canvas, build: _Build, colour: Colour) -> None:
    length, width = build.abdomen
    for side in (-1, 1):
        canvas.polygon(_ellipse((-0.22, side * width * 0.47), (length * 0.98, width * 0.52)), _tone(colour, 1.08))
        canvas.polygon(_ellipse((-0.16, side * width * 0.55), (length * 0.6, width * 0.14)), _tone(colour, 1.35))
    canvas.limb(np.array([[0.1, 0.0], [-0.54, 0.0]]), 0.012, _tone(colour, 0.5))


def draw_insect(
    rng: np.random.Generator, length: float, kind: str | None = None, *, shades: str = "any", look: Look | None = None
) -> tuple[Patch, Patch]:
    """An insect on a patch cut to its outline.

    Args:
        rng: the random generator for build, colours, pose and turn.
        length: body length in px.
        kind: one of `KINDS`; any, without one.
        shades: one of `SHADES`.
        look: that of its species, instead of `kind`; its colours too, unless `shades` are others than any.

    Returns:
        Colour (h, w, 3) BGR 0 to 255 and opacity (h, w) 0 to 1, both float32.
    """
    name = kind or KINDS[int(rng.integers(len(KINDS)))]
    build = _BUILDS[name]
    body, pale = _COLOURS[int(rng.choice(SHADES[shades]))]
    bands = 0.6
    if look is not None:
        name, bands = look.build, look.banded
        build = _stretched(_BUILDS[name], look.stretch)
        body, pale = (look.body, look.limbs) if shades == "any" else (body, pale)
    colour, limb_colour = _tone(body, rng.uniform(0.85, 1.2)), _tone(pale, rng.uniform(0.85, 1.1))
    canvas = _Canvas(length, rng.uniform(0, 2 * np.pi), colour)
    _legs(rng, canvas, build, colour, limb_colour)
    _wings(rng, canvas, build)
    _trunk(rng, canvas, build, colour, limb_colour, bands)
    if name == "beetle":
        _beetle_shell(canvas, build, colour)
    return _developed(rng, canvas, limb_colour)


def draw_leg(rng: np.random.Generator, length: float) -> tuple[Patch, Patch]:
    """A lost leg, as `draw_insect` gives an insect; `length` in px."""
    colour, _ = _COLOURS[0]
    canvas = _Canvas(length, rng.uniform(0, 2 * np.pi), colour)
    bend = rng.uniform(0.2, 0.4)
    canvas.limb(np.array([[-0.5, 0.0], [0.0, bend * 0.3], [0.35, -0.05], [0.5, -0.1]]), 0.3, colour)
    return _developed(rng, canvas, colour)


def _developed(rng: np.random.Generator, canvas: _Canvas, wing_colour: Colour) -> tuple[Patch, Patch]:
    """Cut, shade, blend wings and body, and average down to the final size."""
    rows = np.flatnonzero((canvas.body | canvas.wings).any(axis=1))
    columns = np.flatnonzero((canvas.body | canvas.wings).any(axis=0))
    step = SUPERSAMPLING
    y0, x0 = rows[0] // step * step, columns[0] // step * step
    y1, x1 = (rows[-1] // step + 1) * step, (columns[-1] // step + 1) * step
    window = (slice(y0, y1), slice(x0, x1))
    size = ((x1 - x0) // step, (y1 - y0) // step)

    def averaged(plane: npt.NDArray[np.uint8]) -> Patch:
        return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.float32)

    softness = max(0.6, canvas.scale * 0.012)
    colour = averaged(np.asarray(cv2.GaussianBlur(canvas.colour[window], (0, 0), softness), dtype=np.uint8))
    body, wings = averaged(canvas.body[window]) / 255, averaged(canvas.wings[window]) / 255
    coarse = rng.normal(0, 1, (max(2, size[1] // 3), max(2, size[0] // 3))).astype(np.float32)
    texture: Patch = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    shaded = colour * (1 + 0.09 * texture[..., None])
    # Wings take half their tint from the lamp: grey with a breath of the limbs' colour.
    membrane = np.array([0.5 * value + 50 for value in wing_colour], np.float32)
    # A wing over the body dims it; beside the body it shows its own tint.
    seen_wings = wings * (1 - 0.72 * body)
    seen_body = body * (1 - 0.35 * wings)
    inks = shaded * seen_body[..., None] + membrane * seen_wings[..., None]
    blended = inks / np.maximum(seen_body + seen_wings, np.float32(1e-3))[..., None]
    opacity: Patch = np.asarray(body + wings - body * wings, dtype=np.float32)
    return np.clip(blended, 0, 255).astype(np.float32), opacity
