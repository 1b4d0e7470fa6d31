"""Image packages as HDF5: a data set per image, as the published BIOSCAN tools read it, and packed with the metadata.

Belongs here: the group `bioscan_dataset` with one byte array per image. At millions of images this layout is slow to
build and open; it is offered for the tools that know it. The packed layout, `_packed`, is the one for all others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.hdf5 import check_attributes, check_file, stored_group
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms._packed import check_packed, packed_name, worded, write_packed
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.hdf5_files import ATTRIBUTES, attributes, new_file
from bioscan_etl.release.rows import data_files, package_folder, released, released_groups, with_image, with_path
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings

if TYPE_CHECKING:
    import h5py

GROUP = "bioscan_dataset"


def _name(package: str) -> str:
    return f"hdf5/{package}.hdf5"


def build(staging: Staging, settings: ReleaseSettings, progress: Progress) -> None:
    """Write the files of both layouts from the staged metadata and images, which must be built.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    rows = released(staging)
    images = with_image(rows)
    for package in settings.hdf5_packages:
        root = package_folder(staging, settings, package).parent
        write_hdf5(images, root, package, staging.tree / _name(package), settings, progress=progress)
    if settings.packed_packages:
        paths = with_path(rows)["path"]
        widths = _widths(staging)
    for package in settings.packed_packages:
        write_packed(
            released_groups(staging, schema.METADATA.names()),
            widths,
            paths,
            package_folder(staging, settings, package).parent,
            package,
            staging.tree / packed_name(package),
            settings,
            progress=progress,
        )


def _widths(staging: Staging) -> dict[str, int]:
    """Bytes of the longest value of each text column of the metadata, at least 1."""
    texts = [column.name for column in schema.METADATA.columns if column.dtype == pl.String()]
    files = [path for split in vocabulary.SPLITS for path in data_files(staging.tree, split)]
    longest = scan_parquet(files).select(pl.col(texts).str.len_bytes().max()).collect()
    return {name: longest[name][0] or 1 for name in texts}


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
        progress: reports each image.

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


def check(view: View) -> Iterator[Fault]:
    """Each package's files hold its images, byte for byte for the chosen ones; the packed ones the metadata too."""
    for package in view.settings.hdf5_packages:
        yield from _check_package(view, package)
    for package in view.settings.packed_packages:
        yield from check_packed(view, package)


def _check_package(view: View, package: str) -> Iterator[Fault]:
    name, images, said = _name(package), view.files(package), worded(view)
    yield from check_file(
        view.root, name, lambda file: _members(file, name, package, view.settings, images, view.chosen, said)
    )


def _members(
    file: h5py.File,
    name: str,
    package: str,
    settings: ReleaseSettings,
    images: Mapping[str, Path],
    chosen: Collection[str],
    said: Collection[str],
) -> Iterator[Fault]:
    import h5py

    if list(file) != [GROUP] or not isinstance(file.get(GROUP, getlink=True), h5py.HardLink):
        yield Fault(name, None, f"its root does not hold the group {GROUP} alone")
        return
    group = stored_group(file, GROUP)
    if group is None:
        yield Fault(name, None, f"{GROUP} is no group")
        return
    yield from check_attributes(group, name, attributes(package, settings), said)
    yield from check_attributes(file, name, {})
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
    import h5py

    if not isinstance(group.get(member, getlink=True), h5py.HardLink):
        return "is a link"
    data = group[member]
    if not isinstance(data, h5py.Dataset) or data.dtype != np.uint8 or data.ndim != 1:
        return "is no 1-D data set of uint8"
    if data.external or data.is_virtual:
        return "is stored in another file"
    if data.compression is not None or data.chunks is not None or len(data.attrs):
        return "is compressed, in chunks or has attributes, which no image has"
    if data.size != image.stat().st_size or (whole and data[()].tobytes() != image.read_bytes()):
        return "differs from the image file"
    return ""


def _card(settings: ReleaseSettings) -> Card:
    rows = []
    if settings.hdf5_packages:
        packages = ", ".join(settings.hdf5_packages)
        rows.append(("`hdf5/<package>.hdf5`", f"{packages}: group `bioscan_dataset`, the JPEG bytes of each image"))
    if settings.packed_packages:
        what = "image of row r is `jpeg[offsets[r]:offsets[r + 1]]`; the columns are in `metadata/`"
        rows.append(("`hdf5/<package>.packed.hdf5`", f"{', '.join(settings.packed_packages)}: {what}"))
    return Card(tuple(rows))


def _owns(settings: ReleaseSettings) -> tuple[str, ...]:
    return (*map(_name, settings.hdf5_packages), *map(packed_name, settings.packed_packages))


FORM = Form(
    name="hdf5",
    about="HDF5 files of the chosen packages: a data set per image, and packed with the metadata for reading at "
    "random.\n\nSource: image_packages, byte for byte.",
    place=60,
    stage="image_hdf5",
    owns=_owns,
    build=build,
    check=check,
    card=_card,
    images=True,
    packages={"hdf5_packages": "hdf5/{package}.hdf5", "packed_packages": "hdf5/{package}.packed.hdf5"},
    settings=("dataset", *sorted(ATTRIBUTES.values())),
    verified={
        "release.hdf5_packages": "they are the HDF5 files of the release",
        "release.packed_packages": "these packed HDF5 files are there, and no other",
        **dict.fromkeys(
            ("release.image_institution", "release.image_photographer", "release.image_year"),
            "attributes of the HDF5 files",
        ),
    },
    libraries=("h5py", "numpy", "polars", "pyarrow"),
    kinds=("hdf5",),
    media_types={".hdf5": "application/x-hdf5"},
)
