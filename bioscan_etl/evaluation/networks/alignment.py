"""Contrastive alignment of images, DNA and text (spec: benchmarks, CLIBD).

Belongs here: the loss, the heads and encoders that are trained, and the aligned vectors. Does not belong here: what is
aligned (`modalities`) and the search (`retrieval`).
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from bioscan_etl import vocabulary
from bioscan_etl.evaluation.networks.modalities import Barcodes, Frozen, Modality, Names, trained_rows
from bioscan_etl.evaluation.networks.pretraining import on
from bioscan_etl.evaluation.networks.tokens import tokenised
from bioscan_etl.evaluation.networks.training import Budget, Recipe, Shuffled, Trained, train
from bioscan_etl.evaluation.records import NO_LABEL, Numbers, Records
from bioscan_etl.evaluation.search import Held, Vectors
from bioscan_etl.extras import extras_named
from bioscan_etl.progress import Progress, silent

with extras_named():
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

TRAINED_ON = vocabulary.TRAINING
"""Partitions of the pairs (spec: benchmarks, which records)."""
_TEMPERATURE, _SCALE = 0.07, 100.0  # at the start, and the largest factor of a cosine: Radford et al. 2021 (CLIP)
_SAMPLE = 4096  # vectors that set the mean and deviation of inputs
_ROWS = 512  # things that are embedded at a time


@dataclass(frozen=True, slots=True)
class Plan:
    """How modalities are aligned.

    Attributes:
        recipe: how the heads learn.
        width: of the aligned vectors.
        hidden: width between two linear maps of a head; 0: one linear map.
        rank: records of one label belong together; None: each record to itself.
    """

    recipe: Recipe
    width: int
    hidden: int
    rank: str | None = None


PUBLISHED = Plan(Recipe(batch=500, rate=5e-5, first=1e-6 / 5e-5, last=1.0, epochs=20), width=768, hidden=0)
"""As in CLIBD, whose encoders are trained whole."""
ON_CPU = Plan(Recipe(batch=500, rate=1e-3, first=1e-6 / 5e-5, last=1.0, epochs=20), width=256, hidden=0)
"""For heads on frozen features: a higher rate, since they are small. On val of the demo corpus, a second linear map or
twice the epochs learn the pairs by heart."""


@dataclass(frozen=True)
class Aligned:
    """Modalities in one space.

    Attributes:
        vectors: by modality, of each of its things that a row has, of length 1.
        of_row: by modality, the thing of each row.
        trained: what it took; None for heads as they were at the start.
        pairs: rows that it was trained on.
    """

    vectors: dict[str, Held]
    of_row: dict[str, Numbers]
    trained: Trained | None
    pairs: int


def alignment_loss(embedded: Sequence[Tensor], scale: Tensor, groups: Tensor) -> Tensor:
    """The loss of some records: over each ordered pair of modalities, cross-entropy of similarities.

    Where several records belong together, each of them is as right as the others.

    Args:
        embedded: by modality, vectors of length 1, shape (rows, width).
        scale: factor of the cosine, the inverse of the temperature.
        groups: number of what each record belongs to, shape (rows,).

    Returns:
        The mean over the pairs of modalities, a scalar.
    """
    together = (groups[:, None] == groups[None, :]).float()
    right = together / together.sum(1, keepdim=True)
    losses = [
        functional.cross_entropy(scale * (one.float() @ other.float().T), right)
        for one, other in permutations(embedded, 2)
    ]
    return torch.stack(losses).mean()


class _Head(nn.Module):
    def __init__(self, inputs: int, plan: Plan) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            *((nn.Linear(inputs, plan.hidden), nn.GELU()) if plan.hidden else ()),
            nn.Linear(plan.hidden or inputs, plan.width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.maps(x), dim=1)


class _OfVectors(nn.Module):
    """A head on frozen features, which are first centred and brought to a deviation of about 1."""

    def __init__(self, inputs: Frozen, sample: Vectors, plan: Plan) -> None:
        super().__init__()
        seen = torch.from_numpy(sample)
        self.register_buffer("mean", seen.mean(0))
        self.register_buffer("scale", (seen - seen.mean(0)).square().mean().sqrt().clamp(min=1e-6))
        self.head = _Head(inputs.width, plan)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x - self.mean) / self.scale)


class _OfNames(nn.Module):
    def __init__(self, inputs: Names, plan: Plan) -> None:
        super().__init__()
        self.names = nn.EmbeddingBag(inputs.count, plan.width, mode="mean")
        self.head = _Head(plan.width, plan)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.head(self.names(numbers))


class _OfBarcodes(nn.Module):
    def __init__(self, inputs: Barcodes, plan: Plan) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(inputs.encoder)
        self.head = _Head(inputs.encoder.size.width, plan)

    def forward(self, numbers: Tensor, attended: Tensor) -> Tensor:
        return self.head(self.encoder.pooled(numbers, attended))


class _Aligner(nn.Module):
    """One network per modality, and the temperature that they share."""

    def __init__(self, modalities: Sequence[Modality], rows: Numbers, plan: Plan) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({one.name: _part(one, rows, plan) for one in modalities})
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / _TEMPERATURE)))

    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp(max=_SCALE)


def _part(modality: Modality, rows: Numbers, plan: Plan) -> nn.Module:
    if isinstance(modality.inputs, Frozen):
        things = np.unique(modality.of_row[rows])
        if len(things) > _SAMPLE:
            things = things[np.linspace(0, len(things) - 1, _SAMPLE).astype(np.int64)]
        return _OfVectors(modality.inputs, modality.inputs.vectors.at(things), plan)
    return _OfNames(modality.inputs, plan) if isinstance(modality.inputs, Names) else _OfBarcodes(modality.inputs, plan)


def _inputs(modality: Modality, things: Numbers, device: torch.device) -> tuple[Tensor, ...]:
    if isinstance(modality.inputs, Frozen):
        return (torch.from_numpy(modality.inputs.vectors.at(things)).to(device),)
    if isinstance(modality.inputs, Names):
        return (torch.from_numpy(modality.inputs.numbers[things]).to(device),)
    return on(device, tokenised(modality.inputs.texts.gather(things), modality.inputs.encoder.size.k))


def align(
    records: Records,
    modalities: Sequence[Modality],
    plan: Plan,
    budget: Budget,
    *,
    seed: int,
    device: torch.device,
    shuffled: bool = False,
    checkpoints: Path | None = None,
    progress: Progress = silent,
    label: str = "alignment",
) -> Aligned:
    """Train networks that bring the modalities of a record together, and embed all things with them.

    Args:
        records: the release.
        modalities: two or three.
        plan: how they learn.
        budget: how long; no steps leave the heads as they are at the start.
        seed: of all that is drawn.
        device: to train on.
        shuffled: whether each record gets the other modalities of another one: the control.
        checkpoints: folder that a killed training resumes from.
        progress: reports steps and things.
        label: what it reports them as.
    """
    rows = trained_rows(records, [one.of_row for one in modalities], TRAINED_ON)
    paired = {one.name: one.of_row[rows] for one in modalities}
    if shuffled:
        draws = np.random.Generator(np.random.PCG64(seed))
        paired = {
            name: things if not at else draws.permutation(things) for at, (name, things) in enumerate(paired.items())
        }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _Aligner(modalities, rows, plan).to(device)
    trained = None
    if len(rows) > 1 and budget.steps != 0:
        trained = _train(
            records, modalities, plan, budget, model, rows, paired, seed, device, checkpoints, progress, label
        )
    model.eval()
    vectors = {one.name: _embedded(model.parts[one.name], one, plan, device, progress, label) for one in modalities}
    return Aligned(vectors, {one.name: one.of_row for one in modalities}, trained, len(rows))


def _train(
    records: Records,
    modalities: Sequence[Modality],
    plan: Plan,
    budget: Budget,
    model: _Aligner,
    rows: Numbers,
    paired: dict[str, Numbers],
    seed: int,
    device: torch.device,
    checkpoints: Path | None,
    progress: Progress,
    label: str,
) -> Trained:
    order = Shuffled(len(rows), plan.recipe.batch, seed)
    groups = torch.from_numpy(_groups(records, rows, plan.rank)).to(device)

    def loss_of(step: int) -> Tensor:
        at = order.at(step)
        embedded = [model.parts[one.name](*_inputs(one, paired[one.name][at], device)) for one in modalities]
        return alignment_loss(embedded, model.scale(), groups[torch.from_numpy(at)])

    steps = budget.planned(plan.recipe, order.per_epoch, _products(modalities, plan, order.batch), device.type)
    facts = [asdict(plan), steps, seed, records.digest, device.type]
    seen = [hashlib.sha256(paired[one.name].tobytes()).hexdigest() + one.note for one in modalities]
    name = hashlib.sha256(json.dumps([facts, seen], sort_keys=True).encode()).hexdigest()[:12]
    return train(
        model,
        loss_of,
        plan.recipe,
        steps,
        epoch=order.per_epoch,
        batch=order.batch,
        seed=seed,
        device=device,
        checkpoint=checkpoints / f"alignment-{name}.pt" if checkpoints is not None else None,
        progress=progress,
        label=label,
    )


def _groups(records: Records, rows: Numbers, rank: str | None) -> Numbers:
    """What each row belongs to: itself, or all rows of its label; a row without a label to itself."""
    own = np.arange(len(rows))
    if rank is None:
        return own
    labels = records.codes(rank)[rows]
    return np.where(labels == NO_LABEL, len(records.rows) + own, labels)


def _products(modalities: Sequence[Modality], plan: Plan, batch: int) -> float:
    """Multiplications and additions of a step."""
    total = 0.0
    for one in modalities:
        inputs = plan.width
        if isinstance(one.inputs, Frozen):
            inputs = one.inputs.width
        if isinstance(one.inputs, Barcodes):
            inputs = one.inputs.encoder.size.width
            total += one.inputs.encoder.size.products(batch)
        head = inputs * plan.hidden + plan.hidden * plan.width if plan.hidden else inputs * plan.width
        total += 3 * 2.0 * batch * head
    pairs = len(modalities) * (len(modalities) - 1)
    return total + pairs * 3 * 2.0 * batch**2 * plan.width


def _embedded(
    part: nn.Module, modality: Modality, plan: Plan, device: torch.device, progress: Progress, label: str
) -> Held:
    """The vectors of all things of a modality that some row has."""
    used = np.unique(modality.of_row[modality.of_row != NO_LABEL])
    vectors = np.empty((len(used), plan.width), np.float32)
    for start in range(0, len(used), _ROWS):
        things = used[start : start + _ROWS]
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            found = part(*_inputs(modality, things, device)).float()
        vectors[start : start + len(things)] = found.cpu().numpy()
        progress(f"{label}: {modality.name}", start + len(things), len(used))
    return Held(used, vectors, modality.things)
