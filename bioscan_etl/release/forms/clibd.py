"""`hdf5/clibd.hdf5`: images, barcodes and labels in the layout that CLIBD trains and evaluates on.

Belongs here: the groups of that file and their data sets (spec: the release, HDF5). A row needs an image to be in
it: CLIBD decodes every one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

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
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.hdf5_files import byte_strings, new_file
from bioscan_etl.release.rows import HAS_IMAGE, package_folder, released, with_image
from bioscan_etl.release.staging import Staging
from bioscan_etl.schema import NOT_CLASSIFIED
from bioscan_etl.settings import ReleaseSettings

if TYPE_CHECKING:
    import h5py

FILE = "hdf5/clibd.hdf5"
PACKAGE = "cropped_256"
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
WITHOUT_LABELS = ("no_split_and_seen_train", "other_heldout")
"""Groups whose rows may lack a species: CLIBD looks nothing up in them."""

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

_IMAGES_AT_ONCE = 256


def build(staging: Staging, settings: ReleaseSettings, progress: Progress) -> None:
    """Write the file from the staged metadata and images, which must be built.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    root = package_folder(staging, settings, PACKAGE)
    columns = {"split", "chunk", "area_fraction", *COLUMNS.values()} - {"image_file"}
    rows = with_image(released(staging, sorted(columns)))
    rows = rows.with_columns(image_file=pl.concat_str("processid", pl.lit(".jpg")))
    write_clibd(rows, root, staging.tree / FILE, progress)


def write_clibd(rows: pl.DataFrame, root: Path, path: Path, progress: Progress = silent) -> int:
    """Write the file; memory holds a few hundred images at a time.

    In each group: `image` uint8 (N, width of the longest), zero-padded, a row a chunk; `image_mask` int64 (N,) the
    bytes of each; and byte strings (N,), with `not_classified` for a missing value.

    A specimen without a species, which follows one of its barcode or BIN into its partition, is in no group of keys or
    queries: there a missing name would be a class like any other.

    Args:
        rows: released specimens with an image: split, path within the package, and the columns of `COLUMNS`, sorted.
        root: folder of the package whose images are taken.
        path: the file, written whole or not at all.
        progress: reports each image.

    Returns:
        Number of rows over all groups; a specimen counts in each group that holds it.
    """
    groups = {
        name: pl.concat(rows.filter(_belongs(name), pl.col("split") == split) for split in splits)
        for name, splits in GROUPS.items()
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


def _belongs(group: str) -> pl.Expr:
    """Which specimens of its partitions a group holds."""
    return pl.lit(value=True) if group in WITHOUT_LABELS else pl.col("species").is_not_null()


def _write_images(group: h5py.Group, files: list[Path], sizes: npt.NDArray[np.int64]) -> Iterator[int]:
    width = max(int(sizes.max(initial=0)), 1)
    # The padding is most of the bytes: zlib removes it, and every reader decompresses automatically.
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
    for start in range(0, len(files), _IMAGES_AT_ONCE):
        part = files[start : start + _IMAGES_AT_ONCE]
        block = np.zeros((len(part), width), np.uint8)
        for row, file in zip(block, part, strict=True):
            data = np.fromfile(file, np.uint8)
            row[: len(data)] = data
        image[start : start + len(part)] = block
        yield start + len(part)


def check(view: View) -> Iterator[Fault]:
    """CLIBD's groups hold the rows of their partitions that have an image and, for keys and queries, a species."""
    images = view.files(PACKAGE)
    yield from check_file(view.root, FILE, lambda file: _check(file, FILE, view.data, images, view.chosen))


def _check(
    file: h5py.File, name: str, data: Data, images: Mapping[str, Path], chosen: Collection[str]
) -> Iterator[Fault]:
    yield from check_attributes(file, name, {})
    if set(file) != set(GROUPS):
        yield Fault(name, None, f"its root holds {sorted(file)}, not the groups of splits alone")
        return
    for part, splits in GROUPS.items():
        where = f"{name}#{part}"
        group = stored_group(file, part)
        fields = {target: stored_dataset(group, target) for target in COLUMNS} if group is not None else {}
        stored = {target: values for target, values in fields.items() if values is not None}
        image = None if group is None else stored_dataset(group, "image")
        mask = None if group is None else stored_dataset(group, "image_mask")
        if group is None or image is None or mask is None or len(stored) < len(COLUMNS):
            yield Fault(where, None, f"lacks data sets: {sorted({*COLUMNS, 'image', 'image_mask'})} are needed")
            continue
        more = sorted(set(group) - {*COLUMNS, "image", "image_mask"})
        if more:
            yield Fault(where, None, f"holds {more[0]!r}, which CLIBD's layout does not have")
        rows = len(mask)
        if image.ndim != 2 or image.dtype != np.uint8 or {len(image), *map(len, stored.values())} != {rows}:
            yield Fault(where, None, "its data sets are not of one length, or image is not uint8 of two dimensions")
            continue

        yield from check_storage(image, f"{where}/image", Storage((1, image.shape[1]), "gzip"))
        yield from check_storage(mask, f"{where}/image_mask", Storage())
        for place in (group, image, mask, *stored.values()):
            yield from check_attributes(place, where, {})

        def pieces(wanted: Sequence[str], stored: Mapping[str, h5py.Dataset] = stored) -> Iterator[pl.DataFrame]:
            total = len(stored["processid"])
            for start in range(0, max(total, 1), ROWS_AT_ONCE):
                columns = {
                    column: read_texts(stored[target][start : start + ROWS_AT_ONCE], column, NOT_CLASSIFIED)
                    for target, column in COLUMNS.items()
                }
                yield pl.DataFrame(list(columns.values())).select("processid", *wanted)

        expected = data.of_splits(splits, HAS_IMAGE & _belongs(part))
        columns = tuple(column for column in COLUMNS.values() if column not in {"processid", "image_file"})
        yield from agreement(expected, Rows(where, columns, pieces))
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


def _card(_: ReleaseSettings) -> Card:
    what = "images, barcodes and labels of the specimens with an image, in CLIBD's layout; missing is `not_classified`"
    return Card(((f"`{FILE}`", what),))


FORM = Form(
    name="clibd",
    about="Images, barcodes and labels as CLIBD trains and evaluates on them: `hdf5/clibd.hdf5`.\n\n"
    "One row per specimen with an image and group that holds it. Groups of keys and queries hold no specimen without a "
    "species. Made when `release.forms` names clibd.",
    place=70,
    stage="clibd_hdf5",
    owns=lambda _: (FILE,),
    build=build,
    check=check,
    card=_card,
    images=True,
    image_package=PACKAGE,
    settings=("dataset",),
    libraries=("h5py", "numpy", "polars", "pyarrow"),
    kinds=("hdf5",),
    media_types={".hdf5": "application/x-hdf5"},
)
