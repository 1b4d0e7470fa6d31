"""The released rows, read back from `data/`: what every output form is made of.

Belongs here: reading them whole, by columns, or a row group at a time. Does not belong here: how they were made
(`release.parts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import InvariantError
from bioscan_etl.io.tables import parquet_file, read_parquet, scan_parquet
from bioscan_etl.release.layout import DATA, image_path, images_name
from bioscan_etl.release.staging import Staging
from bioscan_etl.release.versions import published
from bioscan_etl.settings import ReleaseSettings

HAS_IMAGE = pl.col("area_fraction").is_not_null()
"""Whether a row has an image; only then it has an area fraction."""


def data_files(tree: Path, split: str) -> list[Path]:
    """The files of one split in data/, in order."""
    return sorted((tree / DATA).glob(f"{split}-*.parquet"))


def require_metadata(staging: Staging) -> None:
    """Raise an InvariantError if the staged metadata, with the logs and labels, is not built yet."""
    if not staging.is_complete("metadata"):
        raise InvariantError("the release's metadata is not built yet; materialise release_metadata first")


def released(
    staging: Staging, columns: Sequence[str] = ("processid", "split", "chunk", "area_fraction")
) -> pl.DataFrame:
    """Rows of the staged metadata, in order, with some of their columns.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    require_metadata(staging)
    return pl.concat(
        read_parquet(path, columns=list(columns))
        for split in vocabulary.SPLITS
        for path in data_files(staging.tree, split)
    ).select(columns)


def _released_files(draft: Staging) -> list[Path]:
    """The files in data/, from the staging or, if it is published, from the version."""
    tree = published(draft.releases, draft.digest) or draft.tree
    return [path for split in vocabulary.SPLITS for path in data_files(tree, split)]


def released_rows(draft: Staging) -> pl.DataFrame:
    """The release's rows (`schema.METADATA_EXTENDED`), from the staging or, if it is published, from the version."""
    return pl.concat(read_parquet(path) for path in _released_files(draft))


def released_scan(draft: Staging) -> pl.LazyFrame:
    """The same rows, not read yet."""
    return scan_parquet(_released_files(draft))


def released_groups(
    staging: Staging, columns: Sequence[str], splits: Sequence[str] = vocabulary.SPLITS
) -> Iterator[pl.DataFrame]:
    """The same rows of some splits, a row group at a time: memory does not grow with the corpus.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    require_metadata(staging)
    for split in splits:
        for path in data_files(staging.tree, split):
            with parquet_file(path) as file:
                for number in range(file.num_row_groups):
                    frame = pl.from_arrow(file.read_row_group(number, columns=list(columns)))
                    assert isinstance(frame, pl.DataFrame)
                    yield frame.select(columns)


def with_path(rows: pl.DataFrame) -> pl.DataFrame:
    """Released rows with `path`, that of their image within its package; null if a row has no image."""
    path = image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
    return rows.with_columns(path=pl.when(HAS_IMAGE).then(path))


def with_image(rows: pl.DataFrame) -> pl.DataFrame:
    """Released rows that have an image, with `path` within its package; only they have an area fraction."""
    return with_path(rows.filter(HAS_IMAGE))


def package_folder(staging: Staging, settings: ReleaseSettings, package: str) -> Path:
    """Folder of a package's staged images."""
    return staging.tree / images_name(settings) / package


class Pieces:
    """Regroups rows that come in pieces into pieces of another size."""

    def __init__(self, pieces: Iterable[pl.DataFrame]) -> None:
        self._pieces = iter(pieces)
        self._held = pl.DataFrame()

    def take(self, rows: int, at_once: int) -> Iterator[pl.DataFrame]:
        """The next rows, in pieces of `at_once`, the last one shorter."""
        while rows:
            while self._held.height < min(at_once, rows):
                piece = next(self._pieces)
                self._held = pl.concat([self._held, piece]) if self._held.height else piece
            part = self._held.head(min(at_once, rows))
            self._held = self._held.slice(part.height)
            rows -= part.height
            yield part


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files that a killed run has left of a form that can be resumed."""
    for path in folder.glob(".*"):
        path.unlink()
