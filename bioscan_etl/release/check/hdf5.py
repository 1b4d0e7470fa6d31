"""Are the images and labels in HDF5 those of the image files and of data/?

A file is taken for hostile: links, external storage and virtual data sets could read files outside the release.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import Form, agreement
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.forms.hdf5 import GROUP, attributes
from bioscan_etl.release.forms.hdf5_clibd import COLUMNS, GROUPS
from bioscan_etl.release.forms.hdf5_packed import MISSING_INTEGER
from bioscan_etl.schema import NOT_CLASSIFIED
from bioscan_etl.settings import ReleaseSettings

_HAS_IMAGE = pl.col("area_fraction").is_not_null()
_ROWS_AT_ONCE = 50_000
_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, pl.exceptions.PolarsError)
_Check = Callable[[h5py.File], Iterator[Fault]]


def check_package(
    root: Path, package: str, settings: ReleaseSettings, images: Mapping[str, Path], chosen: Collection[str]
) -> Iterator[Fault]:
    """One data set per image of a package.

    Args:
        root: the release's folder.
        package: name of the package.
        settings: names.
        images: file of each specimen's image in the package.
        chosen: process IDs whose bytes are compared; of the others only the number of bytes is.
    """
    name = f"hdf5/{package}.hdf5"
    yield from capped(_guarded(root, name, lambda file: _members(file, name, package, settings, images, chosen)))


def check_packed(
    root: Path, name: str, data: Data, images: Mapping[str, Path], chosen: Collection[str]
) -> Iterator[Fault]:
    """The packed form: offsets, bytes and the metadata columns; arguments as of `check_package`."""
    yield from capped(_guarded(root, name, lambda file: _packed(file, name, data, images, chosen)))


def check_clibd(root: Path, data: Data, images: Mapping[str, Path], chosen: Collection[str]) -> Iterator[Fault]:
    """CLIBD's groups: the rows of their partitions that have an image; arguments as of `check_package`."""
    name = "hdf5/clibd.hdf5"
    yield from capped(_guarded(root, name, lambda file: _clibd(file, name, data, images, chosen)))


