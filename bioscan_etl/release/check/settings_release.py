"""Is a release of the form that its stated settings ask for?

Belongs here: names and sizes of files that every release has, and forms that nobody asked for. Does not belong here:
the sizes and texts of a form's own files; the form's module checks those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import names
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.shapes import check_shapes
from bioscan_etl.release.forms.registry import forms
from bioscan_etl.release.layout import DATA
from bioscan_etl.release.manifest import MANIFEST, Manifest
from bioscan_etl.vocabulary import ImagePackage

VERIFIED: Mapping[str, str] = MappingProxyType(
    {
        "release.dataset": "it is the name of the folder",
        "release.title": "it is the first part of the files' names",
        "release.image_packages": "they are the packages of the release",
        "release.forms": "these forms are there, and no other",
        "release.rows_per_group": "rows of the row groups in data/",
        "release.rows_per_shard": "rows of the files in data/",
        **{name: how for form in forms().values() for name, how in form.verified.items()},
    }
)
"""Settings that are verified here or by the checks of the forms, and how."""

_SAME = ("dataset", "title", "image_packages", "hdf5_packages")


def check(root: Path, manifest: Manifest, stated: Stated) -> Iterator[Fault]:
    """Check names, forms, sizes and texts against the stated settings."""
    for field in _SAME:
        setting = f"release.{field}"
        value = getattr(manifest, field)
        if setting in stated and stated[setting] != (tuple(value) if isinstance(value, list) else value):
            yield Fault(MANIFEST, None, f"settings.{setting} is {stated[setting]!r}, {field} {value!r}")
    yield from capped(_unasked(root, manifest, stated))
    yield from check_shapes(root, DATA, "release.rows_per_shard", "release.rows_per_group", stated)


def _unasked(root: Path, manifest: Manifest, stated: Stated) -> Iterator[Fault]:
    """Forms that are there although the settings do not ask for them."""
    settings = names(manifest)
    for form in forms().values():
        for field, pattern in form.packages.items():
            setting = f"release.{field}"
            for package in get_args(ImagePackage) if setting in stated else ():
                if package not in stated[setting]:
                    for name in _found(root, pattern.format(title=settings.title, package=package)):
                        yield Fault(name, None, f"is there, though {setting} does not name {package}")
        if not form.packages and "release.forms" in stated and form.name not in stated["release.forms"]:
            for name in form.owns(settings):
                if (root / name).exists():
                    yield Fault(name, None, f"is there, though release.forms does not name {form.name}")


def _found(root: Path, pattern: str) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
