"""Teach the second network to judge what the first one proposes: the last step of the training.

    python detector/judge.py IMAGES ANNOTATIONS.coco.json OUTPUT [--scenes 2400]

`refine.py` trains on windows around true boxes and around anything that stands out, so its scores take a stain for a
specimen as readily as the first network does. Here the first network looks at scenes of the part `training`,
and the layers behind the two scores, and only they, learn which of its proposals are specimens and how well the
drawn box fits. Rewrites `OUTPUT/refiner.pt`; what it was is kept as `OUTPUT/refiner.unjudged.pt`, from which the
command starts each time. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from compose import Material, Scene, box_of, load_material, relit
from evaluate import box_iou
from export import export_coarse
from refine import SCENE_WIDTH
from refiner import Answers, Refiner
from torch import Tensor, nn
from torch.nn import functional

from bioscan_etl.images.measure import FloatBox
from bioscan_etl.images.networks import OnnxBoxes
from bioscan_etl.images.window import window_around

PROPOSALS = 3
WORTH = 0.02  # confidence of the first network below which a proposal is not judged
EPOCHS = 60
RIGHT = 0.5  # IoU of the drawn box with a specimen from which there is one


def scene_of(rng: np.random.Generator, material: Material) -> Scene:
    """A scene; empty dishes are a third of them, and photographs outnumber what is composed."""
    chance = rng.random()
    if chance < 0.33:
        return material.photos[material.empty[int(rng.integers(len(material.empty)))]]
    return material.photos[int(rng.integers(len(material.photos)))] if chance < 0.6 else material.scene(rng)


class Judged:
    """What the score layers see of each proposal, and what they should say."""

    def __init__(self, refiner: Refiner) -> None:
        self._answers = Answers(refiner).eval()
        self.features: list[Tensor] = []
        self.targets: list[tuple[float, float]] = []
        refiner.scores.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._seen = inputs[0].detach()

    def look(self, rng: np.random.Generator, pixels: Any, rough: FloatBox, truth: list[FloatBox]) -> FloatBox:
        """Judge the window around a rough box; gives the drawn box."""
        height, width = pixels.shape[:2]
        window = window_around(rough, width, height)
        seen = window.pixels(pixels)
        lit = relit(rng, seen.copy()) if rng.random() < 0.5 else seen
        lit[~seen.any(axis=2)] = 0
        planes = torch.from_numpy(np.ascontiguousarray(lit.transpose(2, 0, 1)[None])).float() / 255
        with torch.no_grad():
            _, shares, _, _ = self._answers(planes)
        x0, y0, x1, y1 = (float(value) for value in shares[0])
        drawn = window.to_image((x0, y0, max(x1, x0), max(y1, y0)))
        box = (max(drawn[0], 0.0), max(drawn[1], 0.0), min(drawn[2], width), min(drawn[3], height))
        fit = max((box_iou(box, one) for one in truth), default=0.0)
        self.features.append(self._seen[0].clone())
        self.targets.append((float(fit >= RIGHT), fit))
        return box


def collect(material: Material, coarse: OnnxBoxes, refiner: Refiner, scenes: int) -> Judged:
    """Let both networks look at scenes."""
    rng = np.random.default_rng(41)
    judged = Judged(refiner)
    for _ in range(scenes):
        scene = scene_of(rng, material)
        boxes = [box_of(found.outline, material.size) for found in scene.objects]
        if any(box is None for box in boxes):
            continue  # a specimen that is hardly seen is neither right nor wrong
        pixels, truth = _mirrored(rng, scene.pixels, [box for box in boxes if box is not None])
        found = coarse.propose(pixels)
        for rough, confidence in list(zip(found.boxes, found.confidences, strict=True))[:PROPOSALS]:
            if confidence >= WORTH:
                drawn = judged.look(rng, pixels, tuple(float(value) for value in rough), truth)
                if drawn[2] - drawn[0] >= 2 and drawn[3] - drawn[1] >= 2:
                    judged.look(rng, pixels, drawn, truth)
    return judged


def _mirrored(
    rng: np.random.Generator, pixels: Any, boxes: list[npt.NDArray[np.float64]]
) -> tuple[Any, list[FloatBox]]:
    height, width = pixels.shape[:2]
    found: list[FloatBox] = [(float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in boxes]
    if rng.random() < 0.5:
        pixels, found = pixels[:, ::-1], [(width - b[2], b[1], width - b[0], b[3]) for b in found]
    if rng.random() < 0.5:
        pixels, found = pixels[::-1], [(b[0], height - b[3], b[2], height - b[1]) for b in found]
    return np.ascontiguousarray(pixels), found


def teach(refiner: Refiner, judged: Judged) -> None:
    """Fit the layers behind the scores, starting from what they are."""
    torch.manual_seed(2)
    features = torch.stack(judged.features)
    targets = torch.tensor(judged.targets)
    layers = refiner.scores.train()
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(features)).split(64):
            answers = layers(features[rows])
            present = functional.binary_cross_entropy_with_logits(answers[:, 0], targets[rows, 0])
            fit = functional.binary_cross_entropy_with_logits(answers[:, 1], targets[rows, 1])
            optimizer.zero_grad()
            (present + fit).backward()
            optimizer.step()
        schedule.step()
    layers.eval()
    with torch.no_grad():
        sure = layers(features)[:, 0].sigmoid()
    print(f"{len(features)} windows, {targets[:, 0].mean():.2f} of them right")
    means = [float(sure[targets[:, 0] == there].mean()) for there in (1, 0)]
    print(f"mean score of right ones {means[0]:.2f}, of others {means[1]:.2f}")


def main() -> None:
    """Collect, teach and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scenes", type=int, default=2400)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    weights, kept = arguments.output / "refiner.pt", arguments.output / "refiner.unjudged.pt"
    if not kept.exists():
        shutil.copy(weights, kept)
    refiner = Refiner().eval()
    refiner.load_state_dict(torch.load(kept, weights_only=True, map_location="cpu"))
    model = arguments.output / "coarse.onnx"
    export_coarse(arguments.output, model)
    material = load_material(arguments.images, arguments.annotations, SCENE_WIDTH)
    judged = collect(material, OnnxBoxes(model), refiner, arguments.scenes)
    teach(refiner, judged)
    torch.save(refiner.state_dict(), weights)
    print(f"-> {weights}")


if __name__ == "__main__":
    main()
