"""The Parquet files of a release's rows, written from a whole table."""

from pathlib import Path

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.release.stream import write_rows
from bioscan_etl.settings import ReleaseSettings


def write_shards(rows: pl.DataFrame, folder: Path, settings: ReleaseSettings) -> None:
    """Write `<split>-NNNNN-of-NNNNN.parquet` of `schema.METADATA_EXTENDED`, whatever the order of the splits."""
    in_order = pl.concat(rows.filter(pl.col("split") == split) for split in vocabulary.SPLITS)
    scratch = folder.parent / ".rows.csv"  # written beside them
    write_rows([in_order], dict(in_order["split"].value_counts().iter_rows()), scratch, folder, settings)
    scratch.unlink()
