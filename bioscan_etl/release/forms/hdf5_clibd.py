"""`hdf5/clibd.hdf5`: images, barcodes and labels in the layout that CLIBD trains and evaluates on.

Belongs here: the groups of that file and their data sets (spec: the release, HDF5). A row needs an image to be in
it: CLIBD decodes every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.forms.hdf5 import new_file
from bioscan_etl.release.forms.hdf5_packed import byte_strings
from bioscan_etl.schema import NOT_CLASSIFIED

GROUPS = {
    "all_keys": ("key_unseen", "train"),
    "seen_keys": ("train",),
    "unseen_keys": ("key_unseen",),
    "val_seen": ("val",),
    "val_unseen": ("val_unseen",),
    "test_seen": ("test",),
    "test_unseen": ("test_unseen",),
    "no_split_and_seen_train": ("pretrain", "train"),
    "other_heldout": ("other_heldout",),
}
"""Groups of the file, and the partitions of their rows in order."""

COLUMNS = {
    "barcode": "dna_barcode",
    "order": "order",
    "family": "family",
    "genus": "genus",
    "species": "species",
    "processid": "processid",
    "sampleid": "sampleid",
    "image_file": "image_file",
    "dna_bin": "dna_bin",
}
"""Data sets of byte strings, and the column of the metadata that each holds."""

_ROWS_AT_ONCE = 256


def write_clibd(rows: pl.DataFrame, root: Path, path: Path, progress: Progress = silent) -> int:
    """Write the file; memory holds a few hundred images at a time.

    In each group: `image` uint8 (N, width of the longest), zero-padded, a row a chunk; `image_mask` int64 (N,) the
    bytes of each; and byte strings (N,), where a missing value is `not_classified`.

    Args:
        rows: released specimens with an image: split, path within the package, and the columns of `COLUMNS`, sorted.
        root: folder of the package whose images are taken.
        path: the file, written whole or not at all.
        progress: told of each image.

    Returns:
        Number of rows over all groups; a specimen counts in each group that holds it.
    """
    groups = {
        name: pl.concat(rows.filter(pl.col("split") == split) for split in splits) for name, splits in GROUPS.items()
    }
    done, total = 0, sum(frame.height for frame in groups.values())
    with new_file(path) as file:
        for name, frame in groups.items():
            group = file.create_group(name, track_times=False)
            for target, column in COLUMNS.items():
                width = frame.select(pl.col(column).fill_null(NOT_CLASSIFIED).str.len_bytes().max()).item() or 1
                values = byte_strings(frame[column], NOT_CLASSIFIED, width)
                group.create_dataset(target, data=values, track_times=False)
            files = [root / image for image in frame["path"]]
            sizes = np.fromiter((image.stat().st_size for image in files), np.int64, len(files))
            group.create_dataset("image_mask", data=sizes, track_times=False)
            for written in _write_images(group, files, sizes):
                progress("clibd.hdf5", done + written, total)
            done += len(files)
    progress("clibd.hdf5", total, total)
    return total


def _write_images(group: h5py.Group, files: list[Path], sizes: npt.NDArray[np.int64]) -> Iterator[int]:
    width = max(int(sizes.max(initial=0)), 1)
    # The padding is most of the bytes: zlib takes it, and every reader undoes that unasked.
    image = group.create_dataset(
        "image",
        (len(files), width),
        np.uint8,
        chunks=(1, width),
        maxshape=(None, width),  # a group without rows has chunks too
        compression="gzip",
        compression_opts=1,
        track_times=False,
    )
    for start in range(0, len(files), _ROWS_AT_ONCE):
        part = files[start : start + _ROWS_AT_ONCE]
        block = np.zeros((len(part), width), np.uint8)
        for row, file in zip(block, part, strict=True):
            data = np.fromfile(file, np.uint8)
            row[: len(data)] = data
        image[start : start + len(part)] = block
        yield start + len(part)
