"""Reading HDF5 that may be hostile: links, external storage and virtual data sets could lead out of the release.

Belongs here: what the checks of several forms in HDF5 share. Does not belong here: what a file must hold; the form's
module says that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain

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


def read_texts(values: npt.NDArray[np.bytes_], name: str, missing: str | None) -> pl.Series:
    """Byte strings as texts; one text can mean null."""
    texts = pl.Series(name, values.tolist(), pl.Binary).cast(pl.String)
    return texts if missing is None else texts.replace(missing, None)
