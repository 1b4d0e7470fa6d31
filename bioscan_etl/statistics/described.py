"""The statistics and figures of a release as it lies there, or of a table of your own.

Belongs here: where the numbers come from. Does not belong here: counting them (`counted`, `distances`, `audit`) and
drawing (`figures`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.errors import SourceError
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.release.scan import find_release, scan_release
from bioscan_etl.settings import Settings
from bioscan_etl.splits.files import read_texts
from bioscan_etl.statistics.audit import audit, gaps
from bioscan_etl.statistics.counted import count_tables, rows_to_count
from bioscan_etl.statistics.definitions import TABLES
from bioscan_etl.statistics.distances import distances
from bioscan_etl.statistics.drawn import ROWS, Drawn, sample_of
from bioscan_etl.statistics.tables import READ

_TABLES = (".csv", ".parquet")
_READ = {
    name: schema.METADATA_EXTENDED[name].dtype
    for name in dict.fromkeys(("processid", "taxon", *READ, *ROWS, "dna_barcode"))
}


@dataclass(frozen=True, slots=True)
class Described:
    """Statistics, and what they are of.

    Attributes:
        source: folder of the release, or file of the table.
        rows: the specimens, with columns of `schema.METADATA_EXTENDED`; not read yet.
        tables: tables of `definitions` by name, in their order.
        is_stored: whether the tables are those that the release holds, and not counted now.
    """

    source: str
    rows: pl.LazyFrame
    tables: dict[str, pl.DataFrame]
    is_stored: bool

    def drawn(self) -> Drawn:
        """What the figures are drawn from."""
        return Drawn(self.rows.select(ROWS).collect(), self.tables, sample_of(self.rows))


def describe(
    source: pl.DataFrame | str | Path, settings: Settings, within: Path | None = None, progress: Progress = silent
) -> Described:
    """Read the statistics of a release, or count those of a table.

    Args:
        source: folder of a release, or a version such as `v1` or `latest`; or a frame, CSV or Parquet file with columns
            named as in a release. Of a table, every column but processid may be missing.
        settings: `barcodes.min_shared_columns` and `statistics`, for what is counted now.
        within: where a version is looked up.
        progress: reports what is counted.

    Raises:
        SourceError: there is no such release or table, or the table names no process IDs or one twice.
    """
    if not isinstance(source, pl.DataFrame) and not str(source).lower().endswith(_TABLES):
        folder = find_release(str(source), within)
        rows = scan_release(folder).rows
        stored = {table.name: folder / STATISTICS / f"{table.name}.parquet" for table in TABLES}
        if all(path.is_file() for path in stored.values()):
            return Described(str(folder), rows, {name: read_parquet(path) for name, path in stored.items()}, True)
        return Described(str(folder), rows, _counted(rows, settings, progress), False)
    name = "the table" if isinstance(source, pl.DataFrame) else str(source)
    rows = _conformed(read_texts(source if isinstance(source, pl.DataFrame) else Path(source)), name)
    return Described(name, rows, _counted(rows, settings, progress), False)


def _conformed(frame: pl.DataFrame, name: str) -> pl.LazyFrame:
    """A user's table with the columns of a release; those that it lacks are null."""
    if "processid" not in frame.columns:
        raise SourceError(f"{name} has no column processid; the columns are named as in a release")
    texts = pl.col(pl.String)
    known = frame.with_columns(pl.when(texts != "").then(texts).name.keep())
    try:
        found = known.select(
            (pl.col(name) if name in known.columns else pl.lit(None)).cast(dtype).alias(name)
            for name, dtype in _READ.items()
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0]
        raise SourceError(f"{name} has a value that its column cannot hold: {reason}; correct it") from None
    if found["processid"].null_count() or found["processid"].is_duplicated().any():
        raise SourceError(f"{name} names a process ID twice, or a row without one")
    return found.lazy()


def _counted(released: pl.LazyFrame, settings: Settings, progress: Progress) -> dict[str, pl.DataFrame]:
    least = settings.barcodes.min_shared_columns
    barcodes, ids = numbered(released.select("processid", "dna_barcode"), schema.PLACEMENTS.empty().lazy(), least)
    rows = rows_to_count(released, ids)
    position, on_frame = comparable(barcodes)
    found = distances(rows, position, on_frame, settings.statistics, least, progress)
    found |= audit(rows, gaps(rows.drop_nulls("species"), position, on_frame, least, progress))
    found |= count_tables(released, rows, barcodes, found, least, progress)
    return {table.name: found[table.name] for table in TABLES}
