"""What a transformer over k-mers learns from a release, asked as BarcodeBERT asks it (spec: benchmarks, BarcodeBERT).

Belongs here: which models are asked what. Does not belong here: their training (`pretraining`, `classify`) and the
questions (`barcodebert`). Importing this module needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bioscan_etl import vocabulary
from bioscan_etl.evaluation import barcodebert
from bioscan_etl.evaluation.barcodebert import Task, Tasks, by_neighbours, within
from bioscan_etl.evaluation.measured import RETRAINED, Clock, Sheet
from bioscan_etl.evaluation.networks.sizes import Size, size_of
from bioscan_etl.evaluation.records import NO_LABEL, Numbers, Records
from bioscan_etl.extras import require_extra
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress, silent

if TYPE_CHECKING:
    import torch

    from bioscan_etl.evaluation.networks.classify import Examples, Fitted
    from bioscan_etl.evaluation.networks.encoder import MaskedModel
    from bioscan_etl.evaluation.networks.training import Trained

PRETRAINED_ON = tuple(split for split in vocabulary.NOT_EVALUATED if split != vocabulary.UNSEEN_KEY)
"""Partitions whose barcodes the pretraining sees: pretrain, train, other_heldout (spec: benchmarks, which records)."""
CHOSEN_BY = ("val",)
LIBRARIES = ("torch",)
MODELS = {
    "pretrained": "transformer {}, pretrained",
    "read": "transformer of {}",
    "random": "transformer {}, random weights",
}
_PRETRAINING = 0.6  # of the budget; the rest is for fine-tuning
_NAMES = 12  # letters of a digest in the name of a checkpoint


@dataclass(frozen=True, slots=True)
class Options:
    """How the network of a run is made.

    Attributes:
        size: a name of `sizes.SIZES`.
        budget_minutes: of one core or a GPU, for pretraining and fine-tuning together; None: all epochs.
        steps: of the pretraining, instead; the fine-tuning then has as many.
        device: `auto`, `cpu` or `cuda`.
        weights: a file that is asked instead of a network that is pretrained here.
        checkpoints: folder that a killed pretraining resumes from, and where the pretrained model is kept.
    """

    size: str = "tiny"
    budget_minutes: float | None = 10.0
    steps: int | None = None
    device: str = "auto"
    weights: Path | None = None
    checkpoints: Path | None = None


def measure(
    records: Records,
    sheet: Sheet,
    progress: Progress = silent,
    *,
    size: str = "tiny",
    budget_minutes: float | None = 10.0,
    steps: int | None = None,
    device: str = "auto",
    weights: Path | None = None,
    checkpoints: Path | None = None,
    tasks: Tasks | None = None,
) -> list[Trained]:
    """Ask a transformer: pretrained here or read from a file, and one of its size with random weights.

    Both answer by their nearest barcode and by a linear classifier on their embeddings. The first is fine-tuned, too.

    Args:
        records: the release.
        sheet: takes the scores; its seed decides all that is drawn.
        progress: reports steps and barcodes.
        size: a name of `sizes.SIZES`; of no account with weights.
        budget_minutes: of one core or a GPU, for pretraining and fine-tuning together; None: all epochs.
        steps: of the pretraining, instead; the fine-tuning then has as many.
        device: `auto`, `cpu` or `cuda`.
        weights: a checkpoint that is asked instead of a network that is pretrained here (`checkpoints.load_model`).
        checkpoints: folder that a killed pretraining resumes from, and where the pretrained model is kept.
        tasks: what is asked; by default `barcodebert.tasks`.

    Returns:
        What each training took: speed and memory, which the scores do not depend on.

    Raises:
        MissingExtraError: the extra `bench` is not installed.
        SettingsError: there is no such size or device.
        SourceError: the weights cannot be read.
    """
    require_extra("bench")
    options = Options(size, budget_minutes, steps, device, weights, checkpoints)
    return _Run(records, sheet, progress, options, tasks or barcodebert.tasks(records)).all()


class _Run:
    """The state of one measurement."""

    def __init__(self, records: Records, sheet: Sheet, progress: Progress, options: Options, tasks: Tasks) -> None:
        from bioscan_etl.evaluation.networks.training import Budget, device_of

        self.records, self.sheet, self.progress, self.options, self.tasks = records, sheet, progress, options, tasks
        self.device: torch.device = device_of(options.device)
        self.budget = Budget(options.budget_minutes, options.steps)
        self.trained: list[Trained] = []

    def all(self) -> list[Trained]:
        from bioscan_etl.evaluation.networks.encoder import begun

        if self.options.weights is None:
            size, name = size_of(self.options.size), self.options.size
            self._ask_pretrained(size)
        else:
            name = printable(self.options.weights.name)
            size = self._ask_read(self.options.weights, name)
            name = f"shaped as {name}"
        self._ask(begun(size, self.sheet.seed), MODELS["random"].format(name), "no training", Clock(), tuned=False)
        return self.trained

    def _ask_pretrained(self, size: Size) -> None:
        from bioscan_etl.evaluation.networks.encoder import begun
        from bioscan_etl.evaluation.networks.pretraining import RECIPES, masked_accuracy, pretrain

        records, seed, name = self.records, self.sheet.seed, MODELS["pretrained"].format(self.options.size)
        rows = within(records, PRETRAINED_ON)
        if not len(rows):
            for task in self.tasks:
                self.sheet.not_applicable(task.question(name), task.rank, "there is no barcode to pretrain on")
            return
        barcodes = records.barcodes.gather(records.barcode_ids[rows])
        recipe, clock = RECIPES[self.options.size], Clock()
        with clock.running():
            model = begun(size, seed).to(self.device)
            budget = self.budget.share(_PRETRAINING) if self.budget.steps is None else self.budget
            trained = pretrain(
                model,
                barcodes,
                recipe,
                budget,
                seed=seed,
                device=self.device,
                checkpoint=self._checkpoint([asdict(size), asdict(recipe), asdict(budget), seed]),
                progress=self.progress,
                label=f"{barcodebert.NAME}: {name}",
            )
        self.trained.append(trained)
        self._keep(model)
        asked = records.barcodes.gather(np.unique(records.barcode_ids[self.tasks.seen_species.queries]))
        accuracy = masked_accuracy(model, asked, seed=seed, device=self.device)
        note = f"{trained.steps:,} steps of {trained.batch} on {len(rows):,} barcodes"
        if len(asked):
            note += f"; names {accuracy:.1%} of the masked k-mers of test"
        self._ask(model, name, note, clock, tuned=True)

    def _ask_read(self, path: Path, name: str) -> Size:
        from bioscan_etl.evaluation.networks.checkpoints import load_model

        model = load_model(path).to(self.device)
        self._ask(model, MODELS["read"].format(name), "weights of that file", Clock(), tuned=True)
        size: Size = model.bert.size
        return size

    def _checkpoint(self, facts: list[object]) -> Path | None:
        """The file of a training, named after all that decides its result."""
        if self.options.checkpoints is None:
            return None
        text = json.dumps([*facts, self.records.digest, self.device.type], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:_NAMES]
        return self.options.checkpoints / f"pretraining-{self.options.size}-{digest}.pt"

    def _keep(self, model: MaskedModel) -> None:
        """Keep the weights alone, to be read with `weights`: a checkpoint of a training is three times as large."""
        from bioscan_etl.evaluation.networks.checkpoints import save_model

        if self.options.checkpoints is not None:
            save_model(self.options.checkpoints / f"transformer-{self.options.size}.pt", model)

    def _ask(self, model: MaskedModel, name: str, note: str, clock: Clock, *, tuned: bool) -> None:
        """Ask a model by its embeddings, and by classifiers."""
        from bioscan_etl.evaluation.networks.classify import FINE_TUNING, fine_tuned, probed
        from bioscan_etl.evaluation.networks.pretraining import embedded

        records, ids, seed = self.records, self.records.barcode_ids, self.sheet.seed
        task = self.tasks.seen_species
        chosen = within(records, CHOSEN_BY)
        wanted = np.concatenate([ids[rows] for one in self.tasks for rows in (one.queries, one.keys)] + [ids[chosen]])
        model.to(self.device)
        with clock.running():
            vectors = embedded(
                model.bert, records.barcodes, device=self.device, wanted=wanted, progress=self.progress, label=name
            )
        for one in self.tasks:
            by_neighbours(records, self.sheet, one, vectors, name, clock.seconds, self.progress, LIBRARIES, note)
        examples, known = self._examples(task, chosen)
        if examples is None:
            self.sheet.not_applicable(
                task.question(f"{name}, linear probe"), task.rank, "no barcode of train has a label"
            )
            return
        mine = Clock(clock.seconds)
        label = f"{barcodebert.NAME}: {name}"
        with mine.running():
            probe = probed(
                vectors,
                examples,
                seed=seed,
                device=self.device,
                progress=self.progress,
                label=f"{label}, probe",
            )
        controls = [
            probed(vectors, examples.shuffled(seed + number), seed=seed, device=self.device)
            for number in range(RETRAINED)
        ]
        self._classified(task, f"{name}, linear probe", probe, controls, known, f"{note}; frozen", mine.seconds)
        if not tuned:
            return
        mine = Clock(mine.seconds)
        recipe = FINE_TUNING.get(self.options.size if self.options.weights is None else "", FINE_TUNING["4-4-4"])
        budget = self.budget.share(1 - _PRETRAINING) if self.budget.steps is None else self.budget
        with mine.running():
            tuned_model = fine_tuned(
                model.bert,
                records.barcodes,
                examples,
                probe,
                recipe,
                budget,
                seed=seed,
                device=self.device,
                progress=self.progress,
                label=f"{label}, fine-tuning",
            )
        # A second fine-tuning would double the time: the probes on shuffled labels are the control of both.
        said = f"{note}; fine-tuned from the linear probe; control: probes on shuffled labels"
        self._classified(task, f"{name}, fine-tuned", tuned_model, controls, known, said, mine.seconds)

    def _examples(self, task: Task, chosen: Numbers) -> tuple[Examples | None, Numbers]:
        """What classifiers learn from, and the label of each of their classes."""
        from bioscan_etl.evaluation.networks.classify import Examples

        labels, ids = self.records.codes(task.rank), self.records.barcode_ids
        trained = task.keys[labels[task.keys] != NO_LABEL]
        known, classes = np.unique(labels[trained], return_inverse=True)
        if not len(trained):
            return None, known
        by = chosen[np.isin(labels[chosen], known)]
        return Examples(ids[trained], classes, ids[by], np.searchsorted(known, labels[by])), known

    def _classified(
        self, task: Task, name: str, fitted: Fitted, controls: list[Fitted], known: Numbers, note: str, seconds: float
    ) -> None:
        if fitted.trained.steps:
            note += (
                f", {fitted.trained.steps:,} steps of {fitted.trained.batch}, those after {fitted.chosen_at:,} by val"
            )
        self.trained.append(replace(fitted.trained, label=f"{barcodebert.NAME}: {name}"))
        labels, asked = self.records.codes(task.rank), self.records.barcode_ids[task.queries]
        self.sheet.answered(
            task.question(name, note, LIBRARIES),
            task.rank,
            labels[task.queries],
            known[fitted.answers(asked)][:, None],
            labels[task.keys],
            copies=barcodebert.copies(self.records, task),
            shuffled=np.stack([known[control.answers(asked)][:, None] for control in controls]),
            seconds=seconds,
        )
