"""HDF5 files whose bytes depend on their content alone.

Belongs here: what the forms in HDF5 share: a new file, its attributes, texts as byte strings. Does not belong here: the
layout of a file (`release.forms`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from bioscan_etl.settings import ReleaseSettings

if TYPE_CHECKING:
    import h5py

ATTRIBUTES = {
    "Description": "title",
    "Copyright Holder": "copyright_holder",
    "Institution": "image_institution",
    "Photographer": "image_photographer",
    "License": "image_license",
    "Year": "image_year",
}
"""Attributes, and the setting of [release] that each states."""


def attributes(package: str, settings: ReleaseSettings) -> dict[str, str]:
    """Attributes of the group (spec: the release, HDF5)."""
    stated = {name: str(getattr(settings, setting)) for name, setting in ATTRIBUTES.items()}
    return stated | {
        "Description": f"{settings.title} Dataset: {package} images as JPEG bytes, named <processid>.jpg",
    }


@contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that appears whole or not at all, and whose bytes hold no times."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    # Format 1.10 is read by every h5py of the last years and stores groups of millions of links as B-trees.
    with h5py.File(temporary, "w", libver=("v110", "v110"), track_times=False) as file:
        yield file
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def byte_strings(values: pl.Series, missing: str, width: int) -> npt.NDArray[np.bytes_]:
    """Texts as byte strings (UTF-8) of one width, without a Python object per value.

    Args:
        values: (n,) text.
        missing: the text that is used for null.
        width: bytes of the longest, at least 1.

    Returns:
        (n,) of dtype S<width>, padded with zero bytes.
    """
    padded = pl.select((values.fill_null(missing) + pl.lit("\0" * width)).cast(pl.Binary).bin.head(width)).to_series()
    data = padded.rechunk().to_arrow().cast(pa.large_binary())
    if not len(data):
        return np.empty(0, f"S{width}")
    return np.frombuffer(data.buffers()[2], dtype=f"S{width}", count=len(data), offset=data.offset * width)
