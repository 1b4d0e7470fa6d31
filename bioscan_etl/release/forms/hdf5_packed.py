"""An image package and the metadata as one HDF5 file that is quick to build, to open and to read at random.

Belongs here: the packed layout, ours. Does not belong here: the layouts that published tools read (`hdf5`,
`hdf5_clibd`).

    /jpeg                 uint8 (bytes of all images,), chunked: the files one after the other, in row order
    /offsets              int64 (N + 1,): image of row r is jpeg[offsets[r]:offsets[r + 1]]; equal where there is none
    /metadata/<column>    (N,): the 23 columns; texts as byte strings (UTF-8), missing is empty; numbers as they are,
                          missing is NaN, or -1 for integers (attribute `missing` of the data set)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from bioscan_etl import schema
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.forms.hdf5 import attributes, new_file
from bioscan_etl.settings import ReleaseSettings

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
        images: (N,) path of each row's image within the package, null where it has none; rows as in `groups`.
        root: folder of the packages.
        package: name of the package.
        path: the file, written whole or not at all.
        settings: names in the attributes.
        progress: told of each thousand images.

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


def byte_strings(values: pl.Series, missing: str, width: int) -> npt.NDArray[np.bytes_]:
    """Texts as byte strings (UTF-8) of one width, without a Python object per value.

    Args:
        values: (n,) text.
        missing: what stands for null.
        width: bytes of the longest, at least 1.

    Returns:
        (n,) of dtype S<width>, padded with zero bytes.
    """
    padded = pl.select((values.fill_null(missing) + pl.lit("\0" * width)).cast(pl.Binary).bin.head(width)).to_series()
    data = padded.rechunk().to_arrow().cast(pa.large_binary())
    if not len(data):
        return np.empty(0, f"S{width}")
    return np.frombuffer(data.buffers()[2], dtype=f"S{width}", count=len(data), offset=data.offset * width)
