"""Runs benchmarks on a release and writes what they found beside it.

Belongs here: which benchmarks run, and in which order. Does not belong here: a benchmark (its own module), the files
(`files`), and how the numbers are shown (`page`, `figures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation import barcodebert
from bioscan_etl.evaluation.beside import beside
from bioscan_etl.evaluation.budget import DEFAULT_MINUTES, Budget
from bioscan_etl.evaluation.estimate import estimate
from bioscan_etl.evaluation.files import Origin, Tables, keep
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.records import Records, open_records
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import Settings
from bioscan_etl.vocabulary import BENCHMARKS

Measure = Callable[[Records, Sheet, Progress, Budget], Tables | None]
Announce = Callable[[pl.DataFrame], None]
"""Receives `estimate.ESTIMATE` before anything is measured."""


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


def _barcodebert(records: Records, sheet: Sheet, progress: Progress, budget: Budget) -> Tables | None:
    barcodebert.measure(records, sheet, progress, budget)
    return None


_MEASURES: Mapping[str, Measure] = MappingProxyType({"barcodebert": _barcodebert})


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
        announce: is told what it costs, before it starts.
        dry_run: only estimate; measure nothing and write nothing.

    Raises:
        SourceError: there is no such release or benchmark.
        BusyError: another run writes to the same folder for too long.
    """
    if unknown := [name for name in benchmarks if name not in BENCHMARKS]:
        raise SourceError(f"there is no benchmark {', '.join(unknown)}; they are {', '.join(BENCHMARKS)}")
    chosen = [name for name in available() if not benchmarks or name in benchmarks]
    records = open_records(source, within, settings.barcodes.min_shared_columns, progress)
    budget = Budget(minutes * 60, seed).part(len(chosen))
    estimated = estimate(records, chosen, budget)
    if announce is not None:
        announce(estimated)
    sheet = Sheet(records, seed)
    if dry_run:
        return Evaluated(records.release, sheet.table(), estimated=estimated)
    measured = {name: dict(_MEASURES[name](records, sheet, progress, budget) or {}) for name in chosen}
    folder = output or beside(records.root)
    scores = sheet.table()
    origin = Origin(release=records.release, digest=records.digest, seed=seed, min_shared_columns=records.least)
    files = keep(folder, origin, measured, scores, records.root)
    tables = {name: table for found in measured.values() for name, table in found.items()}
    return Evaluated(records.release, scores, tables, folder, files, estimated)
