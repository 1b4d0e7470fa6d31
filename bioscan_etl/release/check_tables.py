"""Do all forms of the metadata say the same?

Belongs here: the Parquet forms, the splits, the boxes, the logs, and their agreement. Does not belong here: the
CSV as text (`check_csv`) and what must hold of the specimens (`check_corpus`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan_etl import schema
from bioscan_etl.release.check_corpus import duplicates, invariants
from bioscan_etl.release.check_csv import check_values, read_lines, split_fields, typed
from bioscan_etl.release.check_files import is_plain, names
from bioscan_etl.release.faults import Fault, faulty_rows
from bioscan_etl.release.manifest import MANIFEST, Manifest
from bioscan_etl.release.parts import LOGS, csv_name
from bioscan_etl.release.tables import HIVE_NULL, hive_name, partitioned_schema

_SHARD = re.compile(r"^data/([a-z_]+)-([0-9]{5})-of-([0-9]{5})\.parquet$")
_HIVE = re.compile(r"^partitioned/split=([^/]+)/order=([^/]+)/part-[0-9]{5}\.parquet$")
# Sizes are stated with 4 decimals (spec: images, sizes).
_ROUNDED = 0.5e-4 + 1e-9


def check(root: Path, manifest: Manifest) -> tuple[pl.DataFrame | None, list[Fault]]:
    """Check all tables.

    Returns:
        What the checks of the images need of data/ (processid, split, chunk, area_fraction; one row per process
        ID; None where it cannot be read), and the faults.
    """
    faults: list[Fault] = []
    settings = names(manifest)
    rows = _data(root, faults)
    if rows is not None:
        faults += _counts(rows, manifest)
        faults += invariants(rows, "data")
        other = _csv(root, csv_name(settings), schema.METADATA, faults)
        if other is not None:
            faults += agreement(rows, "data", other, csv_name(settings))
        faults += agreement(rows, "data", _partitioned(root, faults), "partitioned")
        faults += _splits(root, rows)
        faults += _boxes(root, rows, settings.title)
    faults += _logs(root, manifest)
    if rows is not None:
        columns = ("processid", "split", "chunk", "area_fraction")
        rows = rows.select(columns).unique("processid", keep="first", maintain_order=True)
    return rows, faults


def _parquet(root: Path, name: str, arrow: pa.Schema, faults: list[Fault]) -> pl.DataFrame | None:
    if not is_plain(root, name):
        faults.append(Fault(name, None, "is missing, or no plain file"))
        return None
    try:
        with pq.ParquetFile(root / name, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(arrow):
                faults.append(Fault(name, None, f"has another schema: {_difference(file.schema_arrow, arrow)}"))
                return None
            frame = pl.from_arrow(file.read())
    except (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
        faults.append(Fault(name, None, f"cannot be read as Parquet: {str(error).splitlines()[0]}"))
        return None
    return frame if isinstance(frame, pl.DataFrame) else None


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


def _files(root: Path, folder: str) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if not path.is_dir())


def _data(root: Path, faults: list[Fault]) -> pl.DataFrame | None:
    """All shards of data/, in the order of the splits."""
    frames: dict[tuple[int, int], pl.DataFrame] = {}
    shards: dict[str, list[tuple[int, int]]] = {split: [] for split in schema.SPLITS}
    whole = True
    for name in _files(root, "data"):
        match = _SHARD.match(name)
        if match is None or match.group(1) not in shards:
            faults.append(Fault(name, None, "is no shard of a split: <split>-NNNNN-of-NNNNN.parquet"))
            continue
        split, number, total = match.group(1), int(match.group(2)), int(match.group(3))
        shards[split].append((number, total))
        frame = _parquet(root, name, schema.METADATA_EXTENDED.arrow(), faults)
        if frame is None:
            whole = False
            continue
        faults.extend(faulty_rows(name, frame.filter(pl.col("split") != split), "is of split {split}"))
        frames[schema.SPLITS.index(split), number] = frame
    for split, found in shards.items():
        if sorted(found) != [(number, len(found)) for number in range(len(found))] or not found:
            faults.append(Fault("data", None, f"the shards of {split} are not complete"))
            whole = False
    if not whole or not frames:
        return None
    rows = pl.concat(frames[key] for key in sorted(frames))
    ordered = rows.select("processid", "split", "order", "family").sort(
        pl.col("split").replace_strict({s: n for n, s in enumerate(schema.SPLITS)}, default=99, return_dtype=pl.Int64),
        "order",
        "family",
        "processid",
        nulls_last=True,
    )
    if not ordered["processid"].equals(rows["processid"]):
        faults.append(Fault("data", None, "the rows are not sorted by split, order, family, processid"))
    return rows


def _partitioned(root: Path, faults: list[Fault]) -> pl.DataFrame:
    """All files of the Hive form, with the keys from their folders."""
    arrow = partitioned_schema()
    frames = []
    for name in _files(root, "partitioned"):
        match = _HIVE.match(name)
        order = None if match is None or match.group(2) == HIVE_NULL else unquote(match.group(2))
        if match is None or hive_name(order) != match.group(2):
            faults.append(Fault(name, None, "is no file of split=<split>/order=<order>/"))
            continue
        frame = _parquet(root, name, arrow, faults)
        if frame is not None:
            frames.append(
                frame.with_columns(split=pl.lit(match.group(1)), order=pl.lit(order, dtype=pl.String)).select(
                    schema.METADATA_EXTENDED.names()
                )
            )
    # A release without specimens has no partitions either; rows that are missing show beside the other forms.
    return pl.concat([schema.METADATA_EXTENDED.empty(), *frames])


def _csv(root: Path, name: str, table: schema.Table, faults: list[Fault], separator: str = ",") -> pl.DataFrame | None:
    if not is_plain(root, name):
        faults.append(Fault(name, None, "is missing, or no plain file"))
        return None
    lines, found = read_lines(root, name)
    faults += found
    if lines is None:
        return None
    fields, found = split_fields(lines, name, table.names(), separator)
    del lines
    faults += found
    if fields is None:
        return None
    faults += check_values(fields, name, table)
    return typed(fields, table)


def agreement(left: pl.DataFrame, left_name: str, right: pl.DataFrame, right_name: str) -> Iterator[Fault]:
    """Both forms hold the same process IDs, once each, and per process ID the same values (missing included).

    Args:
        left: processid and the columns to compare.
        left_name: its name in the release.
        right: processid and columns of `left`.
        right_name: its name in the release; faults are of this form.
    """
    yield from duplicates(right, right_name)
    ours, theirs = (
        frame.select("processid").with_row_index(side).unique("processid", keep="first", maintain_order=True)
        for side, frame in (("left", left), ("right", right))
    )
    for one, other, message in (
        (ours, theirs, f"is missing, {left_name} has it"),
        (theirs, ours, f"{left_name} does not have it"),
    ):
        lone = one.join(other, on="processid", how="anti", nulls_equal=True).sort("processid")
        yield from faulty_rows(right_name, lone.select("processid"), message)
    both = ours.join(theirs, on="processid", how="inner").sort("processid")
    # Column by column: two whole tables side by side would not fit into memory at millions of rows.
    for name in right.columns:
        if name == "processid":
            continue
        pair = pl.DataFrame({"there": left[name].gather(both["left"]), "here": right[name].gather(both["right"])})
        differing = pair.with_columns(both["processid"]).filter(pl.col("here").ne_missing(pl.col("there")))
        yield from faulty_rows(right_name, differing, f"{name} is {{here}} here, {{there}} in {left_name}")


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


def _splits(root: Path, rows: pl.DataFrame) -> Iterator[Fault]:
    faults: list[Fault] = []
    for split in ("all", *schema.SPLITS):
        name = f"splits/{split}.csv"
        listed = _csv(root, name, _SPLIT_ROWS, faults)
        if listed is not None:
            expected = rows if split == "all" else rows.filter(pl.col("split") == split)
            faults += agreement(expected.select("processid", "split"), "data", listed, name)
    yield from faults


def _boxes(root: Path, rows: pl.DataFrame, title: str) -> Iterator[Fault]:
    faults: list[Fault] = []
    name, twin = f"{title}_bbox.tsv", f"{title}_bbox.tab.tsv"
    boxes = _csv(root, name, schema.BBOX, faults)
    tabbed = _csv(root, twin, schema.BBOX, faults, "\t")
    yield from faults
    if boxes is None:
        return
    if tabbed is not None:
        yield from agreement(boxes, name, tabbed, twin)
    sizes = ["processid", "scale_factor", "area_fraction"]
    with_image = rows.filter(pl.col("area_fraction").is_not_null())
    yield from agreement(with_image.select(sizes), "data", boxes.select(sizes), name)
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
