"""The statistics and figures of a release as it lies there, or of a table of your own.

Belongs here: where the numbers come from. Does not belong here: counting them (`counted`, `distances`, `audit`) and
drawing (`figures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.errors import SourceError
from bioscan_etl.geography.countries import countries
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.release.scan import ReleaseTables, find_release, scan_release
from bioscan_etl.settings import Settings
from bioscan_etl.splits.files import read_texts
from bioscan_etl.statistics.audit import audit, gaps
from bioscan_etl.statistics.counted import count_tables, rows_to_count
from bioscan_etl.statistics.definitions import TABLES
from bioscan_etl.statistics.distances import distances
from bioscan_etl.statistics.drawn import ROWS, SHOWN, Drawn, sample_of, shown_of, stated, stated_in
from bioscan_etl.statistics.pictures import load_pictures
from bioscan_etl.statistics.tables import READ

_TABLES = (".csv", ".parquet")
_READ = {name: schema.METADATA_EXTENDED[name].dtype for name in dict.fromkeys((*SHOWN, *READ, *ROWS, "dna_barcode"))}


@dataclass(frozen=True, slots=True)
class Described:
    """Statistics, and what they are of.

    Attributes:
        source: folder of the release, or file of the table.
        rows: the specimens, with columns of `schema.METADATA_EXTENDED`; not read yet.
        tables: tables of `definitions` by name, in their order.
        is_stored: whether the tables are those that the release holds, and not counted now.
        root: folder of the release; None for a table.
        name: of the release and its version, or of the table.
        settings: those that figures state (`drawn.SETTINGS`).
        pictured: settings that find and read the images of the release.
    """

    source: str
    rows: pl.LazyFrame
    tables: dict[str, pl.DataFrame]
    is_stored: bool
    root: Path | None = None
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    pictured: Settings | None = None

    def drawn(self, *, with_images: bool = True) -> Drawn:
        """What the figures are drawn from.

        Args:
            with_images: look for the images of the release and load the detector; figures without images need neither.
        """
        rows = _with_codes(self.rows)
        pictures = None
        if with_images and self.root is not None and self.pictured is not None:
            pictures = load_pictures(self.root, self.pictured)
        return Drawn(
            rows=rows.select(ROWS).collect(),
            tables=self.tables,
            sample=sample_of(rows),
            shown=shown_of(rows) if pictures else pl.DataFrame(),
            pictures=pictures,
            source=self.name,
            settings=self.settings,
        )


def _with_codes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with country_iso; where a table has none, from the canonical name of the country."""
    if "country_iso" not in rows.collect_schema().names():
        rows = rows.with_columns(country_iso=pl.lit(None, pl.String))
    known = countries().select("country", canonical="country_iso").lazy()
    joined = rows.join(known, on="country", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("country_iso", "canonical").alias("country_iso")).drop("canonical")


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
        opened = scan_release(folder)
        rows = opened.rows
        more: dict[str, Any] = {
            "root": folder,
            "name": f"{opened.dataset} {opened.version}",
            "settings": stated_in(opened.settings),
            "pictured": _pictured(settings, opened),
        }
        stored = {table.name: folder / STATISTICS / f"{table.name}.parquet" for table in TABLES}
        if all(path.is_file() for path in stored.values()):
            return Described(
                str(folder), rows, {name: read_parquet(path) for name, path in stored.items()}, True, **more
            )
        # Captions state what the tables were counted with, not what the release was made with.
        more["settings"] = more["settings"] | _counting(settings)
        return Described(str(folder), rows, _counted(rows, settings, progress), False, **more)
    name = "the table" if isinstance(source, pl.DataFrame) else str(source)
    rows = _conformed(read_texts(source if isinstance(source, pl.DataFrame) else Path(source)), name)
    return Described(
        name,
        rows,
        _counted(rows, settings, progress),
        is_stored=False,
        name="" if isinstance(source, pl.DataFrame) else Path(source).name,
        settings=_counting(settings),
    )


def _counting(settings: Settings) -> dict[str, Any]:
    """The settings that tables are counted with, of those that captions state."""
    return {name: value for name, value in stated(settings).items() if name.startswith(("barcodes.", "statistics."))}


def _pictured(settings: Settings, opened: ReleaseTables) -> Settings:
    """Settings with the names of a release and its packages. Detectors are never taken from a release: they run."""
    known = [package for package in vocabulary.IMAGE_PACKAGES if package in opened.packages]
    names = {"dataset": opened.dataset, "title": opened.title, "image_packages": tuple(known)}
    return settings.model_copy(update={"release": settings.release.model_copy(update=names)})


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
