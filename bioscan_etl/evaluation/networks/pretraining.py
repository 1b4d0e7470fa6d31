"""Masked pretraining of the transformer (spec: benchmarks, BarcodeBERT).

Belongs here: what is masked, the loss, the accuracy on masked tokens, and embeddings. Does not belong here: which
barcodes, and what they are asked (`measure`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.barcodes.tokens import MASK, SPECIAL
from bioscan_etl.evaluation.networks.encoder import Encoder, MaskedModel
from bioscan_etl.evaluation.networks.tokens import Tokens, tokenised
from bioscan_etl.evaluation.networks.training import Budget, Recipe, Shuffled, Trained, train
from bioscan_etl.evaluation.records import Numbers
from bioscan_etl.evaluation.search import Held
from bioscan_etl.extras import extras_named
from bioscan_etl.progress import Progress, silent

with extras_named():
    import torch
    from torch import Tensor
    from torch.nn import functional

CHANCE = 0.5
"""Chance of a token that is not special to be masked."""
RECIPES = {
    "tiny": Recipe(batch=32, rate=3e-3),
    "4-4-4": Recipe(batch=128, rate=2e-4),
    "8-4-4": Recipe(batch=128, rate=2e-4),
    "4-12-12": Recipe(batch=128, rate=2e-4),
}
"""As published, 1e-4 for 64 barcodes and in proportion for a larger batch; more for the tiny one, of few steps."""
_ROWS = 256  # barcodes that are embedded at a time


def masked(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Mask half of the tokens that are k-mers; special ones, and so padding, are never masked.

    Args:
        numbers: tokens, int64, shape (rows, length).

    Returns:
        The tokens with `MASK` in place of some, and which are masked; both of that shape.
    """
    hidden = (torch.rand(numbers.shape, device=numbers.device) < CHANCE) & (numbers >= SPECIAL)
    return numbers.masked_fill(hidden, MASK), hidden


def masked_loss(model: MaskedModel, numbers: Tensor, attended: Tensor) -> Tensor:
    """Cross-entropy over all tokens that are k-mers, masked or not.

    Args:
        model: the model.
        numbers: tokens, int64, shape (rows, length).
        attended: which are no padding.

    Returns:
        A scalar; 0 if there is no k-mer.
    """
    logits = model(masked(numbers)[0], attended).float()
    counts = numbers >= SPECIAL
    total = functional.cross_entropy(logits[counts], numbers[counts] - SPECIAL, reduction="sum")
    return total / counts.sum().clamp(min=1)


def on(device: torch.device, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """Tokens as tensors: int64 numbers, and which are attended."""
    numbers = torch.from_numpy(tokens.numbers.astype(np.int64)).to(device)
    return numbers, torch.from_numpy(tokens.attended).to(device)


def pretrain(
    model: MaskedModel,
    barcodes: pl.Series,
    recipe: Recipe,
    budget: Budget,
    *,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    progress: Progress = silent,
    label: str = "pretraining",
) -> Trained:
    """Train a model to name the k-mers of barcodes of which half are masked.

    As published, a barcode is read from its first, second, … or k-th letter, drawn anew each time, so that the model
    does not learn k-mers at fixed places only.

    Args:
        model: on the device; it is changed.
        barcodes: text, distinct, at least one.
        recipe: how it learns.
        budget: how long.
        seed: of the order, the masks and all else that is drawn.
        device: of the model.
        checkpoint: file that it resumes from and writes.
        progress: reports steps.
        label: what it reports them as.
    """
    order = Shuffled(len(barcodes), recipe.batch, seed)
    size = model.bert.size
    steps = budget.planned(recipe, order.per_epoch, size.products(order.batch, headed=True), device.type)

    def loss_of(step: int) -> Tensor:
        offsets = np.random.Generator(np.random.PCG64([seed, step])).integers(0, size.k, order.batch)
        numbers, attended = on(device, tokenised(barcodes.gather(order.at(step)), size.k, offsets))
        return masked_loss(model, numbers, attended)

    return train(
        model,
        loss_of,
        recipe,
        steps,
        epoch=order.per_epoch,
        batch=order.batch,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
        label=label,
    )


def masked_accuracy(model: MaskedModel, barcodes: pl.Series, *, seed: int, device: torch.device) -> float:
    """The share of masked tokens that are named right, each barcode being masked once; NaN without any.

    Args:
        model: on the device, in the mode of evaluation.
        barcodes: text.
        seed: of the masks.
        device: of the model.
    """
    right = total = 0
    generators = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=generators), torch.inference_mode():
        torch.manual_seed(seed)
        for start in range(0, len(barcodes), _ROWS):
            numbers, attended = on(device, tokenised(barcodes[start : start + _ROWS], model.bert.size.k))
            given, hidden = masked(numbers)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                found = model(given, attended).argmax(2)
            right += int((found[hidden] == numbers[hidden] - SPECIAL).sum())
            total += int(hidden.sum())
    return right / total if total else float("nan")


def embedded(
    encoder: Encoder,
    barcodes: pl.Series,
    *,
    device: torch.device,
    wanted: Numbers | None = None,
    progress: Progress = silent,
    label: str = "embedding",
) -> Held:
    """One vector per barcode: the mean of the last hidden states over the tokens that are not padding.

    Args:
        encoder: on the device.
        barcodes: text.
        device: of the encoder.
        wanted: positions of the barcodes that are needed; None: all. The others have no vector.
        progress: reports barcodes.
        label: what it reports them as.

    Returns:
        Vectors of length 1, by position.
    """
    encoder.eval()
    chosen = np.arange(len(barcodes)) if wanted is None else np.unique(wanted)
    vectors = np.empty((len(chosen), encoder.size.width), np.float32)
    for start in range(0, len(chosen), _ROWS):
        part = chosen[start : start + _ROWS]
        numbers, attended = on(device, tokenised(barcodes.gather(part), encoder.size.k))
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            vectors[start : start + len(part)] = encoder.pooled(numbers, attended).cpu().numpy()
        progress(label, start + len(part), len(chosen))
    return Held(chosen, vectors, len(barcodes))
