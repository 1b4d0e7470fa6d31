"""Which aligned vectors are looked up among which: the contrastive models of CLIBD's tasks.

Belongs here: tasks, models and their controls. Does not belong here: the training (`alignment`), and the search and its
scores (`retrieval`). Importing this module needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bioscan_etl.evaluation.measured import Clock
from bioscan_etl.evaluation.networks.measure import LIBRARIES
from bioscan_etl.evaluation.networks.modalities import DNA, IMAGE, TEXT, Modality
from bioscan_etl.evaluation.records import Records
from bioscan_etl.evaluation.retrieval import Looking
from bioscan_etl.extras import require_extra
from bioscan_etl.progress import Progress, silent

if TYPE_CHECKING:
    from bioscan_etl.evaluation.networks.alignment import Plan
    from bioscan_etl.evaluation.networks.training import Trained

ASKED = ((IMAGE, IMAGE), (DNA, DNA), (IMAGE, DNA), (IMAGE, TEXT), (DNA, TEXT))
"""Modalities of queries and keys (spec: benchmarks, CLIBD)."""
UNALIGNED, ALIGNED, CONTROL = "heads as at the start", "aligned contrastively", "aligned on shuffled pairs"
"""A model, and two controls: what the same heads do untrained, and trained on pairs that do not belong together."""


def lookups(
    records: Records,
    modalities: Sequence[Modality],
    *,
    seed: int,
    plan: Plan | None = None,
    budget_minutes: float | None = 10.0,
    steps: int | None = None,
    device: str = "auto",
    checkpoints: Path | None = None,
    libraries: tuple[str, ...] = (),
    seconds: float = 0.0,
    progress: Progress = silent,
) -> tuple[list[Looking], list[Trained]]:
    """Align modalities, and name what is to be looked up; the control gets as much training as the model.

    Args:
        records: the release.
        modalities: two or three of image, DNA and text (`modalities`).
        seed: of all that is drawn.
        plan: how they learn; by default `alignment.ON_CPU`.
        budget_minutes: of one core or a GPU, for the model and its control together; None: all epochs.
        steps: of each, instead.
        device: `auto`, `cpu` or `cuda`.
        checkpoints: folder that a killed training resumes from.
        libraries: further distributions that the features rest on.
        seconds: processor time that the features took.
        progress: reports steps and things.

    Returns:
        The models, and what each training took. None of either if no row of the training has all modalities.

    Raises:
        MissingExtraError: the extra `bench` is not installed.
        SettingsError: there is no such device.
    """
    require_extra("bench")
    from bioscan_etl.evaluation.networks.alignment import ON_CPU, align
    from bioscan_etl.evaluation.networks.training import Budget, device_of

    plan = plan or ON_CPU
    place = device_of(device)
    half = Budget(None if budget_minutes is None else budget_minutes / 2, steps)
    budgets = {UNALIGNED: Budget(steps=0), ALIGNED: half, CONTROL: half}
    found: list[Looking] = []
    trained: list[Trained] = []
    how = ", ".join(one.note for one in modalities)
    for name, budget in budgets.items():
        clock = Clock(seconds)
        with clock.running():
            aligned = align(
                records,
                modalities,
                plan,
                budget,
                seed=seed,
                device=place,
                shuffled=name == CONTROL,
                checkpoints=checkpoints,
                progress=progress,
                label=f"retrieval: {name}",
            )
        if aligned.pairs < 2:
            return [], []
        note = "no training"
        if aligned.trained is not None:
            trained.append(aligned.trained)
            together = f"records of one {plan.rank} belong together" if plan.rank else "each record to itself"
            note = (
                f"{aligned.trained.steps:,} steps of {aligned.trained.batch} on {aligned.pairs:,} records, {together}"
            )
        for queried, offered in ASKED:
            if queried in aligned.vectors and offered in aligned.vectors:
                found.append(
                    Looking(
                        f"{queried}_to_{offered}",
                        f"{name} ({how})",
                        aligned.vectors[queried],
                        aligned.vectors[offered],
                        aligned.of_row[queried],
                        aligned.of_row[offered],
                        plan.width,
                        note,
                        (*libraries, *LIBRARIES),
                        clock.seconds,
                    )
                )
    return found, trained
