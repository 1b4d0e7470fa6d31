"""Is a release of the form that its stated settings ask for?

Belongs here: names, forms and sizes of files that no other check compares with the settings. Archives and their sizes
are held against the settings in `check_archives`, forms that are asked for in the modules of the forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq

from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain, names
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.tables import UNREADABLE, files_of
from bioscan_etl.release.descriptors import CROISSANT, DATAPACKAGE
from bioscan_etl.release.manifest import MANIFEST, Manifest
from bioscan_etl.release.parts import jsonld_name, packed_name

VERIFIED = MappingProxyType(
    {
        "release.dataset": "it is the name of the folder",
        "release.title": "it is the first part of the files' names",
        "release.image_packages": "they are the packages of the release",
        "release.hdf5_packages": "they are the HDF5 files of the release",
        "release.forms": "these forms are there, and no other",
        "release.packed_packages": "these packed HDF5 files are there, and no other",
        "release.zip_packages": "these zips are there, and no other",
        "release.webdataset_packages": "these WebDataset shards are there, and no other",
        "release.rows_per_group": "rows of the row groups in data/",
        "release.rows_per_shard": "rows of the files in data/",
        "release.images_per_group": "rows of the row groups in data_images/",
        "release.images_per_shard": "rows of the files in data_images/",
        "release.images_per_zip": "images of the zips",
        "release.samples_per_tar": "samples of the WebDataset shards",
        "release.copyright_holder": "the descriptors name it",
        "release.image_license": "the descriptors name it",
        "release.home_page": "the descriptors name it",
        "release.citation": "the descriptors name it",
    }
)
"""Settings that are verified here or by the checks of the forms, and how."""

_SAME = ("dataset", "title", "image_packages", "hdf5_packages")
_SIZES = (
    ("data", "release.rows_per_shard", "release.rows_per_group"),
    ("data_images", "release.images_per_shard", "release.images_per_group"),
)
# Setting, descriptor, and where in it the text stands; a descriptor without it is of another version.
_TEXTS: tuple[tuple[str, str, tuple[str | int, ...]], ...] = (
    ("release.home_page", CROISSANT, ("url",)),
    ("release.citation", CROISSANT, ("citeAs",)),
    ("release.copyright_holder", CROISSANT, ("creator", "name")),
    ("release.home_page", DATAPACKAGE, ("homepage",)),
    ("release.image_license", DATAPACKAGE, ("licenses", 0, "title")),
    ("release.copyright_holder", DATAPACKAGE, ("contributors", 0, "title")),
)


def check(root: Path, manifest: Manifest, stated: Stated) -> Iterator[Fault]:
    """Hold names, forms, sizes and texts against the stated settings."""
    for field in _SAME:
        setting = f"release.{field}"
        value = getattr(manifest, field)
        if setting in stated and stated[setting] != (tuple(value) if isinstance(value, list) else value):
            yield Fault(MANIFEST, None, f"settings.{setting} is {stated[setting]!r}, {field} {value!r}")
    yield from capped(_unasked(root, manifest, stated))
    for folder, per_shard, per_group in _SIZES:
        yield from capped(_shapes(root, folder, per_shard, per_group, stated))
    yield from _texts(root, stated)


def _unasked(root: Path, manifest: Manifest, stated: Stated) -> Iterator[Fault]:
    """Forms that are there although the settings do not ask for them."""
    settings = names(manifest)
    paths = {
        "jsonld": (jsonld_name(settings),),
        "data_images": ("data_images",),
        "partitioned": ("partitioned",),
        "splits": ("splits",),
        "bbox": (f"{settings.title}_bbox.tsv", f"{settings.title}_bbox.tab.tsv"),
        "croissant": (CROISSANT,),
        "datapackage": (DATAPACKAGE,),
        "barcodebert": ("barcodebert",),
        "clibd": ("hdf5/clibd.hdf5",),
    }
    if "release.forms" in stated:
        for form, places in paths.items():
            for name in places if form not in stated["release.forms"] else ():
                if (root / name).exists():
                    yield Fault(name, None, f"is there, though release.forms does not name {form}")
    for package in ("original_full", "original_256", "cropped", "cropped_256"):
        for setting, name in (
            ("release.hdf5_packages", f"hdf5/{package}.hdf5"),
            ("release.packed_packages", packed_name(package)),
        ):
            if setting in stated and package not in stated[setting] and (root / name).exists():
                yield Fault(name, None, f"is there, though {setting} does not name {package}")
        for setting, suffix in (("release.zip_packages", "zip"), ("release.webdataset_packages", "tar")):
            if setting in stated and package not in stated[setting]:
                # Groups and partitions do not begin with a number, so that no package is the beginning of another.
                found = (root / "packages").glob(f"{settings.title}_{package}_[a-z]*.{suffix}")
                for name in sorted(path.relative_to(root).as_posix() for path in found):
                    yield Fault(name, None, f"is there, though {setting} does not name {package}")


def _shapes(root: Path, folder: str, per_shard: str, per_group: str, stated: Stated) -> Iterator[Fault]:
    """Files and row groups of another size; the last one of a partition or file may be smaller."""
    shapes = {}
    for name in files_of(root, folder):
        if not is_plain(root, name):
            continue
        try:
            metadata = pq.read_metadata(root / name)
            groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        except UNREADABLE:
            continue
        shapes[name] = groups
        if per_group in stated:
            rows = stated[per_group]
            if any(group != rows for group in groups[:-1]) or any(group > rows for group in groups[-1:]):
                yield Fault(name, None, f"has row groups of {max(groups)} rows; {stated.shown(per_group)}")
    if per_shard in stated:
        rows = stated[per_shard]
        for name, groups in shapes.items():
            if sum(groups) > rows:
                yield Fault(name, None, f"has {sum(groups)} rows; {stated.shown(per_shard)}")
        for name, following in pairwise(shapes):
            if name.rsplit("-", 3)[0] == following.rsplit("-", 3)[0] and sum(shapes[name]) < rows:
                yield Fault(name, None, f"has {sum(shapes[name])} rows, and is not the last; {stated.shown(per_shard)}")


def _texts(root: Path, stated: Stated) -> Iterator[Fault]:
    for setting, name, place in _TEXTS:
        found = _at(_document(root, name), place)
        if setting in stated and isinstance(found, str) and found != stated[setting]:
            yield Fault(name, None, f"says {found[:100]!r}; {setting} is {stated[setting][:100]!r}")


def _document(root: Path, name: str) -> Any:
    if not is_plain(root, name):
        return None
    try:
        return json.loads((root / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _at(document: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        if isinstance(key, str) and isinstance(document, Mapping):
            document = document.get(key)
        elif isinstance(key, int) and isinstance(document, list) and len(document) > key:
            document = document[key]
        else:
            return None
    return document
