"""The training loop of all networks: seeded, resumable, within a budget.

Belongs here: steps, their order, checkpoints of a training, speed and memory. Does not belong here: what is learnt
(`pretraining`, `classify`, `alignment`) and files of weights (`checkpoints`).

Each step draws from numbers of its own, which its seed and its number give. So a training that was killed goes on from
its checkpoint as if nothing had happened. On a CPU it ends in the same weights; a GPU adds in an order of its own.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.evaluation.budget import PRODUCTS
from bioscan_etl.evaluation.networks.checkpoints import read_tensors, write_tensors
from bioscan_etl.evaluation.records import Numbers
from bioscan_etl.extras import extras_named
from bioscan_etl.progress import Progress, silent

with extras_named():
    import torch
    from torch import Tensor, nn

ON_GPU = 1e14
"""Multiplications and additions of bfloat16 in a second of a GPU: a third of what an A100 can at most."""
_LEAST = 20  # steps of a training, however short its budget, if its epochs have so many
_CHECKPOINT_SECONDS = 30.0
_REPORT_SECONDS = 1.0
_KEPT = ("step", "model", "optimizer", "schedule")  # in a checkpoint of a training


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network learns: AdamW with a one-cycle schedule (Smith and Topin 2019, doi:10.1117/12.2520589).

    Attributes:
        batch: rows of a step, if there are so many.
        rate: highest learning rate.
        first: the rate at the start, as a share of the highest.
        last: the rate at the end, as a share of that at the start.
        decay: of the weights.
        epochs: at most, if the budget allows.
    """

    batch: int
    rate: float
    first: float = 1 / 25
    last: float = 1e-4
    decay: float = 0.01
    epochs: int = 35


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a network learns: known before it starts, and the same on each machine (`evaluation.budget`).

    Attributes:
        minutes: of one core, or of a GPU, by the constant for its kind; None: as long as the epochs take.
        steps: exactly so many, whatever the minutes.
    """

    minutes: float | None = None
    steps: int | None = None

    def share(self, part: float) -> Budget:
        """A part of it, at least one step."""
        return Budget(
            None if self.minutes is None else self.minutes * part,
            None if self.steps is None else max(round(self.steps * part), 1),
        )

    def planned(self, recipe: Recipe, epoch: int, products: float, device: str) -> int:
        """Steps of a training.

        Args:
            recipe: how it learns.
            epoch: steps of an epoch.
            products: multiplications and additions of a step.
            device: `cpu` or `cuda`.
        """
        if self.steps is not None:
            return self.steps
        wanted = epoch * recipe.epochs
        if self.minutes is None:
            return wanted
        each = products / (ON_GPU if device == "cuda" else PRODUCTS)
        return min(max(int(self.minutes * 60 / each), _LEAST), wanted)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training took.

    Attributes:
        label: what learnt what.
        steps: of the whole training.
        batch: rows of a step.
        done: steps of this run; fewer if it was resumed.
        seconds: wall time of this run's steps.
        loss: of the last step; NaN if this run made none.
        peak: bytes of memory at most: of the GPU, or of the process on a CPU.
        device: `cpu`, or the name of the GPU.
    """

    label: str
    steps: int
    batch: int
    done: int
    seconds: float
    loss: float
    peak: int
    device: str

    @property
    def throughput(self) -> float:
        """Rows per second; 0 if this run made no step."""
        return self.done * self.batch / self.seconds if self.seconds else 0.0

    def line(self) -> str:
        """In words."""
        return (
            f"{self.label}: {self.done} of {self.steps} steps of {self.batch}, {self.throughput:.0f} rows/s, "
            f"{self.peak / 1e6:.0f} MB on {self.device}, last loss {self.loss:.4f}"
        )


