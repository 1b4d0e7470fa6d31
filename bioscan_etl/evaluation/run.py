"""Runs benchmarks on a release and writes what they found beside it.

Belongs here: which benchmarks run, in which order, and the files. Does not belong here: a benchmark (its own module),
and how the numbers are shown (`page`, `figures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation import barcodebert
from bioscan_etl.evaluation.budget import DEFAULT_MINUTES, Budget
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.page import write_page
from bioscan_etl.evaluation.records import Records, open_records
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.settings import Settings
from bioscan_etl.vocabulary import BENCHMARKS

SCORES = "scores"
FOLDER = "evaluations"
"""Folder beside the releases of a corpus; it holds a folder per version."""

Tables = Mapping[str, pl.DataFrame]
Measure = Callable[[Records, Sheet, Progress, Budget], Tables | None]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What benchmarks found.

    Attributes:
        release: name and version.
        scores: `schema.EVALUATION`.
        tables: other tables that benchmarks found, by name.
        folder: of the files.
        files: that were written.
    """

    release: str
    scores: pl.DataFrame
    tables: Tables = field(default_factory=dict)
    folder: Path | None = None
    files: tuple[Path, ...] = ()


def _barcodebert(records: Records, sheet: Sheet, progress: Progress, budget: Budget) -> Tables | None:
    barcodebert.measure(records, sheet, progress, budget)
    return None


_MEASURES: Mapping[str, Measure] = MappingProxyType({"barcodebert": _barcodebert})


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
) -> Evaluated:
    """Measure a release and write the scores.

    Args:
        source: folder of the release, or a version such as `v1` or `latest`.
        output: folder for the files; None: `beside` the release.
        settings: `barcodes.min_shared_columns` counts.
        benchmarks: of `vocabulary.BENCHMARKS`, in any order; none: all.
        within: where a version is looked up.
        minutes: processor minutes of all benchmarks together, without reading the release, placing barcodes and
            networks.
        seed: of all that is drawn.
        progress: reports what is measured.

    Raises:
        SourceError: there is no such release or benchmark.
    """
    if unknown := [name for name in benchmarks if name not in BENCHMARKS]:
        raise SourceError(f"there is no benchmark {', '.join(unknown)}; they are {', '.join(BENCHMARKS)}")
    chosen = [name for name in BENCHMARKS if (not benchmarks or name in benchmarks) and name in _MEASURES]
    records = open_records(source, within, settings.barcodes.min_shared_columns, progress)
    sheet = Sheet(records, seed)
    tables: dict[str, pl.DataFrame] = {}
    budget = Budget(minutes * 60, seed).part(len(chosen))
    for name in chosen:
        tables.update(_MEASURES[name](records, sheet, progress, budget) or {})
    folder = output or beside(records.root)
    scores = sheet.table()
    files = write(scores, tables, records.release, folder)
    return Evaluated(records.release, scores, tables, folder, files)


def beside(root: Path) -> Path:
    """The folder of the scores: `OUTPUT/evaluations/v3` for `OUTPUT/releases/v3`, else `<folder>-evaluation`."""
    if root.parent.name == "releases":
        return root.parent.parent / FOLDER / root.name
    return root.with_name(f"{root.name}-evaluation")


def write(scores: pl.DataFrame, tables: Tables, release: str, folder: Path) -> tuple[Path, ...]:
    """Write the scores as CSV and Parquet, other tables as CSV, and a page that shows them.

    Args:
        scores: `schema.EVALUATION`.
        tables: other tables, by name.
        release: name and version.
        folder: made if missing.
    """
    parquet = folder / f"{SCORES}.parquet"
    with atomic_file(parquet) as stream:
        scores.write_parquet(stream, compression="zstd")
    written = [parquet]
    for name, table in {SCORES: scores, **tables}.items():
        write_spreadsheet(folder / f"{name}.csv", table)
        written.append(folder / f"{name}.csv")
    return (*written, *write_page(folder, scores, release))
