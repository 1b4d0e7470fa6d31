"""Do the tables that every release has agree?

Belongs here: data/, the CSV, the logs, and their agreement. Does not belong here: the CSV as text (`csv`), what
must hold of the specimens (`corpus`), and the output forms (`release.forms`).

Rows are read a row group or some megabytes at a time; of all specimens together only what the corpus' invariants and
the images need is held.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.tables import parquet_file
from bioscan_etl.release.check.agreement import Rows, agreement
from bioscan_etl.release.check.corpus import ROWS, UNLABELLED_IN, barcode_hash, invariants, row_findings
from bioscan_etl.release.check.csv import check_bytes, check_values, read_fields, typed
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain, names
from bioscan_etl.release.core import LOGS
from bioscan_etl.release.layout import csv_name
from bioscan_etl.release.manifest import MANIFEST, Manifest

_SHARD = re.compile(r"^[a-z_]+/([a-z_]+)-([0-9]{5})-of-([0-9]{5})\.parquet$")
UNREADABLE = (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError)


@dataclass(frozen=True, slots=True)
class Data:
    """The content of data/, which the other forms are compared with.

    Attributes:
        form: its rows.
        rows: `corpus.ROWS`, chunk and area_fraction of all specimens, in the order of the files.
    """

    form: Rows
    rows: pl.DataFrame

    def of(self, where: pl.Expr | None = None) -> Rows:
        """Its rows, or those for which a condition on split and area_fraction holds."""
        if where is None:
            return self.form

        def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
            needed = dict.fromkeys([*columns, *where.meta.root_names()])
            for piece in self.form.pieces(tuple(needed)):
                yield piece.filter(where).select("processid", *columns)

        return Rows(self.form.name, self.form.columns, pieces)

    def of_splits(self, splits: Sequence[str], where: pl.Expr) -> Rows:
        """Its rows of some partitions, one after the other in this order, for which a condition holds."""
        parts = [self.of(where & (pl.col("split") == split)) for split in splits]
        return Rows(self.form.name, self.form.columns, lambda columns: chain(*(part.pieces(columns) for part in parts)))


def check(root: Path, manifest: Manifest) -> tuple[Data | None, list[Fault]]:
    """Check all tables.

    Returns:
        The content of data/, for the checks of other forms and of the images, or None if unreadable; and the faults.
    """
    faults: list[Fault] = []
    settings = names(manifest)
    data = _data(root, faults, _unlabelled_in(manifest))
    if data is not None:
        faults += _counts(data.rows, manifest)
        faults += check_csv(root, csv_name(settings), schema.METADATA, data.form)
    faults += _logs(root, manifest)
    return data, faults


def open_parquet(root: Path, name: str, arrow: pa.Schema, faults: list[Fault]) -> bool:
    """Whether a file is Parquet of a schema; if not, the fault is added."""
    if not is_plain(root, name):
        faults.append(Fault(name, None, "is missing, or no plain file"))
        return False
    try:
        with parquet_file(root / name) as file:
            found = file.schema_arrow
            if not found.equals(arrow):
                faults.append(Fault(name, None, f"has another schema: {_difference(found, arrow)}"))
            elif lost := [
                key for key, value in (arrow.metadata or {}).items() if (found.metadata or {}).get(key) != value
            ]:
                faults.append(Fault(name, None, f"has another schema: metadata {lost[0].decode()} is not ours"))
            else:
                return True
    except UNREADABLE as error:
        faults.append(unreadable(name, error))
    return False


def unreadable(name: str, error: Exception) -> Fault:
    """The fault of a Parquet file that raised one of `UNREADABLE`."""
    return Fault(name, None, f"cannot be read as Parquet: {str(error).splitlines()[0]}")


def row_groups(root: Path, name: str, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """A Parquet file, a row group at a time; pages are verified by their checksums.

    Raises:
        ArrowException, OSError, ValueError, PolarsError: it cannot be read.
    """
    with parquet_file(root / name, page_checksum_verification=True) as file:
        wanted = None if columns is None else list(columns)
        groups = (file.read_row_group(number, columns=wanted) for number in range(file.num_row_groups))
        for group in groups if file.num_row_groups else [file.read(columns=wanted)]:
            frame = pl.from_arrow(group)
            assert isinstance(frame, pl.DataFrame)
            yield frame if columns is None else frame.select(columns)


def parquet_form(root: Path, name: str, files: Sequence[str], columns: Sequence[str]) -> Rows:
    """Parquet files as a form; nothing is read after damage."""

    def pieces(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        for file in files:
            try:
                yield from row_groups(root, file, ["processid", *wanted])
            except UNREADABLE:
                continue

    return Rows(name, tuple(column for column in columns if column != "processid"), pieces)


def _parquet(root: Path, name: str, arrow: pa.Schema, faults: list[Fault]) -> pl.DataFrame | None:
    if not open_parquet(root, name, arrow, faults):
        return None
    try:
        return pl.concat(row_groups(root, name))
    except UNREADABLE as error:
        faults.append(unreadable(name, error))
    return None


def _difference(found: pa.Schema, expected: pa.Schema) -> str:
    if found.names != expected.names:
        differing = sorted(set(found.names) ^ set(expected.names))
        return f"columns {differing}" if differing else "order of columns"
    return ", ".join(
        f"{ours.name} is {theirs.type}{'' if theirs.nullable else ' not null'}, not {ours.type}"
        f"{'' if ours.nullable else ' not null'}"
        for theirs, ours in zip(found, expected, strict=True)
        if not theirs.equals(ours)
    )


def files_of(root: Path, folder: str) -> list[str]:
    """Paths of all files below a folder, sorted."""
    return sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if not path.is_dir())


def shards_of(root: Path, folder: str, arrow: pa.Schema, faults: list[Fault]) -> list[tuple[str, str]] | None:
    """Name and split of the shards in a folder, in the order of the splits; None if they are not complete."""
    shards: dict[str, list[tuple[int, int, str]]] = {split: [] for split in vocabulary.SPLITS}
    whole = True
    for name in files_of(root, folder):
        match = _SHARD.match(name)
        if match is None or match.group(1) not in shards:
            faults.append(Fault(name, None, "is no shard of a split: <split>-NNNNN-of-NNNNN.parquet"))
        elif open_parquet(root, name, arrow, faults):
            shards[match.group(1)].append((int(match.group(2)), int(match.group(3)), name))
        else:
            whole = False
    for split, found in shards.items():
        found.sort()
        if [(number, total) for number, total, _ in found] != [(n, len(found)) for n in range(len(found))] or not found:
            faults.append(Fault(folder, None, f"the shards of {split} are not complete"))
            whole = False
    return [(name, split) for split, found in shards.items() for _, _, name in found] if whole else None


def _unlabelled_in(manifest: Manifest) -> tuple[str, ...]:
    """The partitions in which a specimen may lack a species, by the settings that the release was made with."""
    splits = manifest.settings.get("splits")
    if isinstance(splits, dict) and splits.get("keep_bins_together") is True:
        return vocabulary.SPLITS
    if isinstance(splits, dict) and splits.get("keep_overlaps_together") is True:
        return tuple(split for split in vocabulary.SPLITS if split not in vocabulary.LABELLED_ALONE)
    return UNLABELLED_IN


def _data(root: Path, faults: list[Fault], unlabelled_in: Collection[str]) -> Data | None:
    """All shards of data/, and what is wrong with their rows."""
    shards = shards_of(root, "data", schema.METADATA_EXTENDED.arrow(), faults)
    if shards is None:
        return None
    listing = Listing()
    kept = []
    for name, split in shards:
        try:
            for piece in row_groups(root, name):
                listing.add(name, piece.filter(pl.col("split") != split), "is of split {split}")
                for wrong, message in row_findings(piece):
                    listing.add("data", wrong, message)
                kept.append(piece.select(*ROWS, "chunk", "area_fraction", barcode_hash()))
        except UNREADABLE as error:
            faults.append(unreadable(name, error))
            return None
    faults += listing.faults()
    rows = pl.concat(kept)
    form = parquet_form(root, "data", [name for name, _ in shards], schema.METADATA_EXTENDED.names())
    place = {split: number for number, split in enumerate(vocabulary.SPLITS)}
    ordered = rows.select("processid", "split", "order", "family").sort(
        pl.col("split").replace_strict(place, default=99, return_dtype=pl.Int64),
        "order",
        "family",
        "processid",
        nulls_last=True,
    )
    if not ordered["processid"].equals(rows["processid"]):
        faults.append(Fault("data", None, "the rows are not sorted by split, order, family, processid"))
    faults += invariants(rows.select(ROWS), rows["barcode"], form, unlabelled_in)
    return Data(form, rows.drop("barcode"))


def csv_rows(root: Path, name: str, table: schema.Table, separator: str = ",") -> Rows:
    """A CSV of ours as the rows of a table."""

    def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for fields in read_fields(root, name, table.names(), Listing(), separator):
            yield typed(fields, table).select("processid", *columns)

    return Rows(name, tuple(column for column in table.names() if column != "processid"), pieces)


def check_csv_alone(root: Path, name: str, table: schema.Table, separator: str = ",") -> Iterator[Fault]:
    """What is wrong with a CSV, looked at alone."""
    if not is_plain(root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return
    yield from check_bytes(root, name)
    listing = Listing()
    for fields in read_fields(root, name, table.names(), listing, separator):
        check_values(fields, name, table, listing)
    yield from listing.faults()


def check_csv(root: Path, name: str, table: schema.Table, expected: Rows, separator: str = ",") -> Iterator[Fault]:
    """What is wrong with a CSV, and where it differs from another form."""
    yield from check_csv_alone(root, name, table, separator)
    if is_plain(root, name):
        yield from agreement(expected, csv_rows(root, name, table, separator))


def _counts(rows: pl.DataFrame, manifest: Manifest) -> Iterator[Fault]:
    found = dict(rows.group_by("split").len().iter_rows())
    for split in vocabulary.SPLITS:
        stated = manifest.counts.splits.get(split, 0)
        if found.get(split, 0) != stated:
            yield Fault("data", None, f"{found.get(split, 0)} rows of {split}, {MANIFEST} says {stated}")
    images = rows["area_fraction"].count()
    if images != manifest.counts.boxes:
        yield Fault("data", None, f"{images} rows have an image, {MANIFEST} says {manifest.counts.boxes}")


def _logs(root: Path, manifest: Manifest) -> Iterator[Fault]:
    faults: list[Fault] = []
    reasons = {
        "quarantine.parquet": (manifest.counts.quarantined, pl.col("gates").list.join("+")),
        "set_aside.parquet": (manifest.counts.set_aside, pl.col("reason")),
        "rejects.parquet": (manifest.counts.rejected, pl.col("reason")),
    }
    for name, table in LOGS.items():
        frame = _parquet(root, name, table.arrow(), faults)
        if frame is None:
            continue
        if name in reasons:
            stated, reason = reasons[name]
            found = dict(frame.group_by(reason=reason).len().sort("reason").iter_rows())
            if found != stated:
                faults.append(Fault(name, None, f"holds {found}, {MANIFEST} says {stated}"))
        elif frame.height != manifest.counts.changes:
            faults.append(Fault(name, None, f"holds {frame.height} rows, {MANIFEST} says {manifest.counts.changes}"))
        if table.key:
            faults += _keys(frame, table.key, name)
    yield from faults


def _keys(frame: pl.DataFrame, key: Sequence[str], name: str) -> Iterator[Fault]:
    twice = frame.group_by(key).len().filter(pl.col("len") > 1).sort(key)
    yield from faulty_rows(name, twice, f"several rows of one {', '.join(key)}")
