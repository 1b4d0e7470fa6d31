"""Do all forms of the metadata say the same?

Belongs here: the Parquet forms, the splits, the boxes, the logs, and their agreement. Does not belong here: the
CSV as text (`check_csv`), what must hold of the specimens (`check_corpus`), and the forms that only some clients
read (`check_forms`).

Rows are read a row group or some megabytes at a time; of all specimens together only what the corpus' invariants and
the images need is held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import Form, agreement, held
from bioscan_etl.release.check.corpus import ROWS, barcode_hash, invariants, row_findings
from bioscan_etl.release.check.csv import check_bytes, check_values, read_fields, typed
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain, names
from bioscan_etl.release.manifest import MANIFEST, Manifest
from bioscan_etl.release.parts import LOGS, csv_name
from bioscan_etl.release.tables import HIVE_NULL, hive_name, partitioned_schema

_SHARD = re.compile(r"^[a-z_]+/([a-z_]+)-([0-9]{5})-of-([0-9]{5})\.parquet$")
_HIVE = re.compile(r"^partitioned/split=([^/]+)/order=([^/]+)/part-[0-9]{5}\.parquet$")
# Sizes are stated with 4 decimals (spec: specimen images, sizes).
_ROUNDED = 0.5e-4 + 1e-9
UNREADABLE = (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError)


@dataclass(frozen=True, slots=True)
class Data:
    """What data/ says, by which the other forms are measured.

    Attributes:
        form: its rows.
        rows: `check_corpus.ROWS`, chunk and area_fraction of all specimens, in the order of the files.
    """

    form: Form
    rows: pl.DataFrame

    def of(self, where: pl.Expr | None = None) -> Form:
        """Its rows, or those for which a condition on split and area_fraction holds."""
        if where is None:
            return self.form

        def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
            needed = dict.fromkeys([*columns, *where.meta.root_names()])
            for piece in self.form.pieces(tuple(needed)):
                yield piece.filter(where).select("processid", *columns)

        return Form(self.form.name, self.form.columns, pieces)


def check(root: Path, manifest: Manifest) -> tuple[Data | None, list[Fault]]:
    """Check all tables.

    Returns:
        What data/ says, for the checks of other forms and of the images; None where it cannot be read; and the faults.
    """
    faults: list[Fault] = []
    settings = names(manifest)
    data = _data(root, faults)
    if data is not None:
        faults += _counts(data.rows, manifest)
        faults += _csv(root, csv_name(settings), schema.METADATA, data.form)
        if settings.wants("partitioned"):
            faults += _partitioned(root, data.form)
        if settings.wants("splits"):
            faults += _splits(root, data)
        if settings.wants("bbox"):
            faults += _boxes(root, data, settings.title)
    faults += _logs(root, manifest)
    return data, faults


def open_parquet(root: Path, name: str, arrow: pa.Schema, faults: list[Fault]) -> bool:
    """Whether a file is Parquet of a schema; if not, the fault is added."""
    if not is_plain(root, name):
        faults.append(Fault(name, None, "is missing, or no plain file"))
        return False
    try:
        with pq.ParquetFile(root / name) as file:
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
    """A Parquet file, a row group at a time; pages are held against their checksums.

    Raises:
        ArrowException, OSError, ValueError, PolarsError: it cannot be read.
    """
    with pq.ParquetFile(root / name, page_checksum_verification=True) as file:
        wanted = None if columns is None else list(columns)
        groups = (file.read_row_group(number, columns=wanted) for number in range(file.num_row_groups))
        for group in groups if file.num_row_groups else [file.read(columns=wanted)]:
            frame = pl.from_arrow(group)
            assert isinstance(frame, pl.DataFrame)
            yield frame if columns is None else frame.select(columns)


def parquet_form(root: Path, name: str, files: Sequence[str], columns: Sequence[str]) -> Form:
    """Parquet files as a form; behind damage there is nothing."""

    def pieces(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        for file in files:
            try:
                yield from row_groups(root, file, ["processid", *wanted])
            except UNREADABLE:
                continue

    return Form(name, tuple(column for column in columns if column != "processid"), pieces)


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
    """Name and split of the shards in a folder, in the order of the splits; None where they are not complete."""
    shards: dict[str, list[tuple[int, int, str]]] = {split: [] for split in schema.SPLITS}
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


def _data(root: Path, faults: list[Fault]) -> Data | None:
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
    place = {split: number for number, split in enumerate(schema.SPLITS)}
    ordered = rows.select("processid", "split", "order", "family").sort(
        pl.col("split").replace_strict(place, default=99, return_dtype=pl.Int64),
        "order",
        "family",
        "processid",
        nulls_last=True,
    )
    if not ordered["processid"].equals(rows["processid"]):
        faults.append(Fault("data", None, "the rows are not sorted by split, order, family, processid"))
    faults += invariants(rows.select(ROWS), rows["barcode"], form)
    return Data(form, rows.drop("barcode"))


def _partitioned(root: Path, data: Form) -> Iterator[Fault]:
    """All files of the Hive form, with the keys from their folders."""
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
    yield from agreement(data, Form("partitioned", data.columns, pieces))


def _place(split: str) -> int:
    return schema.SPLITS.index(split) if split in schema.SPLITS else len(schema.SPLITS)


def _csv_form(root: Path, name: str, table: schema.Table, separator: str = ",") -> Form:
    def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for fields in read_fields(root, name, table.names(), Listing(), separator):
            yield typed(fields, table).select("processid", *columns)

    return Form(name, tuple(column for column in table.names() if column != "processid"), pieces)


def _csv_faults(root: Path, name: str, table: schema.Table, separator: str = ",") -> Iterator[Fault]:
    if not is_plain(root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return
    yield from check_bytes(root, name)
    listing = Listing()
    for fields in read_fields(root, name, table.names(), listing, separator):
        check_values(fields, name, table, listing)
    yield from listing.faults()


def _csv(root: Path, name: str, table: schema.Table, expected: Form, separator: str = ",") -> Iterator[Fault]:
    """What is wrong with a CSV, and where it differs from another form."""
    yield from _csv_faults(root, name, table, separator)
    if is_plain(root, name):
        yield from agreement(expected, _csv_form(root, name, table, separator))


def _counts(rows: pl.DataFrame, manifest: Manifest) -> Iterator[Fault]:
    found = dict(rows.group_by("split").len().iter_rows())
    for split in schema.SPLITS:
        stated = manifest.counts.splits.get(split, 0)
        if found.get(split, 0) != stated:
            yield Fault("data", None, f"{found.get(split, 0)} rows of {split}, {MANIFEST} says {stated}")
    images = rows["area_fraction"].count()
    if images != manifest.counts.boxes:
        yield Fault("data", None, f"{images} rows have an image, {MANIFEST} says {manifest.counts.boxes}")


_SPLIT_ROWS = schema.Table(
    "splits", "a released specimen", ("processid",), (schema.METADATA["processid"], schema.METADATA["split"])
)


def _splits(root: Path, data: Data) -> Iterator[Fault]:
    for split in ("all", *schema.SPLITS):
        where = None if split == "all" else pl.col("split") == split
        yield from _csv(root, f"splits/{split}.csv", _SPLIT_ROWS, data.of(where))


def _boxes(root: Path, data: Data, title: str) -> Iterator[Fault]:
    name, twin = f"{title}_bbox.tsv", f"{title}_bbox.tab.tsv"
    yield from _csv_faults(root, name, schema.BBOX)
    if not is_plain(root, name):
        return
    boxes = pl.concat([schema.BBOX.empty(), *_csv_form(root, name, schema.BBOX).pieces(schema.BBOX.names()[1:])])
    yield from _csv(root, twin, schema.BBOX, held(name, boxes), "\t")
    sizes = boxes.select("processid", "scale_factor", "area_fraction")
    yield from agreement(data.of(pl.col("area_fraction").is_not_null()), held(name, sizes))
    width, height = (pl.col(f"{end}1") - pl.col(f"{end}0") for end in "xy")
    computed = boxes.with_columns(
        area=width * height / (pl.col("width_original").cast(pl.Float64) * pl.col("height_original")),
        scale=pl.min_horizontal(width, height) / 256,
    )
    outside = (
        (width <= 0)
        | (height <= 0)
        | (pl.col("x1") > pl.col("width_original"))
        | (pl.col("y1") > pl.col("height_original"))
    )
    for wrong, message in (
        (outside, "the box {x0} {y0} {x1} {y1} is empty or leads out of the image"),
        ((pl.col("area") - pl.col("area_fraction")).abs() > _ROUNDED, "area_fraction {area_fraction} is not {area}"),
        ((pl.col("scale") - pl.col("scale_factor")).abs() > _ROUNDED, "scale_factor {scale_factor} is not {scale}"),
        (pl.any_horizontal(pl.all().is_null()), "the box is not complete"),
    ):
        yield from faulty_rows(name, computed.filter(wrong.fill_null(value=False)), message)


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
