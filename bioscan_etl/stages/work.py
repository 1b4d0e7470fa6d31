"""The inputs of a stage's function.

Belongs here: finding and opening inputs, settings and the draft. Does not belong here: what a stage does with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.store import Draft, Lake, Output
from bioscan_etl.landing import Batch
from bioscan_etl.progress import Progress
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import Settings


@dataclass(frozen=True, slots=True)
class Work:
    """One run of one stage.

    Attributes:
        lake: the lake.
        settings: settings, of which the stage can read those that its entry names.
        progress: receives the progress of the stage.
        draft: the output being written; None for stages that write a part of the release.
        batch: the delivery; None for stages over the corpus.
        pin: the batches that a corpus run reads; None for stages of a batch.
        outputs: outputs of the stages that it reads, of the corpus or its own batch.
        by_batch: outputs of the batch stages that a corpus stage reads, by stage and batch.
        extra: inputs that are not outputs of stages (the stage's `extra`).
        staging: the release being built; None for stages that do not write it.
    """

    lake: Lake
    settings: Settings
    progress: Progress
    draft: Draft | None
    batch: Batch | None
    pin: Pin | None
    outputs: Mapping[str, Output]
    by_batch: Mapping[str, Mapping[str, Output]]
    extra: Mapping[str, Any]
    staging: Staging | None

    @property
    def out(self) -> Draft:
        """The output being written."""
        if self.draft is None:
            raise LakeError("this stage writes a part of the release, not an output of the lake")
        return self.draft

    @property
    def delivery(self) -> Batch:
        """The delivery that a batch stage works on."""
        if self.batch is None:
            raise LakeError("this stage works on the corpus, not on a batch")
        return self.batch

    @property
    def pinned(self) -> Pin:
        """The batches that a corpus stage works on."""
        if self.pin is None:
            raise LakeError("this stage works on a batch, not on the corpus")
        return self.pin

    @property
    def release(self) -> Staging:
        """The release that is being built."""
        if self.staging is None:
            raise LakeError("this stage does not write a part of the release")
        return self.staging

    def path(self, stage: str, name: str) -> Path:
        """A file of an output that it reads."""
        return self.outputs[stage].path(name)
