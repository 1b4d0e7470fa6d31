"""Every output form, found by listing this package: a form is one module, and its entry is the module's `FORM`.

Belongs here: what an entry holds, finding the entries, and what is the same for all forms (whether one is wanted, what
the release's parts own, building one). Does not belong here: what a single form does; see its module. Settings,
stages, `check`, the data card, the descriptors and docs/reference/forms.md all read this registry, so that a new form
is a new module in this folder and nothing else. A module whose name begins with `_` is not a form.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bioscan_etl.errors import InvariantError, SettingsError
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release import forms as _package
from bioscan_etl.release.core import image_paths, metadata_paths

if TYPE_CHECKING:
    from bioscan_etl.release.check.faults import Fault
    from bioscan_etl.release.check.view import View
    from bioscan_etl.release.descriptors import Description
    from bioscan_etl.release.staging import Staging
    from bioscan_etl.schema import Column, Table
    from bioscan_etl.settings import ReleaseSettings

METADATA_STAGE, IMAGES_STAGE, LAST_STAGE = "release_metadata", "image_packages", "release_manifest"
"""Stages that make other parts than forms: the metadata, the images, and the version."""


@dataclass(frozen=True, slots=True)
class Card:
    """The data card's texts on a form.

    Attributes:
        rows: of the table of files, in Markdown: path, and what it is.
        reading: a paragraph or code block for the section on reading the release.
    """

    rows: tuple[tuple[str, str], ...]
    reading: str = ""


@dataclass(frozen=True, slots=True)
class Shards:
    """Parquet files by split, `<folder>/<split>-NNNNN-of-NNNNN.parquet`, for the descriptors.

    Attributes:
        folder: within the release.
        columns: that a record set lists.
        remark: added to "rows of <split>".
        configuration: name under which Hugging Face `datasets` offers them.
    """

    folder: str
    columns: tuple[Column, ...]
    remark: str
    configuration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One output form.

    Of the hooks, `build` alone decides the files of a form that has a stage of its own. It takes the staging, the
    settings and the progress, and reads the release's rows and images from the staging. Code that only the other hooks
    reach is not part of that stage.

    Attributes:
        name: of the form, its module and its part; what `release.forms` lists.
        about: what it is, for the UI and the docs: a sentence, then more after an empty line.
        place: position among the forms in the data card and the docs.
        stage: that writes it: one of its own with `build`; else the metadata's, or the last with `describe`.
        owns: files and folders that it writes, relative to the release.
        check: yields what is wrong with it in a release; it does not call what wrote it.
        card: the data card's texts on it.
        build: writes it.
        describe: returns the text of each of its files, by path. It is called once the sums of all other files are
            known, and again by `check`, which compares: it reads nothing but the description.
        images: whether it is made of the image packages, not of the rows alone.
        image_package: the one package that it is made of.
        packages: if it is asked for by lists of packages and not by `release.forms`: the setting, and the files of
            one package as a pattern with `{title}` and `{package}`.
        settings: of [release] that decide its files, beside `forms`, `image_packages` and `packages`.
        verified: settings that its check holds the release against, and how.
        resumable: a killed run resumes where it was.
        libraries: distributions whose releases can decide its files; they must be installed.
        bytes_per_row: memory by which making it grows with each specimen, as measured (benchmarks/stage_memory.py).
        kinds: of the asset, in the UI.
        media_types: by ending of the file's name.
        tables: schemas of its CSV tables by path, for the Data Package.
        shards: its Parquet files by split, for Croissant and Hugging Face.
    """

    name: str
    about: str
    place: int
    stage: str
    owns: Callable[[ReleaseSettings], tuple[str, ...]]
    check: Callable[[View], Iterator[Fault]]
    card: Callable[[ReleaseSettings], Card]
    build: Callable[[Staging, ReleaseSettings, Progress], None] | None = None
    describe: Callable[[Description], Mapping[str, str]] | None = None
    images: bool = False
    image_package: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    verified: Mapping[str, str] = field(default_factory=dict)
    resumable: bool = False
    libraries: tuple[str, ...] = ("polars", "pyarrow")
    bytes_per_row: int = 0
    kinds: tuple[str, ...] = ()
    media_types: Mapping[str, str] = field(default_factory=dict)
    tables: Callable[[ReleaseSettings], Mapping[str, Table]] | None = None
    shards: Shards | None = None

    @property
    def module(self) -> str:
        """The name of its module."""
        return f"{_package.__name__}.{self.name}"

    def is_wanted(self, settings: ReleaseSettings) -> bool:
        """Whether the settings ask for it and its images are written."""
        if self.packages:
            return any(getattr(settings, name) for name in self.packages)
        return self.name in settings.forms and self.image_package in {None, *settings.image_packages}

    def asked_for(self, settings: ReleaseSettings) -> dict[str, Any]:
        """The parts of it that the settings ask for, as its stage reports them."""
        return {"asked_for": self.is_wanted(settings)} | {name: list(getattr(settings, name)) for name in self.packages}

    def settings_read(self) -> tuple[str, ...]:
        """Dotted names of the settings that decide whether it is made, and of what."""
        own = (*self.packages, *self.settings) if self.packages else ("forms", *self.settings)
        return tuple(f"release.{name}" for name in sorted({"image_packages", *own}))


