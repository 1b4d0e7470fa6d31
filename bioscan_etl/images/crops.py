"""Shards of crops: Parquet files that hold the JPEG files of one package, in the order of process IDs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl.io.tables import parquet_metadata
from bioscan_etl.io.write import atomic_file
from bioscan_etl.schema import CROPS

FOLDER = "crops"
FINGERPRINT = b"fingerprint"
# Images of a row group, about 2 MB: what a reader or writer holds at a time.
_GROUP = 64


def shard_path(folder: Path, package: str, number: int) -> Path:
    """The file of a package's shard."""
    return folder / FOLDER / f"{package}-{number:05d}.parquet"


def stored_fingerprint(path: Path) -> str | None:
    """The fingerprint in a Parquet file's metadata; None if the file is absent, damaged or has none."""
    try:
        metadata = parquet_metadata(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    value = metadata.get(FINGERPRINT)
    return value.decode() if value is not None else None


class CropWriter:
    """Takes the crops of one shard and package, in order."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._processids: list[str] = []
        self._jpegs: list[bytes] = []

    def add(self, processid: str, jpeg: bytes) -> None:
        """Add one image."""
        self._processids.append(processid)
        self._jpegs.append(jpeg)
        if len(self._processids) == _GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is held as one row group."""
        if self._processids:
            # Convert by polars: for a list, PyArrow tries pandas first; its import takes longer than a hundred images.
            columns = pl.Series(self._processids, dtype=pl.String), pl.Series(self._jpegs, dtype=pl.Binary)
            arrays = [one.to_arrow().cast(field.type) for one, field in zip(columns, self._schema, strict=True)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._processids, self._jpegs = [], []


class ShardWriter:
    """The crops of one shard, one file per package; at the end all files appear together, or none does."""

    def __init__(self, folder: Path, packages: tuple[str, ...], number: int, fingerprint: str) -> None:
        self._paths = {package: shard_path(folder, package, number) for package in packages}
        self._fingerprint = fingerprint
        self._stack = ExitStack()
        self.packages: dict[str, CropWriter] = {}

    def __enter__(self) -> ShardWriter:
        for package, path in self._paths.items():
            self.packages[package] = self._stack.enter_context(_crop_writer(path, self._fingerprint))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


@contextmanager
def _crop_writer(path: Path, fingerprint: str) -> Iterator[CropWriter]:
    schema = CROPS.arrow().with_metadata({FINGERPRINT: fingerprint.encode()})
    with (
        atomic_file(path) as stream,
        # JPEG files do not compress further and never repeat.
        pq.ParquetWriter(
            stream, schema, compression="none", use_dictionary=False, write_statistics=["processid"]
        ) as writer,
    ):
        crops = CropWriter(writer, schema)
        yield crops
        crops.flush()
