"""The files of an evaluation, of which several runs may each measure a part.

Belongs here: what of a folder stays when a benchmark is measured again, and how the files replace those before. Does
not belong here: measuring (`run`), and what the page shows (`page`).

    scores.parquet, scores.csv       `schema.EVALUATION`, of all benchmarks that were measured
    <table>.csv                      further tables of benchmarks
    index.html and its figures       made from the scores
    evaluation.json                  what the scores are of, and whose the tables are

A run replaces what it measured. It keeps the other benchmarks of the same release, seed and rule of sameness, and
discards all others: a page never mixes two releases. All files are made beside, under a lock, and then moved, the page
last. So a killed run leaves the page before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from bioscan_etl.errors import BusyError
from bioscan_etl.evaluation.beside import SCORES, beside, earlier, read_scores
from bioscan_etl.evaluation.over_releases import OVER_RELEASES
from bioscan_etl.evaluation.page import PAGE, write_page
from bioscan_etl.io.write import atomic_file, write_text
from bioscan_etl.lake.locks import hold
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.schema import EVALUATION
from bioscan_etl.vocabulary import BENCHMARKS, Benchmark

LEDGER = "evaluation.json"
_STAGED = ".staged"
_LOCK = ".lock"
_PATIENCE = 120.0  # seconds; another run writes for a few of them

Tables = Mapping[str, pl.DataFrame]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]  # paths are made of them


class Origin(BaseModel):
    """What scores are of: those of two origins do not stand on one page.

    Attributes:
        release: name and version, such as `bioscan5m v3`.
        digest: sha256 of its manifest.
        seed: of all that was drawn.
        min_shared_columns: setting that says which barcodes are copies.
    """

    model_config = ConfigDict(frozen=True)

    release: str
    digest: str
    seed: int
    min_shared_columns: int


class _Ledger(BaseModel):
    """`evaluation.json`; not trusted, because paths are made from it.

    Attributes:
        origin: what the scores are of.
        scores: sha256 of scores.parquet.
        tables: names of further tables by benchmark.
    """

    model_config = ConfigDict(frozen=True)

    origin: Origin
    scores: str
    tables: dict[Benchmark, tuple[_Name, ...]]


def keep(
    folder: Path, origin: Origin, measured: Mapping[str, Tables], scores: pl.DataFrame, root: Path | None = None
) -> tuple[Path, ...]:
    """Write what was measured to the folder of an evaluation, beside what is kept of it.

    Args:
        folder: made if missing.
        origin: what the scores are of.
        measured: further tables by benchmark, for each benchmark that was measured.
        scores: `schema.EVALUATION`, of these benchmarks.
        root: folder of the release; the page links to its report and gallery if the evaluation lies beside it.

    Returns:
        The files that were written, the page last.

    Raises:
        BusyError: another run writes to this folder for too long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / _STAGED
    with _alone(folder):
        before = _ledger(folder)
        kept = _kept(folder, before, origin, measured)
        rmtree(staged, ignore_errors=True)  # what a killed run has left
        staged.mkdir()
        merged = pl.concat([kept, EVALUATION.conform(scores)]).sort(
            pl.col("benchmark").replace_strict({name: place for place, name in enumerate(BENCHMARKS)}),
            maintain_order=True,
        )
        _write_tables(staged, merged, measured)
        names = {name: tuple(tables) for name, tables in measured.items() if tables}
        if before is not None:
            names |= {name: tables for name, tables in before.tables.items() if name in set(kept["benchmark"])}
        ledger = _Ledger(origin=origin, scores=_digest(staged), tables={name: names[name] for name in sorted(names)})
        write_text(staged / LEDGER, ledger.model_dump_json(indent=1) + "\n")
        is_beside = root is not None and folder == beside(root)
        write_page(
            staged, merged, origin.release, root=root if is_beside else None, place=folder, before=earlier(folder)
        )
        files = _moved(staged, folder)
        stays = {path.name for path in files} | {f"{table}.csv" for tables in names.values() for table in tables}
        _remove(folder, before, stays)
    return files


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    busy = f"another run writes to {folder}; wait for it and run again"
    tries = Retrying(
        stop=stop_after_delay(_PATIENCE), wait=wait_fixed(0.1), retry=retry_if_exception_type(BusyError), reraise=True
    )
    with ExitStack() as stack:
        tries(lambda: stack.enter_context(hold(folder / _LOCK, busy)))
        yield


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / f"{SCORES}.parquet").read_bytes()).hexdigest()


def _ledger(folder: Path) -> _Ledger | None:
    """What the folder says of itself; None if it says nothing, or its scores are others than those it is about."""
    try:
        found = _Ledger.model_validate_json((folder / LEDGER).read_bytes())
        return found if found.scores == _digest(folder) else None
    except (OSError, ValidationError):
        return None


def _kept(folder: Path, before: _Ledger | None, origin: Origin, measured: Mapping[str, Tables]) -> pl.DataFrame:
    """The scores of other benchmarks of the same origin."""
    scores = read_scores(folder) if before is not None and before.origin == origin else None
    return EVALUATION.empty() if scores is None else scores.filter(~pl.col("benchmark").is_in(list(measured)))


def _write_tables(staged: Path, scores: pl.DataFrame, measured: Mapping[str, Tables]) -> None:
    with atomic_file(staged / f"{SCORES}.parquet") as stream:
        scores.write_parquet(stream, compression="zstd")
    for tables in ({SCORES: scores}, *measured.values()):
        for name, table in tables.items():
            write_spreadsheet(staged / f"{name}.csv", table)


def _moved(staged: Path, folder: Path) -> tuple[Path, ...]:
    """Replace the files of the folder, the page last."""
    made = sorted(staged.iterdir(), key=lambda path: (path.name == PAGE, path.name))
    for path in made:
        path.replace(folder / path.name)
    staged.rmdir()
    return tuple(folder / path.name for path in made)


def _remove(folder: Path, before: _Ledger | None, stays: set[str]) -> None:
    """Remove tables and figures of discarded scores; a folder that was no evaluation may hold anything else."""
    if before is None:
        return
    tables = [f"{table}.csv" for tables in before.tables.values() for table in tables]
    figures = [f"{name}.{ending}" for name in (*BENCHMARKS, OVER_RELEASES) for ending in ("svg", "png")]
    for name in (*tables, *figures):
        if name not in stays:
            (folder / name).unlink(missing_ok=True)
