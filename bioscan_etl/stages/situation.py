"""Inputs, fingerprints and outputs of every stage, for one delivery or one pin.

Belongs here: what a stage would be made from, and whether that output exists. Does not belong here:
making it (`stages.run`).

An output's fingerprint covers the stage's code, its settings, and the content of its inputs. A stage of the corpus
reads the batches of the pin and the outputs made from them, never the outputs that happen to be current.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.io.locations import base_name
from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.store import CORPUS, Lake, Output, digest
from bioscan_etl.landing import Batch
from bioscan_etl.provenance.code import code_of
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import BATCH_STAGES, PARTS, STAGES, Scope, Stage

# Stages of the corpus whose outputs a release is made of.
_OF_RELEASE = ("decisions", "drawn_boxes", "specimens", "curated_taxonomy", "partitions")


class Situation:
    """One delivery or one pin, with settings.

    Args:
        lake: the lake.
        settings: of the corpus.
        batch: the delivery, for the stages of a batch.
        pin: the batches, for the stages of the corpus.
    """

    def __init__(self, lake: Lake, settings: Settings, *, batch: Batch | None = None, pin: Pin | None = None) -> None:
        self.lake = lake
        self.settings = settings
        self.batch = batch
        self.pin = pin
        self._extra: dict[str, dict[str, Any]] = {}  # a detector takes a tenth of a second to open
        self._outputs: dict[str, Output] = {}
        self._by_batch: dict[tuple[str, str], Output] = {}

    @property
    def pinned(self) -> Pin:
        """The pin.

        Raises:
            LakeError: this is the situation of a batch.
        """
        if self.pin is None:
            raise LakeError("no batches are pinned for this stage of the corpus")
        return self.pin

    def is_same(self, other: Situation) -> bool:
        """Whether another one has the same lake, delivery or pin, and settings."""
        mine, its = ((one.lake.root, one.batch, one.pin, one.settings) for one in (self, other))
        return mine == its

    @property
    def name(self) -> str:
        """Name of the batch, or `CORPUS`."""
        return self.batch.name if self.batch else CORPUS

    def code(self, stage: str) -> dict[str, Any]:
        """What the code of a stage is."""
        return code_of(stage).as_dict()

    def extra_of(self, stage: Stage) -> dict[str, Any]:
        """Inputs of a stage that are neither delivery nor outputs of stages."""
        if stage.name not in self._extra:
            function = getattr(importlib.import_module(stage.module), "extra", None)
            self._extra[stage.name] = dict(function(self)) if function else {}
        return self._extra[stage.name]

    def of_batch(self, stage: str, batch: str) -> Output:
        """An output of a pinned batch.

        Raises:
            LakeError: it is missing.
        """
        key = (stage, batch)
        if key not in self._by_batch:
            self._by_batch[key] = self.pinned.records[batch].output(self.lake, stage)
        return self._by_batch[key]

    def inputs_of(self, stage: Stage) -> dict[str, Any]:
        """Content of the outputs and of the parts of the delivery that a stage reads.

        Raises:
            LakeError: an output that it reads does not exist, or a blocking check of it failed.
        """
        found: dict[str, Any] = {}
        if self.batch is not None and stage.delivered:
            found["delivery"] = {part: self._delivered(part) for part in stage.delivered}
        for name, files in stage.reads.items():
            read = STAGES[name]
            if read.scope is Scope.RELEASE:
                found[name] = self.staging.digest
            elif read.scope is Scope.BATCH and self.batch is None:
                found[name] = {
                    batch: _content(self.of_batch(name, batch), files) for batch in sorted(self.pinned.records)
                }
            else:
                found[name] = _content(self.need(name), files)
        return found

    def _delivered(self, part: str) -> Any:
        batch = self.batch
        assert batch is not None
        if part == "records":
            return [[base_name(e.location), e.sha256, str(e.snapshot_date or "")] for e in batch.records]
        if part == "images":
            return sorted([base_name(e.location), e.content or e.listing] for e in batch.images)
        return batch.image_manifest.sha256 if batch.image_manifest else ""

    def made_from(self, stage: Stage) -> dict[str, Any]:
        """What the fingerprint of a stage's output covers: code, settings and inputs.

        Raises:
            LakeError: an output that it reads does not exist.
        """
        inputs = self.inputs_of(stage)
        extra = self.extra_of(stage)
        return {
            "code": self.code(stage.name),
            "settings": self.settings.values(stage.settings),
            "inputs": inputs | ({"extra": extra} if extra else {}),
        }

    def fingerprint(self, stage: Stage, made_from: Mapping[str, Any]) -> str:
        """Hex sha256 that identifies an output."""
        return digest([stage.name, self.name, made_from])

    def find(self, name: str) -> Output | None:
        """The up-to-date output of a stage, if it exists and is complete."""
        if name in self._outputs:
            return self._outputs[name]
        stage = STAGES[name]
        try:
            fingerprint = self.fingerprint(stage, self.made_from(stage))
        except LakeError:
            return None
        output = self.lake.find(name, fingerprint, self.name)
        if output is None or not output.is_whole:
            return None
        self._outputs[name] = output
        return output

    def need(self, name: str) -> Output:
        """The output of a stage.

        Raises:
            LakeError: it does not exist, or a blocking check of it failed.
        """
        output = self.find(name)
        if output is None:
            raise LakeError(f"{name} of {self.name} is not up to date; run {name} first")
        failed = [finding for finding in output.findings if finding.blocking and not finding.passed]
        if failed:
            first = failed[0]
            some = f", such as {', '.join(first.samples[:3])}" if first.samples else ""
            more = f" (and {len(failed) - 1} more failed checks)" if len(failed) > 1 else ""
            raise LakeError(f"{name} failed {first.check} ({first.count:,}{some}); required: {first.statement}{more}")
        return output

    @cached_property
    def staging(self) -> Staging:
        """The release of the pinned corpus; its digest identifies everything it is made from.

        Raises:
            LakeError: specimens, labels or partitions do not exist yet.
        """
        contents = [self.need(name).content for name in _OF_RELEASE]
        batches = {name: record.content for name, record in self.pinned.records.items()}
        codes = {name: self.code(name) for name in (*PARTS, "release_manifest")}
        return Staging(self.lake.releases, digest([contents, batches, self.settings.digest(), codes]))

    def provenance(self) -> dict[str, Any]:
        """The provenance that a release states, per batch and per stage."""
        pin = self.pinned
        corpus = {}
        for name, stage in STAGES.items():
            if stage.scope is Scope.CORPUS and (output := self.find(name)):
                corpus[name] = {"code": output.made_from["code"], "settings": output.made_from["settings"]}
            elif stage.scope is Scope.RELEASE:
                corpus[name] = {"code": self.code(name), "settings": self.settings.values(stage.settings)}
        return {
            "batches": {
                name: {
                    "delivery": record.delivery,
                    "settings": dict(record.settings),
                    "stages": {
                        stage: {"code": dict(one.code), "content": one.content, "extra": dict(one.extra)}
                        for stage, one in record.stages.items()
                    },
                    "failed_checks": sorted({check for one in record.stages.values() for check in one.failed_checks}),
                }
                for name, record in sorted(pin.records.items())
            },
            "corpus": corpus,
            "withdrawn": dict(sorted(pin.withdrawn.items())),
            "notes": dict(sorted(pin.notes.items())),
            "settings_digest": self.settings.digest(),
        }


class Outputs(Mapping[str, Output]):
    """Outputs by stage, found on access; only those that the stage's entry names."""

    def __init__(self, situation: Situation, stage: Stage) -> None:
        self._situation = situation
        self._stage = stage

    def __getitem__(self, name: str) -> Output:
        _require_declared(self._stage, name)
        return self._situation.need(name)

    def __iter__(self) -> Iterator[str]:
        return iter([*self._stage.reads, *self._stage.after])

    def __len__(self) -> int:
        return len(self._stage.reads) + len(self._stage.after)


