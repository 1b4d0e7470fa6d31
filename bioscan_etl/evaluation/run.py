"""Runs benchmarks on a release and writes what they found beside it.

Belongs here: which benchmarks run, and in which order. Does not belong here: a benchmark (its own module), the files
(`files`), and how the numbers are shown (`page`, `figures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation import barcodebert, clustering, images, retrieval, shortcuts
from bioscan_etl.evaluation.beside import beside
from bioscan_etl.evaluation.budget import DEFAULT_MINUTES, Budget
from bioscan_etl.evaluation.estimate import estimate
from bioscan_etl.evaluation.files import Origin, Tables, keep
from bioscan_etl.evaluation.images import ImageVectors, why_no_features
from bioscan_etl.evaluation.images_kept import kept_images
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.networks.sizes import size_of
from bioscan_etl.evaluation.records import NO_LABEL, Records, open_records
from bioscan_etl.extras import require_extra
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import Settings
from bioscan_etl.vocabulary import BENCHMARKS

CHECKPOINTS = ".checkpoints"
"""Folder of an evaluation: what a killed training goes on from."""
UNREAD = "unread_images"
"""Table of the images that could not be read."""
NETWORK_MINUTES = 10.0
"""Minutes of the training of a benchmark, unless others are asked for."""
Announce = Callable[[pl.DataFrame], None]
"""Receives `estimate.ESTIMATE` before anything is measured."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks are trained or read beside the models of the base; they need the extra `bench`.

    Attributes:
        size: of the transformer that is pretrained on the release, a name of `networks.sizes.SIZES`; None: none is.
        weights: a checkpoint that is asked instead.
        minutes: of one core or a GPU, for each benchmark that trains.
        device: `auto`, `cpu` or `cuda`.
        text: whether images and barcodes are aligned with names, too, and looked up among them.
    """

    size: str | None = None
    weights: Path | None = None
    minutes: float = NETWORK_MINUTES
    device: str = "auto"
    text: bool = False

    @property
    def are_asked(self) -> bool:
        """Whether any network is."""
        return self.size is not None or self.weights is not None


@dataclass(frozen=True)
class Part:
    """What a benchmark is given.

    Attributes:
        records: the release.
        sheet: takes the scores.
        progress: reports what is measured.
        budget: processor time of this benchmark.
        folder: of the evaluation, for what a killed run goes on from.
        networks: which networks are asked.
        encoder: weights of an image encoder; None: the shipped one.
    """

    records: Records
    sheet: Sheet
    progress: Progress
    budget: Budget
    folder: Path
    networks: Networks = field(default_factory=Networks)
    encoder: Path | None = None

    @cached_property
    def images(self) -> ImageVectors:
        """Features of the images, made once for all benchmarks."""
        return kept_images(self.records, self.folder, self.encoder, self.progress)


Measure = Callable[[Part], Tables | None]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What benchmarks found.

    Attributes:
        release: name and version.
        scores: `schema.EVALUATION`, of the benchmarks that were measured now.
        tables: other tables that benchmarks found, by name.
        folder: of the files.
        files: that were written, the page last; none after a dry run.
        estimated: `estimate.ESTIMATE`, what it was expected to cost.
    """

    release: str
    scores: pl.DataFrame
    tables: Tables = field(default_factory=dict)
    folder: Path | None = None
    files: tuple[Path, ...] = ()
    estimated: pl.DataFrame = field(default_factory=pl.DataFrame)


def _barcodebert(part: Part) -> Tables | None:
    barcodebert.measure(part.records, part.sheet, part.progress, part.budget)
    if part.networks.are_asked:
        from bioscan_etl.evaluation.networks.measure import measure

        measure(
            part.records,
            part.sheet,
            part.progress,
            size=part.networks.size or "tiny",
            budget_minutes=part.networks.minutes,
            device=part.networks.device,
            weights=part.networks.weights,
            checkpoints=part.folder / CHECKPOINTS,
            tasks=barcodebert.tasks(part.records, part.budget),
        )
    return None


def _clustering(part: Part) -> Tables | None:
    clustering.measure(part.records, part.sheet, part.progress, part.budget, part.images)
    return _unread(part)


def _retrieval(part: Part) -> Tables | None:
    retrieval.measure(part.records, part.sheet, part.progress, part.budget, part.images)
    if part.networks.are_asked:
        _aligned(part)
    return _unread(part)


