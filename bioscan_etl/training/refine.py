"""Train the refiner, which predicts box and mask within a window around a proposed box, its teacher, or the expert.

    python -m bioscan_etl.training.refine IMAGES ANNOTATIONS.coco.json OUTPUT [--network teacher|expert]
        [--windows 480000] [--triage TRIAGE.csv] [--from WEIGHTS] [--teacher TEACHER.pt] [--detector FOLDER]
        [--parts PART...]

Needs the extra `train`. The same command resumes a run that was interrupted. It does nothing if the run is complete.
It does not wait for the region proposal network: most windows lie around the true boxes, moved and stretched at
random, and some lie around other things that stand out. If the region proposal network has weights when this script
starts (`train` writes them after each epoch), its proposals on half of the scenes are learnt from as well, because
its mistakes are the ones that the refiner has to correct. `--detector` takes those of another detector's folder.

The expert has the teacher's architecture and a larger input (`architectures`). It learns from the boxes of the detector
that will ask it, named by `--detector`, and from more photographs.

`--triage` names a second triage of the images: only those with an agreed label are learnt from.

`--from` takes the weights of an earlier run (`.pt`) or an exported network (`.onnx`), such as the package's own.

`--parts training calibration` learns from the calibration part as well; use it only after `calibrate` has run.

With `--teacher`, half of the target of a window with a specimen is the teacher's prediction (distillation: Hinton,
Vinyals and Dean 2015, arXiv:1503.02531). The teacher was trained on other pictures too, and shows where an outline is
uncertain. Train the teacher first, on the same windows; it starts from weights of ImageNet (`teacher`) unless
`--from` names others.

The weights are the moving average at the end: `OUTPUT/refiner.pt`, `OUTPUT/teacher.pt` or `OUTPUT/expert.pt`.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioscan_etl.images.window import Window, window_around
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2
    import torch
    from torch import Tensor
    from torch.nn import functional

    from bioscan_etl.images.measure import FloatBox
    from bioscan_etl.images.measure import overlap as box_overlap
    from bioscan_etl.images.networks import OnnxBoxes
    from bioscan_etl.images.trained import TrainedDetector, asked
    from bioscan_etl.settings import ImageSettings
    from bioscan_etl.training.architectures import NETWORKS
    from bioscan_etl.training.compose import PHOTOGRAPHED, Material, Object, Scene, box_of, load_material, relit
    from bioscan_etl.training.dataset import LEARNABLE, Image
    from bioscan_etl.training.export import export_coarse
    from bioscan_etl.training.exported import renormed, take_over
    from bioscan_etl.training.refiner import grid_of, places_of, positions
    from bioscan_etl.training.teacher import Teacher

SCENE_WIDTH = 1024
BATCH = 32
RATE = 2e-3
ENCODER_RATE = 0.3  # of the rate, for an encoder that was trained before
WARM_UP = 200  # batches
EPOCH = 128  # batches between two checkpoints
PER_SCENE = 4
PHOTOGRAPHED_FOR = {"expert": (0.5, 0.12)}
"""Share of photographs among the scenes of a network, where it is not the usual one."""
HIDDEN = 0.4  # share of the specimen that may be outside the window
TRACE = 0.1  # share of a specimen that a window without one may show
PROPOSED = 0.5  # share of the scenes that the region proposal network runs on
PROPOSALS = 3
WORTH = 0.02  # confidence of the region proposal network below which a proposal is left out
MEANT = 0.25  # IoU from which a proposal is assigned to the specimen
MEASURED = 24  # batches that set the normalisations of an exported network

Propose = Callable[[Image], Iterable[tuple[FloatBox, float]]]
"""The boxes of a picture that the network is asked about, with their confidence; the best first."""

Sample = tuple[Image, npt.NDArray[np.float32], npt.NDArray[np.float32], float]
"""Pixels, mask (grid, grid), box in shares of the side, and 1 if there is a specimen."""


class Windows(torch.utils.data.IterableDataset[Sample]):
    """Endless windows of composed scenes."""

    def __init__(self, material: Material, seed: int, side: int, proposals: Path | None = None) -> None:
        self._material = material
        self._seed = seed
        self._side = side
        self._proposals = proposals

    def __iter__(self) -> Iterator[Sample]:
        rng = np.random.default_rng([self._seed, 23])
        propose = proposals_of(self._proposals) if self._proposals else None
        side = self._side
        while True:
            scene = self._material.scene(rng)
            found = [(one, box_of(one.outline, self._material.size)) for one in scene.objects]
            boxes = [(one, box) for one, box in found if box is not None and (box[2:] - box[:2]).min() >= 6]
            all_labelled = len(boxes) == len(scene.objects)
            if propose and all_labelled and rng.random() < PROPOSED:
                yield from (_turned(rng, sample) for sample in _proposed(propose, scene, boxes, side))
            for _ in range(PER_SCENE):
                sample = None
                if boxes and rng.random() < 0.8:
                    sample = _around(rng, scene, *boxes[int(rng.integers(len(boxes)))], side)
                elif all_labelled:  # else some specimen is there without a label
                    sample = _elsewhere(rng, scene, side)
                if sample is not None:
                    yield _turned(rng, sample)


def proposals_of(path: Path) -> Propose:
    """What proposes boxes: the region proposal network of a file, or both networks of a detector's folder."""
    if path.is_dir():
        detector = TrainedDetector(ImageSettings(), path)
        return lambda pixels: [(asked(look), look.coarse) for look in detector.look(pixels)]
    coarse = OnnxBoxes(path)

    def propose(pixels: Image) -> Iterable[tuple[FloatBox, float]]:
        found = coarse.propose(pixels)
        for box, confidence in zip(found.boxes, found.confidences, strict=True):
            yield (float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(confidence)

    return propose


def _around(
    rng: np.random.Generator, scene: Scene, found: Object, box: npt.NDArray[np.float64], side: int
) -> Sample | None:
    """A window around a box that is about the specimen's."""
    size = box[2:] - box[:2]
    chance = rng.random()
    if chance < 0.65:
        shift, stretch = (0.06, 0.10) if chance < 0.4 else (0.18, 0.30)
        middle = (box[:2] + box[2:]) / 2 + rng.normal(0, shift, 2) * size
        half = size * np.exp(rng.normal(0, stretch, 2)) / 2
        low, high = middle - half, middle + half
    else:  # a box that takes in what is beside the specimen, or leaves out its wings
        low = box[:2] - np.where(rng.random(2) < 0.5, rng.uniform(-0.3, 1.1, 2), 0) * size
        high = box[2:] + np.where(rng.random(2) < 0.5, rng.uniform(-0.3, 1.1, 2), 0) * size
    height, width = scene.pixels.shape[:2]
    low, high = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
    if (high - low).min() < 2:
        return None
    window = window_around((low[0], low[1], high[0], high[1]), width, height)
    mask, share = _mask_in(window, found.mask, grid_of(side))
    if share < 1 - HIDDEN:
        return None
    target = np.clip(window.from_image(tuple(box)), 0, 1)
    return window.pixels(scene.pixels, side=side), mask, target.astype(np.float32), 1.0


def _elsewhere(rng: np.random.Generator, scene: Scene, side: int) -> Sample | None:
    """A window around something else, or around nothing."""
    height, width = scene.pixels.shape[:2]
    small = cv2.resize(scene.pixels, (64, 48), interpolation=cv2.INTER_AREA)
    contrast = np.abs(small.astype(np.float32) - cv2.medianBlur(small, 9)).sum(axis=2) + 0.5
    chances = (contrast ** rng.choice([1.0, 3.0, 5.0])).ravel().astype(np.float64)
    place = int(rng.choice(chances.size, p=chances / chances.sum()))
    x, y = (place % 64 + rng.random()) * width / 64, (place // 64 + rng.random()) * height / 48
    half = np.exp(rng.uniform(np.log(24), np.log(260), 2).mean() + rng.normal(0, 0.3, 2)) / 2
    box: FloatBox = (x - half[0], y - half[1], x + half[0], y + half[1])
    window = window_around(box, width, height)
    if any(_mask_in(window, one.mask, grid_of(side))[1] > TRACE for one in scene.objects):
        return None
    return _bare(window, scene, side)


def _bare(window: Window, scene: Scene, side: int) -> Sample:
    """A window without a specimen."""
    grid = grid_of(side)
    return window.pixels(scene.pixels, side=side), np.zeros((grid, grid), np.float32), np.zeros(4, np.float32), 0.0


def _proposed(
    propose: Propose, scene: Scene, boxes: list[tuple[Object, npt.NDArray[np.float64]]], side: int
) -> Iterator[Sample]:
    """Windows around the proposals; those that show half a specimen have no clear label and are left out."""
    height, width = scene.pixels.shape[:2]
    for rough, confidence in islice(propose(scene.pixels), PROPOSALS):
        if confidence < WORTH or min(rough[2] - rough[0], rough[3] - rough[1]) < 2:
            continue
        window = window_around(rough, width, height)
        seen = [(*_mask_in(window, one.mask, grid_of(side)), box, box_overlap(rough, tuple(box))) for one, box in boxes]
        mask, share, box, fit = max(seen, key=lambda one: one[3], default=(None, 0.0, np.zeros(4), 0.0))
        if mask is not None and fit >= MEANT and share >= 1 - HIDDEN:
            target = np.clip(np.array(window.from_image(tuple(box))), 0, 1)
            yield window.pixels(scene.pixels, side=side), mask, target.astype(np.float32), 1.0
        elif all(one[1] <= TRACE for one in seen):
            yield _bare(window, scene, side)


def _mask_in(window: Window, mask: Image, grid: int) -> tuple[npt.NDArray[np.float32], float]:
    """The mask at the network's grid, and the share of it that the window holds."""
    height, width = mask.shape
    x0, y0 = max(window.left, 0), max(window.top, 0)
    part = mask[y0 : min(window.top + window.side, height), x0 : min(window.left + window.side, width)]
    whole = np.zeros((window.side, window.side), np.uint8)
    top, left = y0 - window.top, x0 - window.left
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part * 255
    filtering = cv2.INTER_AREA if window.side > grid else cv2.INTER_LINEAR
    reduced = cv2.resize(whole, (grid, grid), interpolation=filtering)
    return np.asarray(reduced, np.float32) / np.float32(255), float(part.sum()) / max(int(mask.sum()), 1)


def _turned(rng: np.random.Generator, sample: Sample) -> Sample:
    """One of the eight turns and mirrorings, in another light."""
    pixels, mask, box, present = sample
    x0, y0, x1, y1 = box
    if rng.random() < 0.5:
        pixels, mask, x0, x1 = pixels[:, ::-1], mask[:, ::-1], 1 - x1, 1 - x0
    if rng.random() < 0.5:
        pixels, mask, y0, y1 = pixels[::-1], mask[::-1], 1 - y1, 1 - y0
    if rng.random() < 0.5:
        pixels, mask, x0, y0, x1, y1 = pixels.transpose(1, 0, 2), mask.T, y0, x0, y1, x1
    beyond = ~pixels.any(axis=2)
    lit = relit(rng, np.ascontiguousarray(pixels))
    lit[beyond] = 0  # the light does not change what is beyond the picture
    return lit, np.ascontiguousarray(mask), np.array([x0, y0, x1, y1], np.float32), present


def collate(samples: list[Sample]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels (n, 3, side, side) uint8, masks (n, grid, grid), boxes (n, 4), presence (n,)."""
    pixels, masks, boxes, present = zip(*samples, strict=True)
    return (
        torch.from_numpy(np.stack(pixels).transpose(0, 3, 1, 2)),
        torch.from_numpy(np.stack(masks)),
        torch.from_numpy(np.stack(boxes)),
        torch.tensor(present, dtype=torch.float32),
    )


Answer = tuple[Tensor, Tensor, Tensor]
"""Logits of mask, edges and scores, as `refiner.Refiner` gives them."""


def loss_of(answers: Answer, targets: Answer, taught: Answer | None = None) -> dict[str, Tensor]:
    """The parts of the loss; the box counts only if there is a specimen.

    Args:
        answers: of the network that learns.
        targets: masks, boxes and presence, as `collate` gives them.
        taught: the answers of a teacher, which count as much as the targets if there is a specimen. Otherwise they
            do not count: the teacher has learnt from few wings and legs without a specimen.
    """
    (mask, edges, scores), (masks, boxes, present) = answers, targets
    mask = mask[:, 0]
    there = present > 0
    if taught is not None:
        heard = 0.5 * there.float()
        masks = torch.lerp(masks, taught[0][:, 0].sigmoid(), heard[:, None, None].expand_as(masks))
        present = torch.lerp(present, taught[2][:, 0].sigmoid(), heard)
    parts = {"mask": functional.binary_cross_entropy_with_logits(mask, masks)}
    chances = mask.sigmoid()
    shared, total = (chances * masks).sum((1, 2)), chances.sum((1, 2)) + masks.sum((1, 2))
    parts["dice"] = (1 - (2 * shared[there] + 1) / (total[there] + 1)).mean()
    parts["present"] = functional.binary_cross_entropy_with_logits(scores[:, 0], present)
    grid = edges.shape[2]
    places = positions(grid).to(edges.device)
    edges, boxes = edges[there], boxes[there]
    # Between two positions, both are right by their distances.
    cells = ((boxes[:, :, None] - places[:, :, :1]) * grid).clamp(0, grid - 1)[:, :, 0]
    below = cells.floor().long().clamp(max=grid - 2)
    above = cells - below
    logs = edges.log_softmax(2)
    picked = logs.gather(2, below[:, :, None])[:, :, 0] * (1 - above)
    picked = picked + logs.gather(2, below[:, :, None] + 1)[:, :, 0] * above
    parts["edges"] = -picked.mean()
    if taught is not None:
        theirs = -(taught[1][there].softmax(2) * logs).sum(2).mean()
        parts["edges"] = (parts["edges"] + theirs) / 2
    predicted = places_of(logs.exp(), places)
    parts["distance"] = functional.smooth_l1_loss(predicted, boxes, beta=1 / grid)
    iou, apart = overlap(predicted, boxes)
    parts["overlap"] = (1 - iou + apart).mean()
    parts["iou"] = functional.binary_cross_entropy_with_logits(scores[there, 1], iou.detach())
    return parts


WEIGHTS = {"mask": 2.0, "dice": 0.5, "present": 1.5, "edges": 0.5, "distance": 4.0, "overlap": 1.0, "iou": 0.25}


def overlap(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """IoU of paired boxes, and the share of their common hull that neither covers."""
    low, high = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(1) for box in (one, other)]
    union = areas[0] + areas[1] - shared + 1e-6
    hull = torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])
    whole = hull.clamp(min=0).prod(1) + 1e-6
    return shared / union, (whole - union).clamp(min=0) / whole


class Run:
    """A training that can stop at any checkpoint and resume."""

    def __init__(
        self,
        output: Path,
        windows: int,
        rate: float,
        start: dict[str, Tensor] | None = None,
        network: str = "refiner",
        teacher: Path | None = None,
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(1)
        # Channels last: a tenth faster on a CPU.
        self.model = NETWORKS[network][0]().to(self.device, memory_format=torch.channels_last)
        self.checkpoint, self.final = output / f"{network}.checkpoint.pt", output / f"{network}.pt"
        encoder = []
        if isinstance(self.model, Teacher):
            encoder = list(self.model.backbone.parameters())
            if start is None and not self.checkpoint.exists():
                self.model.start()
        if start is not None:
            self.begin_with(start)
        self.teacher = None
        if teacher is not None:
            self.teacher = Teacher().eval()
            self.teacher.load_state_dict(torch.load(teacher, weights_only=True, map_location="cpu"))
            self.teacher.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).eval()
        known = {id(parameter) for parameter in encoder}
        others = [parameter for parameter in self.model.parameters() if id(parameter) not in known]
        # Layers that are already trained get a lower rate.
        groups = [{"params": others, "rate": rate}, {"params": encoder, "rate": rate * ENCODER_RATE}]
        self.optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, weight_decay=0.02)
        self.total = math.ceil(windows / BATCH)
        self.done = 0
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done = state["done"]

    def begin_with(self, weights: dict[str, Tensor]) -> None:
        """Take over the weights that fit; those of layers that are not there or of another size are left."""
        own = self.model.state_dict()
        fitting = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
        if not fitting:
            raise SystemExit("--from: none of the weights fit this network")
        self.model.load_state_dict(fitting, strict=False)
        print(f"{len(fitting)} of {len(own)} weights taken over")

    def step(self, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> dict[str, float]:
        """Learn from one batch."""
        progress = self.done / self.total
        factor = min(1.0, (self.done + 1) / WARM_UP) * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        pixels, *targets = (part.to(self.device) for part in batch)
        seen = (pixels.float() / 255).contiguous(memory_format=torch.channels_last)
        taught = None
        if self.teacher is not None:
            with torch.inference_mode():
                taught = self.teacher(seen)
        parts = loss_of(self.model.train()(seen), (targets[0], targets[1], targets[2]), taught)
        loss = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.done += 1
        decay = min(0.998, (1 + self.done) / (20 + self.done))
        with torch.no_grad():
            theirs = self.model.state_dict()
            for name, value in self.average.state_dict().items():
                if value.dtype.is_floating_point:
                    value.mul_(decay).add_(theirs[name], alpha=1 - decay)
                else:
                    value.copy_(theirs[name])
        return {name: float(part.detach()) for name, part in parts.items()}

    def save(self) -> None:
        """Write the checkpoint; the old one stays whole until the new one is."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "done": self.done,
        }
        new = self.checkpoint.with_suffix(".new")
        torch.save(state, new)
        new.replace(self.checkpoint)


def _proposals(output: Path, network: str, detector: Path | None) -> Path | None:
    """What proposes boxes: for the expert the whole detector, else the region proposal network of this run."""
    if detector is None:
        return _first_network(output)
    return detector if network == "expert" else detector / "coarse.onnx"


def _first_network(output: Path) -> Path | None:
    """The region proposal network as it is now, exported; None if it has no weights yet."""
    if not (output / "coarse" / "weights" / "last.pt").exists():
        print("no weights of the region proposal network yet: learning from true boxes only")
        return None
    path = output / "refiner.coarse.onnx"
    export_coarse(output, path)
    return path


def starting_weights(path: Path, network: str, windows: Windows) -> dict[str, Tensor]:
    """Weights to begin with, of an earlier run or an exported network."""
    if path.suffix != ".onnx":
        weights: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
        return weights
    architecture, side = NETWORKS[network]
    model: Any = architecture()
    take_over(model, path, torch.zeros(1, 3, side, side))
    samples = iter(windows)
    renormed(model, (collate(list(islice(samples, BATCH)))[0] / 255 for _ in range(MEASURED)))
    found: dict[str, Tensor] = model.state_dict()
    return found


def main() -> None:
    """Train, or resume the training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--network", choices=sorted(NETWORKS), default="refiner")
    parser.add_argument("--windows", type=int, default=480_000)
    parser.add_argument("--from", dest="start", type=Path, help="weights to start from, .pt or .onnx (fine-tuning)")
    parser.add_argument("--teacher", type=Path, help="weights of a teacher to learn from")
    parser.add_argument("--parts", nargs="+", choices=LEARNABLE, default=["training"], help="images to learn from")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--triage", type=Path, help="second triage of the images: learn from agreed labels only")
    parser.add_argument("--detector", type=Path, help="folder of the detector whose boxes the expert is asked about")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    final = arguments.output / f"{arguments.network}.pt"
    if final.exists():
        print(f"{final} is complete")
        return
    material = load_material(
        arguments.images,
        arguments.annotations,
        SCENE_WIDTH,
        arguments.parts,
        arguments.triage,
        PHOTOGRAPHED_FOR.get(arguments.network, PHOTOGRAPHED),
    )
    proposals = _proposals(arguments.output, arguments.network, arguments.detector)
    side = NETWORKS[arguments.network][1]
    start = None
    if arguments.start is not None and not (arguments.output / f"{arguments.network}.checkpoint.pt").exists():
        start = starting_weights(arguments.start, arguments.network, Windows(material, 0, side, proposals))
    run = Run(
        arguments.output,
        arguments.windows,
        arguments.rate,
        start,
        arguments.network,
        arguments.teacher,
    )
    # The seed moves on with the run, so that a resumed one does not see the same windows again.
    windows = Windows(material, 1 + run.done, side, proposals)
    batches = iter(torch.utils.data.DataLoader(windows, BATCH, num_workers=1, collate_fn=collate, prefetch_factor=8))
    sums: dict[str, float] = {}
    since = time.monotonic()
    while run.done < run.total:
        for name, value in run.step(next(batches)).items():
            sums[name] = sums.get(name, 0.0) + value / EPOCH
        if run.done % EPOCH == 0 or run.done == run.total:
            run.save()
            speed = EPOCH * BATCH / (time.monotonic() - since)
            line = " ".join(f"{name} {value:.4f}" for name, value in sums.items())
            print(f"{run.done}/{run.total} {line} {speed:.0f} windows/s", flush=True)
            sums, since = {}, time.monotonic()
    torch.save(run.average.state_dict(), run.final)
    print(f"-> {run.final}")


if __name__ == "__main__":
    execute(main)
