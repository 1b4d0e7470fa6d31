"""Is every Parquet file of a release written as all of ours are?

Belongs here: compression, statistics, and what the file says of its columns. Does not belong here: rows (`agreement`),
types (`tables`), and the sizes of files and row groups (`shapes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from bioscan_etl import schema
from bioscan_etl.io.tables import parquet_file, parquet_metadata
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.tables import UNREADABLE, files_of
from bioscan_etl.release.core import LOGS
from bioscan_etl.release.layout import DATA

_COMPRESSED = "ZSTD"
# Images do not get smaller.
_STORED = ("image.bytes",)
# What Hugging Face reads; any other key would say what no form of ours says.
_KEYS = {"data_images": {b"huggingface"}}
# Arrow adds keys of its own.
_OURS = (b"meaning", b"unit")
# Stage that writes each folder, for the wording of meanings.
_FOLDERS = {DATA: "release_metadata", "partitioned": "partitioned_metadata", "data_images": "image_tables"}


def check(root: Path, stated: Stated, origin: Origin) -> Iterator[Fault]:
    """Check how the Parquet files of the tables and their forms are written."""
    meanings = {column.name: column for column in schema.METADATA_EXTENDED.columns}
    for folder, stage in _FOLDERS.items():
        names = [name for name in files_of(root, folder) if name.endswith(".parquet")]
        yield from capped(fault for name in names for fault in _file(root, name, meanings, origin, stage))
        if folder == "partitioned":
            yield from capped(fault for name in names for fault in _groups(root, name, stated))
    for name, table in LOGS.items():
        columns = {column.name: column for column in table.columns}
        yield from _file(root, name, columns, origin, "release_metadata")
        yield from _groups(root, name, stated)


def _file(root: Path, name: str, columns: Mapping[str, schema.Column], origin: Origin, stage: str) -> Iterator[Fault]:
    if not is_plain(root, name):
        return
    try:
        with parquet_file(root / name) as file:
            metadata, arrow = file.metadata, file.schema_arrow
            groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
            chunks = [group.column(number) for group in groups for number in range(metadata.num_columns)]
            # A damaged footer can name a chunk with bytes that are no text.
            stored = [(chunk.path_in_schema, chunk.compression) for chunk in chunks]
    except UNREADABLE:
        return
    for column, compression in stored:
        expected = "UNCOMPRESSED" if column in _STORED else _COMPRESSED
        if compression != expected:
            yield Fault(name, None, f"{column} is compressed as {compression}, not {expected}")
            return
    more = sorted(set(arrow.metadata or {}) - _KEYS.get(name.partition("/")[0], set()))
    if more:
        yield Fault(name, None, f"has the metadata {more[0].decode(errors='replace')!r}, which no file of ours has")
    wrong = [field.name for field in arrow if field.name in columns and not _is_meant(field, columns[field.name])]
    if wrong and origin.is_ours(stage):
        yield Fault(name, None, f"says of {wrong[0]} another meaning or unit than the data dictionary")


def _is_meant(field: pa.Field, column: schema.Column) -> bool:
    stated = field.metadata or {}
    return [stated.get(key) for key in _OURS] == [column.meaning.encode(), column.unit.encode()]


def _groups(root: Path, name: str, stated: Stated) -> Iterator[Fault]:
    """Row groups of another size than stated; the last may be smaller."""
    setting = "release.rows_per_group"
    if setting not in stated or not is_plain(root, name):
        return
    try:
        metadata = parquet_metadata(root / name)
    except UNREADABLE:
        return
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    if any(rows != stated[setting] for rows in groups[:-1]) or any(rows > stated[setting] for rows in groups[-1:]):
        yield Fault(name, None, f"has row groups of {max(groups)} rows; {setting} is {stated[setting]}")
