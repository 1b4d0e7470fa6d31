"""Classifiers over species: a linear one on a frozen encoder, and the fine-tuning of the whole network.

Belongs here: training a classifier, and the choice of its epoch by the partition val. Does not belong here: whom it is
asked about (`measure`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from bioscan_etl.evaluation.networks.encoder import Encoder
from bioscan_etl.evaluation.networks.pretraining import on
from bioscan_etl.evaluation.networks.tokens import tokenised
from bioscan_etl.evaluation.networks.training import Budget, Recipe, Shuffled, Trained, train
from bioscan_etl.evaluation.records import Numbers
from bioscan_etl.evaluation.search import Embedded
from bioscan_etl.extras import extras_named
from bioscan_etl.progress import Progress, silent

with extras_named():
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

PROBE = Recipe(batch=256, rate=1e-2, decay=1e-4, epochs=100)
"""Of the linear classifier on frozen vectors."""
FINE_TUNING = {
    "tiny": Recipe(batch=32, rate=1e-3, epochs=30),
    "4-4-4": Recipe(batch=128, rate=2e-4),
    "8-4-4": Recipe(batch=128, rate=2e-4),
    "4-12-12": Recipe(batch=128, rate=2e-4),
}
_ROWS = 256  # barcodes that are classified at a time


@dataclass(frozen=True, slots=True)
class Examples:
    """What a classifier learns from, and what its epoch is chosen by.

    Attributes:
        barcodes: positions of the barcodes, int64, shape (rows,).
        classes: from 0 without a gap, int64, shape (rows,).
        chosen_by: positions of other barcodes; may be empty.
        their_classes: of these.
    """

    barcodes: Numbers
    classes: Numbers
    chosen_by: Numbers
    their_classes: Numbers

    @property
    def count(self) -> int:
        """Number of classes."""
        return int(self.classes.max()) + 1

    def shuffled(self, seed: int) -> Examples:
        """The same with the classes shuffled, those of the training and those of the choice."""
        draws = np.random.Generator(np.random.PCG64(seed))
        return Examples(
            self.barcodes, draws.permutation(self.classes), self.chosen_by, draws.permutation(self.their_classes)
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained classifier.

    Attributes:
        answers: number of the class of some barcodes, given their positions.
        trained: what it took.
        chosen_at: steps after which the classifier was kept.
        model: the network.
    """

    answers: Callable[[Numbers], Numbers]
    trained: Trained
    chosen_at: int
    model: nn.Module


class _OnVectors(nn.Module):
    """A linear classifier on vectors, which are first brought to the mean 0 and deviation 1 of the training."""

    def __init__(self, vectors: Tensor, count: int) -> None:
        super().__init__()
        self.register_buffer("mean", vectors.mean(0))
        self.register_buffer("scale", vectors.std(0, correction=0).clamp(min=1e-6))
        self.linear = nn.Linear(vectors.shape[1], count)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        return self.linear((vectors - self.mean) / self.scale)


class _OnBarcodes(nn.Module):
    """The encoder with a linear classifier on its embedding, brought to length 1 as that of the probe is."""

    def __init__(self, encoder: Encoder, classifier: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier

    def forward(self, numbers: Tensor, attended: Tensor) -> Tensor:
        return self.classifier(functional.normalize(self.encoder.pooled(numbers, attended), dim=1))


def probed(
    vectors: Embedded,
    examples: Examples,
    *,
    seed: int,
    device: torch.device,
    recipe: Recipe = PROBE,
    progress: Progress = silent,
    label: str = "linear probe",
) -> Fitted:
    """Train a linear classifier on the vectors of a frozen encoder.

    Args:
        vectors: by position of the barcode.
        examples: at least one.
        seed: of the order.
        device: to train on.
        recipe: how it learns.
        progress: reports steps.
        label: what it reports them as.
    """

    def at(positions: Numbers) -> tuple[Tensor, ...]:
        return (torch.from_numpy(vectors.at(positions)).to(device),)

    model = _OnVectors(at(examples.barcodes)[0], examples.count).to(device)
    steps = Budget().planned(recipe, _order(examples, recipe, seed).per_epoch, 0.0, device.type)
    return _fitted(model, at, examples, recipe, steps, seed, device, progress, label)


def fine_tuned(
    encoder: Encoder,
    barcodes: pl.Series,
    examples: Examples,
    probe: Fitted,
    recipe: Recipe,
    budget: Budget,
    *,
    seed: int,
    device: torch.device,
    progress: Progress = silent,
    label: str = "fine-tuning",
) -> Fitted:
    """Train a copy of an encoder together with a linear classifier on its embedding.

    The classifier starts as the linear probe (Kumar et al. 2022, arXiv:2202.10054). From zeros, an encoder that was
    trained for minutes would not have told classes apart in the time that a CPU has.

    Args:
        encoder: pretrained; it stays as it is.
        barcodes: text, by position.
        examples: at least one.
        probe: on the vectors of this encoder, with the same classes; it stays as it is.
        recipe: how it learns.
        budget: how long.
        seed: of the order and the dropout.
        device: to train on.
        progress: reports steps.
        label: what it reports them as.
    """
    k = encoder.size.k

    def at(positions: Numbers) -> tuple[Tensor, ...]:
        return on(device, tokenised(barcodes.gather(positions), k))

    model = _OnBarcodes(copy.deepcopy(encoder), copy.deepcopy(probe.model)).to(device)
    order = _order(examples, recipe, seed)
    steps = budget.planned(recipe, order.per_epoch, encoder.size.products(order.batch), device.type)
    return _fitted(model, at, examples, recipe, steps, seed, device, progress, label)


def _order(examples: Examples, recipe: Recipe, seed: int) -> Shuffled:
    return Shuffled(len(examples.barcodes), recipe.batch, seed)


def _fitted(
    model: nn.Module,
    at: Callable[[Numbers], tuple[Tensor, ...]],
    examples: Examples,
    recipe: Recipe,
    steps: int,
    seed: int,
    device: torch.device,
    progress: Progress,
    label: str,
) -> Fitted:
    """Train, and keep the epoch with the most right answers on val, the start included; of equal ones, the later."""
    order = _order(examples, recipe, seed)
    classes = torch.from_numpy(examples.classes).to(device)

    def loss_of(step: int) -> Tensor:
        rows = order.at(step)
        return functional.cross_entropy(model(*at(examples.barcodes[rows])).float(), classes[torch.from_numpy(rows)])

    best, chosen_at, kept = -1, 0, copy.deepcopy(model.state_dict())

    def compare(step: int) -> None:
        nonlocal best, chosen_at, kept
        right = int((_answers(model, at, examples.chosen_by, device) == examples.their_classes).sum())
        if right >= best:
            best, chosen_at, kept = right, step, copy.deepcopy(model.state_dict())

    model.eval()
    compare(0)
    trained = train(
        model,
        loss_of,
        recipe,
        steps,
        epoch=order.per_epoch,
        batch=order.batch,
        seed=seed,
        device=device,
        after_epoch=compare,
        progress=progress,
        label=label,
    )
    model.load_state_dict(kept)
    return Fitted(lambda positions: _answers(model, at, positions, device), trained, chosen_at, model)


def _answers(
    model: nn.Module, at: Callable[[Numbers], tuple[Tensor, ...]], positions: Numbers, device: torch.device
) -> Numbers:
    found = np.empty(len(positions), np.int64)
    for start in range(0, len(positions), _ROWS):
        part = positions[start : start + _ROWS]
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            found[start : start + len(part)] = model(*at(part)).argmax(1).cpu().numpy()
    return found