class ByBatch(Mapping[str, Mapping[str, Output]]):
    """Outputs of the pinned batches by stage and batch, found on access."""

    def __init__(self, situation: Situation, stage: Stage) -> None:
        self._situation = situation
        self._stage = stage

    def __getitem__(self, name: str) -> Mapping[str, Output]:
        _require_declared(self._stage, name)
        return {batch: self._situation.of_batch(name, batch) for batch in sorted(self._situation.pinned.records)}

    def __iter__(self) -> Iterator[str]:
        return iter(BATCH_STAGES)

    def __len__(self) -> int:
        return len(BATCH_STAGES)


def _require_declared(stage: Stage, name: str) -> None:
    """Raise if the stage's entry does not name an input: the release's digest covers only named inputs."""
    if stage.scope is not Scope.RELEASE and name not in (*stage.reads, *stage.after):
        raise AssertionError(f"stage {stage.name} reads {name}: add it to its entry in stages.registry")


def _content(output: Output, files: tuple[str, ...]) -> Any:
    """The part of an output that counts as input: some of its files with their counts, or all of it."""
    if not files:
        return output.content
    found: dict[str, Any] = {name: output.files[name] for name in files if name in output.files}
    if "rows_read" in output.counts:
        found["rows_read"] = output.counts["rows_read"]
    return found
