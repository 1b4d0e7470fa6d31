"""An image package and the metadata as one HDF5 file that is quick to build, to open and to read at random.

Belongs here: the packed layout, ours. Does not belong here: the layouts that published tools read (`hdf5`,
`clibd`).

    /jpeg                 uint8 (bytes of all images,), chunked: the files one after the other, in row order
    /offsets              int64 (N + 1,): image of row r is jpeg[offsets[r]:offsets[r + 1]]; equal if there is none
    /metadata/<column>    (N,): the 23 columns; texts as byte strings (UTF-8), missing is empty; numbers as they are,
                          missing is NaN, or -1 for integers (attribute `missing` of the data set)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import schema
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.check.agreement import Rows, agreement
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.hdf5 import (
    ROWS_AT_ONCE,
    Storage,
    check_attributes,
    check_file,
    check_storage,
    read_texts,
    stored_dataset,
    stored_group,
)
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.check.view import View
from bioscan_etl.release.hdf5_files import attributes, byte_strings, new_file
from bioscan_etl.settings import ReleaseSettings

if TYPE_CHECKING:
    import h5py

MISSING_INTEGER = -1
# A row is read by one or two chunks; unfiltered chunks this large are read in part, without the rest.
_IMAGE_CHUNK = 1 << 18
_ROW_CHUNK = 4096
_WRITE_AT_ONCE = 32 << 20


def write_packed(
    groups: Iterable[pl.DataFrame],
    widths: Mapping[str, int],
    images: pl.Series,
    root: Path,
    package: str,
    path: Path,
    settings: ReleaseSettings,
    *,
    progress: Progress = silent,
) -> int:
    """Write one package in the packed layout; memory holds a few dozen MiB of images at a time.

    Args:
        groups: `schema.METADATA`, in pieces, sorted.
        widths: bytes of the longest value of each text column, at least 1.
        images: (N,) path of each row's image within the package, null if it has none; rows as in `groups`.
        root: folder of the packages.
        package: name of the package.
        path: the file, written whole or not at all.
        settings: names in the attributes.
        progress: reports each thousand images.

    Returns:
        Number of images.
    """
    files = [None if name is None else root / package / name for name in images]
    sizes = np.fromiter((0 if file is None else file.stat().st_size for file in files), np.int64, len(files))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    with new_file(path) as file:
        for name, value in attributes(package, settings).items():
            file.attrs[name] = value
        file.create_dataset("offsets", data=offsets, track_times=False)
        total = int(offsets[-1])
        jpeg = file.create_dataset(
            "jpeg", (total,), np.uint8, chunks=(min(_IMAGE_CHUNK, max(total, 1)),), maxshape=(None,), track_times=False
        )
        at = 0
        for block, done in _blocks(files):
            jpeg[at : at + len(block)] = block
            at += len(block)
            progress(f"{package}.packed.hdf5", done, len(files))
        _write_columns(file.create_group("metadata", track_times=False), groups, len(files), widths)
    return int((sizes > 0).sum())


def _blocks(files: Iterable[Path | None]) -> Iterator[tuple[npt.NDArray[np.uint8], int]]:
    """The bytes of the files one after the other, in large blocks, and how many files they end."""
    held = bytearray()
    done = 0
    for file in files:
        done += 1
        if file is not None:
            held += file.read_bytes()
        if len(held) >= _WRITE_AT_ONCE:
            yield np.frombuffer(held, np.uint8), done
            held = bytearray()
    yield np.frombuffer(held, np.uint8), done


def _write_columns(target: h5py.Group, groups: Iterable[pl.DataFrame], rows: int, widths: Mapping[str, int]) -> None:
    for column in schema.METADATA.columns:
        dtype = f"S{widths[column.name]}" if column.dtype == pl.String() else str(column.dtype).lower()
        data = target.create_dataset(
            column.name,
            (rows,),
            np.dtype(dtype),
            chunks=(min(_ROW_CHUNK, max(rows, 1)),),
            maxshape=(None,),  # so that no rows have chunks too
            # zlib takes the padding of texts; rows are few enough a chunk that one at random is cheap.
            compression="gzip",
            compression_opts=1,
            track_times=False,
        )
        if column.dtype == pl.Int64():
            data.attrs["missing"] = MISSING_INTEGER
    at = 0
    for piece in groups:
        for column in schema.METADATA.columns:
            target[column.name][at : at + piece.height] = _values(piece[column.name], column, widths)
        at += piece.height


def _values(values: pl.Series, column: schema.Column, widths: Mapping[str, int]) -> npt.NDArray[np.generic]:
    if column.dtype == pl.String():
        return byte_strings(values, "", widths[column.name])
    if column.dtype == pl.Float64():
        return values.fill_null(float("nan")).to_numpy()
    return values.fill_null(MISSING_INTEGER).to_numpy() if column.nullable else values.to_numpy()


def packed_name(package: str) -> str:
    """Path of a package's file within the release."""
    return f"hdf5/{package}.packed.hdf5"