def _aligned(part: Part) -> None:
    """Ask images and barcodes that networks have brought together, where the release has both."""
    from bioscan_etl.evaluation.networks import modalities
    from bioscan_etl.evaluation.networks.lookups import lookups

    if why_no_features(part.records, part.images):
        return
    rows = np.where(part.images.known, np.arange(len(part.images)), NO_LABEL)
    pictured = modalities.images(part.images, rows, part.images.features.shape[1], part.images.model)
    asked = part.records.of((*retrieval.KEYS, *vocabulary.EVALUATED))
    aligned = [pictured, modalities.barcode_kmers(part.records, asked)]
    if part.networks.text:
        aligned.append(modalities.names(part.records, part.records.of(vocabulary.TRAINING)))
    models, _ = lookups(
        part.records,
        aligned,
        seed=part.sheet.seed,
        budget_minutes=part.networks.minutes,
        device=part.networks.device,
        checkpoints=part.folder / CHECKPOINTS,
        libraries=images.LIBRARIES,
        seconds=part.images.seconds,
        progress=part.progress,
    )
    for model in models:
        retrieval.looked_up(part.records, part.sheet, model, part.budget, part.progress)


def _shortcuts(part: Part) -> Tables | None:
    found = shortcuts.measure(part.records, part.sheet, part.progress, part.budget, part.images)
    return found | _unread(part)


def _unread(part: Part) -> dict[str, pl.DataFrame]:
    """The images that could not be read, if there are any; each benchmark of images has the same table."""
    return {UNREAD: part.images.unread()} if part.images.damaged else {}


_MEASURES: Mapping[str, Measure] = MappingProxyType(
    {"barcodebert": _barcodebert, "clustering": _clustering, "retrieval": _retrieval, "shortcuts": _shortcuts}
)


def available() -> tuple[str, ...]:
    """The benchmarks that can be measured, in the order in which they run."""
    return tuple(name for name in BENCHMARKS if name in _MEASURES)


def evaluate(
    source: str,
    output: Path | None,
    settings: Settings,
    *,
    benchmarks: Sequence[str] = (),
    within: Path | None = None,
    minutes: float = DEFAULT_MINUTES,
    seed: int = 0,
    progress: Progress = silent,
    networks: Networks | None = None,
    encoder: Path | None = None,
    announce: Announce | None = None,
    dry_run: bool = False,
) -> Evaluated:
    """Measure a release and write the scores.

    Args:
        source: folder of the release, or a version such as `v1` or `latest`.
        output: folder for the files; None: `beside` the release. Scores of other benchmarks of the same release and
            seed stay in it (`files`).
        settings: `barcodes.min_shared_columns` counts.
        benchmarks: of `vocabulary.BENCHMARKS`, in any order; none: all.
        within: where a version is looked up.
        minutes: processor minutes of all benchmarks together, without reading the release, placing barcodes and
            networks.
        seed: of all that is drawn.
        progress: reports what is measured.
        networks: which networks are asked, too; none by default.
        encoder: weights of an image encoder, an ONNX file with its sidecar; None: the shipped one.
        announce: is told what it costs, before it starts.
        dry_run: only estimate; measure nothing and write nothing.

    Raises:
        SourceError: there is no such release or benchmark, or the encoder or weights cannot be read.
        SettingsError: there is no such size or device.
        MissingExtraError: networks are asked, and the extra `bench` is not installed.
        BusyError: another run writes to the same folder for too long.
    """
    if unknown := [name for name in benchmarks if name not in BENCHMARKS]:
        raise SourceError(f"there is no benchmark {', '.join(unknown)}; they are {', '.join(BENCHMARKS)}")
    chosen = [name for name in available() if not benchmarks or name in benchmarks]
    if networks is not None and networks.are_asked:
        require_extra("bench")
        if networks.size is not None:
            size_of(networks.size)  # an unknown one is named before anything is measured
    records = open_records(source, within, settings.barcodes.min_shared_columns, progress)
    budget = Budget(minutes * 60, seed).part(len(chosen))
    trained = networks.minutes if networks is not None and networks.are_asked else 0.0
    estimated = estimate(records, chosen, budget, trained)
    if announce is not None:
        announce(estimated)
    sheet = Sheet(records, seed)
    if dry_run:
        return Evaluated(records.release, sheet.table(), estimated=estimated)
    folder = output or beside(records.root)
    part = Part(records, sheet, progress, budget, folder, networks or Networks(), encoder)
    measured = {name: dict(_MEASURES[name](part) or {}) for name in chosen}
    scores = sheet.table()
    origin = Origin(release=records.release, digest=records.digest, seed=seed, min_shared_columns=records.least)
    files = keep(folder, origin, measured, scores, records.root)
    tables = {name: table for found in measured.values() for name, table in found.items()}
    return Evaluated(records.release, scores, tables, folder, files, estimated)