def device_of(name: str) -> torch.device:
    """The device of a name; `auto` is a GPU if there is one.

    Raises:
        SettingsError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise SettingsError(f"there is no device {name!r}; choose auto or cpu, or see what PyTorch finds") from None
    return device


class Shuffled:
    """Rows in an order of their own in each epoch; what does not fill a batch waits for the next one."""

    def __init__(self, rows: int, batch: int, seed: int) -> None:
        self.rows, self.batch, self.seed = rows, min(batch, rows), seed
        self.per_epoch = rows // self.batch if rows else 0
        self._of_epoch = lru_cache(maxsize=1)(self._permuted)

    def _permuted(self, epoch: int) -> Numbers:
        return np.random.Generator(np.random.PCG64([self.seed, epoch])).permutation(self.rows)

    def at(self, step: int) -> Numbers:
        """The rows of a step, int64, shape (batch,)."""
        epoch, part = divmod(step, self.per_epoch)
        return self._of_epoch(epoch)[part * self.batch : (part + 1) * self.batch]


def train(
    model: nn.Module,
    loss_of: Callable[[int], Tensor],
    recipe: Recipe,
    steps: int,
    *,
    epoch: int,
    batch: int,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    every: float = _CHECKPOINT_SECONDS,
    after_epoch: Callable[[int], None] | None = None,
    progress: Progress = silent,
    label: str = "training",
) -> Trained:
    """Train a model.

    Args:
        model: on the device; it is changed, and is in the mode of evaluation afterwards.
        loss_of: the loss of a step, given its number; it draws from torch's own generator only.
        recipe: how it learns.
        steps: how many, at least 1.
        epoch: steps of an epoch, at least 1.
        batch: rows of a step.
        seed: of the steps.
        device: of the model.
        checkpoint: file that the training resumes from and writes; the caller names it after all that decides the
            result.
        every: seconds between two checkpoints.
        after_epoch: called with the number of steps so far, after each epoch and at the end, while the model is in the
            mode of evaluation. A killed training loses what it kept, so there is no checkpoint with it.
        progress: reports steps.
        label: what it reports them as.
    """
    if checkpoint is not None and after_epoch is not None:
        raise ValueError("a training with after_epoch cannot resume")
    held = _held(checkpoint)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.rate, total_steps=steps, div_factor=1 / recipe.first, final_div_factor=1 / recipe.last
        )
        begun = 0
        if held:
            begun = held["step"]
            model.load_state_dict(held["model"])
            optimizer.load_state_dict(held["optimizer"])
            schedule.load_state_dict(held["schedule"])
        start = kept = told = time.monotonic()
        loss = torch.tensor(float("nan"))
        for step in range(begun, steps):
            optimizer.zero_grad(set_to_none=True)
            loss = _loss(loss_of, seed, step, device)
            loss.backward()
            optimizer.step()
            schedule.step()
            done, now = step + 1, time.monotonic()
            if checkpoint is not None and (now - kept >= every or done == steps):
                write_tensors(checkpoint, _state(done, model, optimizer, schedule))
                kept = time.monotonic()
            if now - told >= _REPORT_SECONDS or done == steps:
                progress(label, done, steps)
                told = now
            if after_epoch is not None and (done % epoch == 0 or done == steps):
                model.eval()
                after_epoch(done)
                model.train()
        last = float(loss.detach())
        seconds = time.monotonic() - start
    model.eval()
    return Trained(label, steps, batch, steps - begun, seconds, last, peak_memory(device), device_name(device))


def _held(checkpoint: Path | None) -> dict[str, Any] | None:
    """What a checkpoint of a training holds; None without one."""
    if checkpoint is None or not checkpoint.is_file():
        return None
    held = read_tensors(checkpoint)
    if missing := sorted({*_KEPT} - {*held}):
        raise SourceError(f"{checkpoint} is no checkpoint of a training, it has no {missing[0]}: remove it")
    return held


def _loss(loss_of: Callable[[int], Tensor], seed: int, step: int, device: torch.device) -> Tensor:
    torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1))
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        return loss_of(step)


def _state(
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> dict[str, object]:
    return {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
    }


def peak_memory(device: torch.device) -> int:
    """Bytes that were in use at most: of the GPU since the training began, or of the process since it began."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_name(device: torch.device) -> str:
    """`cpu`, or what the GPU is called."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else device.type
