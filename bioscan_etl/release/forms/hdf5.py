"""Image packages as HDF5, a data set per image, in the form the published BIOSCAN tools read.

Belongs here: the group `bioscan_dataset` with one byte array per image. At millions of images this form is
slow to build and open; it is offered for the tools that know it, and `hdf5_packed` is the form for the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import polars as pl

from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import ReleaseSettings

GROUP = "bioscan_dataset"


def attributes(package: str, settings: ReleaseSettings) -> dict[str, str]:
    """Attributes of the group (spec: the release, HDF5)."""
    return {
        "Description": f"{settings.title} Dataset: {package} images as JPEG bytes, named <processid>.jpg",
        "Copyright Holder": settings.copyright_holder,
        "Institution": settings.image_institution,
        "Photographer": settings.image_photographer,
        "License": settings.image_license,
        "Year": settings.image_year,
    }


@contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that appears whole or not at all, and whose bytes hold no times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    # Format 1.10 is read by every h5py of the last years and stores groups of millions of links as B-trees.
    with h5py.File(temporary, "w", libver=("v110", "v110"), track_times=False) as file:
        yield file
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def write_hdf5(
    images: pl.DataFrame,
    root: Path,
    package: str,
    path: Path,
    settings: ReleaseSettings,
    *,
    progress: Progress = silent,
) -> int:
    """Write one package: a 1-D uint8 data set of JPEG bytes per image, named `<processid>.jpg`.

    The bytes depend on the images only: names in lexical order, no times, one format version.

    Args:
        images: processid and path (within the package) of every image.
        root: folder of the packages.
        package: name of the package.
        path: the file, written whole or not at all.
        settings: names in the attributes.
        progress: told of each image.

    Returns:
        Number of images.
    """
    rows = images.sort("processid")
    with new_file(path) as file:
        group = file.create_group(GROUP, track_times=False)
        for name, value in attributes(package, settings).items():
            group.attrs[name] = value
        for done, (processid, image) in enumerate(rows.select("processid", "path").iter_rows()):
            data = np.fromfile(root / package / image, dtype=np.uint8)
            group.create_dataset(f"{processid}.jpg", data=data, track_times=False)
            if done % 1000 == 0:
                progress(f"{package}.hdf5", done, rows.height)
    progress(f"{package}.hdf5", rows.height, rows.height)
    return rows.height