def check_packed(view: View, package: str) -> Iterator[Fault]:
    """A package's file: its offsets, its bytes, and the columns of the metadata."""
    name, images = packed_name(package), view.files(package)

    def check(file: h5py.File) -> Iterator[Fault]:
        yield from check_attributes(file, name, attributes(package, view.settings), worded(view))
        yield from _check(file, name, view.data, images, view.chosen)

    yield from check_file(view.root, name, check)


def worded(view: View) -> tuple[str, ...]:
    """Attributes that a release of another version may word otherwise."""
    return () if view.origin.is_ours("image_hdf5") else ("Description",)


def _check(
    file: h5py.File, name: str, data: Data, images: Mapping[str, Path], chosen: Collection[str]
) -> Iterator[Fault]:
    offsets, jpeg, group = stored_dataset(file, "offsets"), stored_dataset(file, "jpeg"), stored_group(file, "metadata")
    if set(file) != {"offsets", "jpeg", "metadata"} or offsets is None or jpeg is None or group is None:
        yield Fault(name, None, "its root does not hold the data sets offsets and jpeg and the group metadata alone")
        return
    columns = {column.name: stored_dataset(group, column.name) for column in schema.METADATA.columns}
    stored = {column: values for column, values in columns.items() if values is not None}
    lengths = {len(values) for values in stored.values()}
    if set(group) != set(columns) or len(stored) < len(columns) or lengths != {len(offsets) - 1}:
        yield Fault(name, None, "metadata does not hold the 23 columns, a value per offset")
        return
    bounds: npt.NDArray[np.int64] = offsets[()]
    if bounds[0] != 0 or bounds[-1] != jpeg.size or (np.diff(bounds) < 0).any():
        yield Fault(name, None, "offsets do not lead from 0 to the end of jpeg")
        return

    yield from check_storage(offsets, f"{name}#offsets", Storage())
    yield from check_storage(jpeg, f"{name}#jpeg", Storage((min(_IMAGE_CHUNK, max(jpeg.size, 1)),)))
    yield from _columns_stored(stored, name)

    def pieces(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        for start in range(0, len(bounds) - 1, ROWS_AT_ONCE):
            yield pl.DataFrame(
                [_unpacked(stored[column], column, start) for column in dict.fromkeys(["processid", *wanted])]
            )

    yield from agreement(data.form, Rows(name, tuple(schema.METADATA.names()[1:]), pieces))
    at = 0
    for piece in pieces([]):
        for processid in piece["processid"]:
            size = int(bounds[at + 1] - bounds[at])
            image = images.get(processid)
            if image is None or image.is_file():
                expected = 0 if image is None else image.stat().st_size
                same = size == expected
                if same and image is not None and processid in chosen:
                    same = jpeg[bounds[at] : bounds[at + 1]].tobytes() == image.read_bytes()
                if not same:
                    yield Fault(name, processid, "differs from the image file")
            at += 1


def _columns_stored(stored: Mapping[str, h5py.Dataset], name: str) -> Iterator[Fault]:
    """The columns of the metadata are of our types, compressed, and say what a missing number is."""
    for column in schema.METADATA.columns:
        data, where = stored[column.name], f"{name}#metadata/{column.name}"
        yield from check_storage(data, where, Storage((min(_ROW_CHUNK, max(len(data), 1)),), "gzip"))
        text = column.dtype == pl.String()
        if data.dtype.kind != "S" if text else data.dtype != np.dtype(str(column.dtype).lower()):
            yield Fault(where, None, f"is of type {data.dtype}")
        missing = {"missing": str(MISSING_INTEGER)} if column.dtype == pl.Int64() else {}
        yield from check_attributes(data, where, missing)


def _unpacked(values: h5py.Dataset, column: str, start: int) -> pl.Series:
    dtype = schema.METADATA[column].dtype
    found = values[start : start + ROWS_AT_ONCE]
    if dtype == pl.String():
        # An empty chunk is a value: the partition has no chunks.
        return read_texts(found, column, None if column == "chunk" else "")
    series = pl.Series(column, found).cast(dtype)
    if dtype == pl.Float64():
        return series.fill_nan(None)
    return series.replace(MISSING_INTEGER, None) if schema.METADATA[column].nullable else series
