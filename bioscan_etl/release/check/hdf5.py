"""Reading HDF5 that may be hostile: links, external storage and virtual data sets could lead out of the release.

Belongs here: what the checks of several forms in HDF5 share. Does not belong here: what a file must hold; the form's
module says that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.hdf5_files import ATTRIBUTES

if TYPE_CHECKING:
    import h5py

ROWS_AT_ONCE = 50_000
"""Rows of a data set that are held at a time."""
_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, pl.exceptions.PolarsError)


def check_file(root: Path, name: str, check: Callable[[h5py.File], Iterator[Fault]]) -> Iterator[Fault]:
    """What a check finds in a file; a file that cannot be read is a fault, and the first faults of many are listed."""
    yield from capped(_guarded(root, name, check))


def _guarded(root: Path, name: str, check: Callable[[h5py.File], Iterator[Fault]]) -> Iterator[Fault]:
    import h5py

    if not is_plain(root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return
    try:
        with h5py.File(root / name, "r") as file:
            yield from check(file)
    except _ERRORS as error:
        yield Fault(name, None, f"cannot be read as HDF5: {str(error).splitlines()[0]}")


def stored_group(parent: h5py.Group, name: str) -> h5py.Group | None:
    """A group that is stored here, or None."""
    import h5py

    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        return None
    return found if isinstance(found := parent[name], h5py.Group) else None


def stored_dataset(parent: h5py.Group, name: str) -> h5py.Dataset | None:
    """A data set that is stored in this file, or None."""
    import h5py

    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        return None
    found = parent[name]
    return found if isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual else None


def check_attributes(
    place: h5py.HLObject, name: str, expected: Mapping[str, str], said: Collection[str] = ()
) -> Iterator[Fault]:
    """The attributes of a group or data set are these and no others.

    Args:
        place: a group, a data set or a file.
        name: of the file, and the place within it.
        expected: attributes and their values.
        said: names of attributes whose wording is not compared.
    """
    stored = set(place.attrs)
    for attribute in sorted(stored ^ set(expected)):
        what = "is no attribute of ours" if attribute in stored else "the attribute is missing"
        yield Fault(name, None, f"{attribute!r}: {what}")
    for attribute in sorted(stored & set(expected) - set(said)):
        value = place.attrs[attribute]
        shown = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        if shown != expected[attribute]:
            stating = f", as release.{ATTRIBUTES[attribute]} states" if attribute in ATTRIBUTES else ""
            what = f"its attribute {attribute} is {shown[:100]!r}, not {expected[attribute]!r}{stating}"
            yield Fault(name, None, what)


@dataclass(frozen=True, slots=True)
class Storage:
    """How a data set is stored.

    Attributes:
        chunks: its chunks; None: in one piece.
        compression: its filter; None: as it is.
    """

    chunks: tuple[int, ...] | None = None
    compression: str | None = None


def check_storage(data: h5py.Dataset, name: str, expected: Storage) -> Iterator[Fault]:
    """A data set is compressed and cut into chunks as ours are."""
    if data.compression != expected.compression:
        yield Fault(name, None, f"is compressed as {data.compression}, not {expected.compression}")
    if data.chunks != expected.chunks:
        yield Fault(name, None, f"is stored in chunks of {data.chunks}, not {expected.chunks}")


def read_texts(values: npt.NDArray[np.bytes_], name: str, missing: str | None) -> pl.Series:
    """Byte strings as texts; one text can mean null."""
    texts = pl.Series(name, values.tolist(), pl.Binary).cast(pl.String)
    return texts if missing is None else texts.replace(missing, None)
