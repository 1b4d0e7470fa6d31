"""Does a release hold what it says? Needs nothing but its folder.

Belongs here: the order of the checks. They stand in `check_files` (manifests and bytes), `check_csv` and
`check_tables` (values and agreement of the forms that everybody reads), `check_corpus` (what must hold of the
specimens), `check_images`, `check_provenance` and `check_settings` (whether the release was made as it states), and
`check_forms`, `check_hdf5` and `check_archives` (the other forms). Everything in the folder is taken for damaged or
hostile: a fault is a line in the result, never an exception, and nothing outside the folder is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.check import archives as check_archives
from bioscan_etl.release.check import files as check_files
from bioscan_etl.release.check import forms as check_forms
from bioscan_etl.release.check import hdf5 as check_hdf5
from bioscan_etl.release.check import images as check_images
from bioscan_etl.release.check import provenance as check_provenance
from bioscan_etl.release.check import settings as check_settings
from bioscan_etl.release.check import tables as check_tables
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.descriptors import CROISSANT, DATAPACKAGE, described
from bioscan_etl.release.diff.changelog import CHANGELOG
from bioscan_etl.release.manifest import MANIFEST, MD5SUMS, Manifest, Sums
from bioscan_etl.release.parts import images_name, jsonld_name, packed_name, with_image
from bioscan_etl.settings import ReleaseSettings

__all__ = ["Fault", "check"]

# Written after the descriptors, or one of them.
_UNDESCRIBED = {MANIFEST, MD5SUMS, CROISSANT, DATAPACKAGE, CHANGELOG, "README.md"}


def check(release: Path, images: Literal["sample", "all"] = "sample", progress: Progress = silent) -> list[Fault]:
    """Verify a release alone.

    Args:
        release: folder of a version, or a link to it.
        images: decode a fixed sample of each package, or all of them.
        progress: told of checksums and images.

    Returns:
        Faults by file and process ID, in the order of the checks, each once; empty: the release is good.
    """
    return list(dict.fromkeys(_checks(release, images, progress)))


def _checks(release: Path, images: Literal["sample", "all"], progress: Progress) -> Iterator[Fault]:
    root = release.resolve()
    if not root.is_dir():
        yield Fault(release.name, None, "there is no such folder")
        return
    manifest, faults = check_files.read(root)
    yield from faults
    if manifest is None:
        return
    yield from check_files.check(root, manifest, progress)
    stated, faults = check_settings.read_stated(manifest.settings)
    yield from faults
    yield from check_provenance.check(manifest)
    data, faults = check_tables.check(root, manifest)
    yield from faults
    yield from _descriptors(root, manifest)
    if data is None:
        return
    yield from check_provenance.check_batches(manifest, data.form)
    rows = data.rows.unique("processid", keep="first", maintain_order=True)
    yield from check_images.check(root, manifest, rows, images, progress, stated["images.short_side"])
    yield from check_settings.check(root, manifest, stated, data, rows, images)
    listed = with_image(rows).select("processid", "split", "path").sort("path")
    chosen = listed["processid"] if images == "all" else check_images.sample(listed["processid"].to_list())
    yield from _forms(root, check_files.names(manifest), data, listed, frozenset(chosen))


def _forms(
    root: Path, settings: ReleaseSettings, data: Data, listed: pl.DataFrame, chosen: Collection[str]
) -> Iterator[Fault]:
    """The forms of the settings that `check_tables` leaves; `listed` is processid, split, path of every image."""

    def files(package: str) -> dict[str, Path]:
        folder = f"{images_name(settings)}/{package}"
        # A link is a fault already, and is not followed: its place is taken by a file that is not there.
        return {
            processid: root / name if check_files.is_plain(root, name := f"{folder}/{path}") else root / "\0absent"
            for processid, path in listed.select("processid", "path").iter_rows()
        }

    if settings.wants("jsonld"):
        yield from check_forms.check_jsonld(root, jsonld_name(settings), data)
    if settings.wants("barcodebert"):
        yield from check_forms.check_barcodebert(root, data)
    if settings.wants("data_images"):
        yield from check_forms.check_data_images(root, data, files("cropped_256"))
    for package in settings.hdf5_packages:
        yield from check_hdf5.check_package(root, package, settings, files(package), chosen)
    for package in settings.packed_packages:
        yield from check_hdf5.check_packed(root, packed_name(package), data, files(package), chosen)
    if settings.wants("clibd"):
        yield from check_hdf5.check_clibd(root, data, files("cropped_256"), chosen)
    for package in settings.zip_packages:
        yield from check_archives.check_zips(root, package, settings, listed)
    for package in settings.webdataset_packages:
        yield from check_archives.check_tars(root, package, settings, data, files(package))


def _descriptors(root: Path, manifest: Manifest) -> Iterator[Fault]:
    settings = check_files.names(manifest)
    sums = (
        Sums(path=one.path, size=one.size, sha256=one.sha256, md5="")
        for one in manifest.files
        if one.path not in _UNDESCRIBED
    )
    listed = {one.path: one.sha256 for one in described(sums, settings)}
    for form, name in (("croissant", CROISSANT), ("datapackage", DATAPACKAGE)):
        if form in settings.forms:
            yield from check_forms.check_descriptor(root, name, listed)