def _guarded(root: Path, name: str, check: _Check) -> Iterator[Fault]:
    if not is_plain(root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return
    try:
        with h5py.File(root / name, "r") as file:
            yield from check(file)
    except _ERRORS as error:
        yield Fault(name, None, f"cannot be read as HDF5: {str(error).splitlines()[0]}")


def _group(parent: h5py.Group, name: str) -> h5py.Group | None:
    """A group that is stored here, or None."""
    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        return None
    return found if isinstance(found := parent[name], h5py.Group) else None


def _dataset(parent: h5py.Group, name: str) -> h5py.Dataset | None:
    """A data set that is stored in this file, or None."""
    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        return None
    found = parent[name]
    return found if isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual else None


def _members(
    file: h5py.File,
    name: str,
    package: str,
    settings: ReleaseSettings,
    images: Mapping[str, Path],
    chosen: Collection[str],
) -> Iterator[Fault]:
    if list(file) != [GROUP] or not isinstance(file.get(GROUP, getlink=True), h5py.HardLink):
        yield Fault(name, None, f"its root does not hold the group {GROUP} alone")
        return
    group = _group(file, GROUP)
    if group is None:
        yield Fault(name, None, f"{GROUP} is no group")
        return
    absent = sorted(set(attributes(package, settings)) - set(group.attrs))
    if absent:
        yield Fault(name, None, f"the group has no attributes {absent}")
    members = set(group)
    files = {f"{processid}.jpg": processid for processid in images}
    for member in sorted(members ^ set(files)):
        what = "no specimen of data has it" if member in members else "the image is missing"
        yield Fault(name, member.removesuffix(".jpg"), what)
    for member in sorted(members & set(files)):
        processid = files[member]
        if images[processid].is_file():
            fault = _member(group, member, images[processid], whole=processid in chosen)
            if fault:
                yield Fault(name, processid, fault)


def _member(group: h5py.Group, member: str, image: Path, *, whole: bool) -> str:
    """What is wrong with one data set; the empty text: nothing."""
    if not isinstance(group.get(member, getlink=True), h5py.HardLink):
        return "is a link"
    data = group[member]
    if not isinstance(data, h5py.Dataset) or data.dtype != np.uint8 or data.ndim != 1:
        return "is no 1-D data set of uint8"
    if data.external or data.is_virtual:
        return "is stored in another file"
    if data.size != image.stat().st_size or (whole and data[()].tobytes() != image.read_bytes()):
        return "differs from the image file"
    return ""


def _packed(
    file: h5py.File, name: str, data: Data, images: Mapping[str, Path], chosen: Collection[str]
) -> Iterator[Fault]:
    offsets, jpeg, group = _dataset(file, "offsets"), _dataset(file, "jpeg"), _group(file, "metadata")
    if set(file) != {"offsets", "jpeg", "metadata"} or offsets is None or jpeg is None or group is None:
        yield Fault(name, None, "its root does not hold the data sets offsets and jpeg and the group metadata alone")
        return
    columns = {column.name: _dataset(group, column.name) for column in schema.METADATA.columns}
    stored = {column: values for column, values in columns.items() if values is not None}
    lengths = {len(values) for values in stored.values()}
    if set(group) != set(columns) or len(stored) < len(columns) or lengths != {len(offsets) - 1}:
        yield Fault(name, None, "metadata does not hold the 23 columns, a value per offset")
        return
    bounds: npt.NDArray[np.int64] = offsets[()]
    if bounds[0] != 0 or bounds[-1] != jpeg.size or (np.diff(bounds) < 0).any():
        yield Fault(name, None, "offsets do not lead from 0 to the end of jpeg")
        return

    def pieces(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        for start in range(0, len(bounds) - 1, _ROWS_AT_ONCE):
            yield pl.DataFrame(
                [_unpacked(stored[column], column, start) for column in dict.fromkeys(["processid", *wanted])]
            )

    yield from agreement(data.form, Form(name, tuple(schema.METADATA.names()[1:]), pieces))
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


def _unpacked(values: h5py.Dataset, column: str, start: int) -> pl.Series:
    dtype = schema.METADATA[column].dtype
    found = values[start : start + _ROWS_AT_ONCE]
    if dtype == pl.String():
        # An empty chunk is a value: the partition has no chunks.
        return _texts(found, column, None if column == "chunk" else "")
    series = pl.Series(column, found).cast(dtype)
    if dtype == pl.Float64():
        return series.fill_nan(None)
    return series.replace(MISSING_INTEGER, None) if schema.METADATA[column].nullable else series


def _texts(values: npt.NDArray[np.bytes_], name: str, missing: str | None) -> pl.Series:
    texts = pl.Series(name, values.tolist(), pl.Binary).cast(pl.String)
    return texts if missing is None else texts.replace(missing, None)


def _clibd(
    file: h5py.File, name: str, data: Data, images: Mapping[str, Path], chosen: Collection[str]
) -> Iterator[Fault]:
    if set(file) != set(GROUPS):
        yield Fault(name, None, f"its root holds {sorted(file)}, not the groups of splits alone")
        return
    for part, splits in GROUPS.items():
        where = f"{name}#{part}"
        group = _group(file, part)
        fields = {target: _dataset(group, target) for target in COLUMNS} if group is not None else {}
        stored = {target: values for target, values in fields.items() if values is not None}
        image, mask = (_dataset(group, "image"), _dataset(group, "image_mask")) if group is not None else (None, None)
        if group is None or image is None or mask is None or len(stored) < len(COLUMNS):
            yield Fault(where, None, f"lacks data sets: {sorted({*COLUMNS, 'image', 'image_mask'})} are needed")
            continue
        rows = len(mask)
        if image.ndim != 2 or image.dtype != np.uint8 or {len(image), *map(len, stored.values())} != {rows}:
            yield Fault(where, None, "its data sets are not of one length, or image is not uint8 of two dimensions")
            continue

        def pieces(wanted: Sequence[str], stored: Mapping[str, h5py.Dataset] = stored) -> Iterator[pl.DataFrame]:
            total = len(stored["processid"])
            for start in range(0, max(total, 1), _ROWS_AT_ONCE):
                columns = {
                    column: _texts(stored[target][start : start + _ROWS_AT_ONCE], column, NOT_CLASSIFIED)
                    for target, column in COLUMNS.items()
                }
                yield pl.DataFrame(list(columns.values())).select("processid", *wanted)

        expected = data.of(_HAS_IMAGE & pl.col("split").is_in(splits))
        columns = tuple(column for column in COLUMNS.values() if column not in {"processid", "image_file"})
        yield from agreement(expected, Form(where, columns, pieces))
        sizes: npt.NDArray[np.int64] = mask[()]
        for number, processid, file_name in pl.concat(pieces(["image_file"])).with_row_index().iter_rows():
            if file_name != f"{processid}.jpg":
                yield Fault(where, processid, f"its image_file is {file_name!r}")
            path = images.get(processid)
            if path is None or not path.is_file():
                continue
            same = int(sizes[number]) == path.stat().st_size
            if same and processid in chosen:
                row = image[number]
                same = row[: sizes[number]].tobytes() == path.read_bytes() and not row[sizes[number] :].any()
            if not same:
                yield Fault(where, processid, "differs from the image file")
