"""`partitioned/`: the rows of data/ in Hive folders, for query engines.

Belongs here: the folders and their files. A missing order is a folder of its own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.agreement import Rows, agreement
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.tables import UNREADABLE, files_of, open_parquet, row_groups, unreadable
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.rows import released_groups
from bioscan_etl.release.staging import Staging
from bioscan_etl.release.tables import parquet_writer
from bioscan_etl.settings import ReleaseSettings

FOLDER = "partitioned"
# Not Hive's own __HIVE_DEFAULT_PARTITION__: pandas refuses a folder of it, and the other engines read it as null. A
# text reads the same in all of them; `release.metadata` keeps any order from having this name.
HIVE_NULL = schema.NOT_CLASSIFIED
# What Hive and Spark escape in a partition's folder name; readers undo it as in a URL.
_HIVE_ESCAPED = frozenset(map(chr, range(1, 32))) | frozenset("\"#%'*/:=?\\{[]^\x7f")


def hive_name(value: str | None) -> str:
    """A partition value as folder name.

    Example:
        >>> hive_name("Dip/tera"), hive_name(None)
        ('Dip%2Ftera', 'not_classified')
    """
    if value is None:
        return HIVE_NULL
    return "".join(f"%{ord(letter):02X}" if letter in _HIVE_ESCAPED else letter for letter in value)


def build(staging: Staging, settings: ReleaseSettings, _: Progress) -> None:
    """Write the folders from the staged metadata, which must be built."""
    # Asked for before the folder is made: without the metadata nothing is left behind.
    rows = released_groups(staging, schema.METADATA_EXTENDED.names())
    # A release without specimens has the folder too.
    (staging.tree / FOLDER).mkdir(parents=True)
    write_partitioned(rows, staging.tree / FOLDER, settings)


@cache
def partitioned_schema() -> pa.Schema:
    """Arrow schema of the files of the Hive form: the partition keys are not stored."""
    fields = [field for field in schema.METADATA_EXTENDED.arrow() if field.name not in {"split", "order"}]
    return pa.schema(fields)


def write_partitioned(pieces: Iterable[pl.DataFrame], folder: Path, settings: ReleaseSettings) -> None:
    """Write `split=<split>/order=<order>/part-NNNNN.parquet`; the partition keys are not stored in the files.

    A missing order is the folder `order=not_classified`.

    Args:
        pieces: `schema.METADATA_EXTENDED`, sorted, in pieces of any size: only one row group is held in memory.
        folder: where the folders go.
        settings: rows of a file (as of a shard) and of a row group.
    """
    with ExitStack() as stack:
        partition: tuple[Any, ...] | None = None
        files: _PartFiles | None = None
        for piece in pieces:
            for rows in piece.partition_by("split", "order", maintain_order=True):
                split, order = rows.select("split", "order").row(0)
                if files is None or (split, order) != partition:
                    stack.close()
                    partition = (split, order)
                    place = folder / f"split={split}" / f"order={hive_name(order)}"
                    files = stack.enter_context(_PartFiles(place, settings))
                files.add(rows)


class _PartFiles:
    """The files of one partition, written a row group at a time, independent of the pieces that rows come in."""

    def __init__(self, folder: Path, settings: ReleaseSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._arrow = partitioned_schema()
        self._held = pl.DataFrame()
        self._written = 0
        self._number = 0
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _PartFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with self._open:
                self._write(last=True)
        else:
            self._open.__exit__(kind, error, trace)

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows of this partition, in order."""
        rows = rows.select(self._arrow.names)
        self._held = pl.concat([self._held, rows]) if self._held.height else rows
        self._write(last=False)

    def _write(self, *, last: bool) -> None:
        while self._held.height:
            size = min(self._settings.rows_per_group, self._settings.rows_per_shard - self._written)
            if self._held.height < size and not last:
                return
            if self._writer is None:
                stream = self._open.enter_context(atomic_file(self._folder / f"part-{self._number:05d}.parquet"))
                self._writer = self._open.enter_context(parquet_writer(stream, self._arrow))
            group = self._held.head(size)
            self._writer.write_table(group.to_arrow().cast(self._arrow), row_group_size=size)
            self._held = self._held.slice(size)
            self._written += group.height
            if self._written == self._settings.rows_per_shard:
                self._open.close()
                self._writer, self._written, self._number = None, 0, self._number + 1


_HIVE = re.compile(r"^partitioned/split=([^/]+)/order=([^/]+)/part-[0-9]{5}\.parquet$")


def check(view: View) -> Iterator[Fault]:
    """All files of the Hive form, with the keys from their folders."""
    root, data = view.root, view.data.form
    faults: list[Fault] = []
    arrow = partitioned_schema()
    files: dict[str, tuple[str, str | None]] = {}
    for name in files_of(root, "partitioned"):
        match = _HIVE.match(name)
        order = None if match is None or match.group(2) == HIVE_NULL else unquote(match.group(2))
        if match is None or hive_name(order) != match.group(2):
            faults.append(Fault(name, None, "is no file of split=<split>/order=<order>/"))
        elif open_parquet(root, name, arrow, faults):
            files[name] = match.group(1), order
    yield from faults

    def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        stored = [column for column in ("processid", *columns) if column not in {"split", "order"}]
        # In the order of data/, so that no row has to be looked for.
        for name in sorted(files, key=lambda name: (_place(files[name][0]), files[name][1] is None, files[name][1])):
            split, order = files[name]
            try:
                for piece in row_groups(root, name, stored):
                    keys = {"split": split, "order": order}
                    yield piece.with_columns(pl.lit(value, pl.String).alias(key) for key, value in keys.items()).select(
                        "processid", *columns
                    )
            except UNREADABLE:
                continue

    for name in files:
        try:
            for _ in row_groups(root, name, ["processid"]):
                pass
        except UNREADABLE as error:
            yield unreadable(name, error)
    yield from agreement(data, Rows("partitioned", data.columns, pieces))


def _place(split: str) -> int:
    return vocabulary.SPLITS.index(split) if split in vocabulary.SPLITS else len(vocabulary.SPLITS)


_READING = """\
```python
import polars as pl

pl.scan_parquet("partitioned", hive_partitioning=True).filter(pl.col("split") == "train").collect()
```
"""


def _card(_: ReleaseSettings) -> Card:
    what = (
        "the rows of `data/` for query engines; both keys are in the folder names only, a missing order is "
        "`not_classified`"
    )
    return Card((("`partitioned/split=…/order=…/`", what),), _READING)


FORM = Form(
    name=FOLDER,
    about="The rows of `data/` in Hive folders, `partitioned/split=<split>/order=<order>/`, for query engines.\n\n"
    "A missing order is the folder `order=not_classified`, which every engine reads.",
    place=40,
    stage="partitioned_metadata",
    bytes_per_row=300,
    owns=lambda _: (FOLDER,),
    build=build,
    check=check,
    card=_card,
    settings=("rows_per_group", "rows_per_shard"),
    kinds=("parquet",),
)