def names() -> tuple[str, ...]:
    """Names of all forms, sorted; no form is imported."""
    return tuple(
        sorted(
            each.name
            for each in pkgutil.iter_modules(_package.__path__)
            if each.name != "registry" and not each.name.startswith("_")
        )
    )


def forms() -> Mapping[str, Form]:
    """All forms by name, in the order of `Form.place`.

    Raises:
        InvariantError: a module of the package is not a form, or two forms have the same stage.
    """
    return _load(names())


@cache
def _load(listed: tuple[str, ...]) -> Mapping[str, Form]:
    found = []
    for name in listed:
        module = importlib.import_module(f"{_package.__name__}.{name}")
        form = getattr(module, "FORM", None)
        if not isinstance(form, Form) or form.name != name:
            raise InvariantError(f"{module.__file__} has no FORM named {name!r}; see docs/reference/forms.md")
        others = {METADATA_STAGE} if form.describe is None else {LAST_STAGE}
        if (form.build is None) != (form.stage in others) or (form.build and form.describe):
            raise InvariantError(f"form {name} needs a stage of its own and `build`, or {' or '.join(others)} and none")
        found.append(form)
    stages = [form.stage for form in found if form.build is not None]
    twice = sorted({stage for stage in stages if stages.count(stage) > 1})
    if twice:
        raise InvariantError(f"several forms have the stage {', '.join(twice)}; give each a stage of its own")
    return MappingProxyType({form.name: form for form in sorted(found, key=lambda form: (form.place, form.name))})


def wanted(settings: ReleaseSettings) -> tuple[Form, ...]:
    """The forms that the settings ask for, in order."""
    return tuple(form for form in forms().values() if form.is_wanted(settings))


def require_name(name: str) -> str:
    """A name of `release.forms`, if there is such a form; no form is imported.

    Raises:
        ValueError: there is none; the message names the nearest.
    """
    known = names()
    if name in known:
        return name
    near = get_close_matches(name, known, 1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise ValueError(f"there is no form {name!r}; {hint}")


def require_askable(asked: tuple[str, ...], image_packages: tuple[str, ...]) -> None:
    """Check names of `release.forms` against the entries of the forms.

    Raises:
        ValueError: a form is asked for by another setting, or is made of images that are not written.
    """
    for name in asked:
        form = forms()[name]
        if form.packages:
            raise ValueError(f"forms names {name}, which is asked for with {' or '.join(form.packages)}")
        if form.image_package and form.image_package not in image_packages:
            raise ValueError(f"forms names {name}, made of {form.image_package}, which image_packages does not write")


def owned(settings: ReleaseSettings) -> dict[str, tuple[str, ...]]:
    """Files and folders of each part that these settings ask for, relative to the release."""
    chosen = wanted(settings)
    beside = [path for form in chosen if form.stage == METADATA_STAGE for path in form.owns(settings)]
    parts = {"metadata": (*metadata_paths(settings), *beside), "images": image_paths(settings)}
    parts |= {form.name: form.owns(settings) for form in chosen if form.build is not None}
    return {part: paths for part, paths in parts.items() if paths}


def build_form(form: Form, staging: Staging, settings: ReleaseSettings, progress: Progress = silent) -> None:
    """Write a form as a part of the staged release, if the settings ask for it and it is not there.

    Raises:
        InvariantError: the metadata or the images that it is made of are not built yet.
        SettingsError: it needs a library that is not installed.
    """
    if form.build is None or not form.is_wanted(settings):
        return
    with staging.building(form.name, form.owns(settings), resumable=form.resumable) as fresh:
        if fresh:
            if form.images and not staging.is_complete("images"):
                raise InvariantError(f"the release's images are not built yet; materialise {IMAGES_STAGE} first")
            if not staging.is_complete("metadata"):
                raise InvariantError(f"the release's metadata is not built yet; materialise {METADATA_STAGE} first")
            for library in form.libraries:
                _require_library(form, library)
            form.build(staging, settings, progress)


def _require_library(form: Form, library: str) -> None:
    try:
        importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        asked = " and ".join(form.packages) or "release.forms"
        raise SettingsError(
            f"the form {form.name} needs {library}, which is not installed; install it, or take the form out of {asked}"
        ) from None
