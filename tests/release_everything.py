"""A release with every form, for the tests of its readers: 32 specimens in eight partitions, small shards."""

from __future__ import annotations

from pathlib import Path

from release_corpus import GROWN, Corpus, corpus

from bioscan_etl.release.forms.registry import forms
from bioscan_etl.settings import ReleaseSettings, Settings

FORMS = tuple(form.name for form in forms().values() if not form.packages)
EVERYTHING = ReleaseSettings(
    forms=FORMS,
    packed_packages=("cropped_256",),
    zip_packages=("cropped_256",),
    webdataset_packages=("cropped_256",),
    rows_per_group=4,
    rows_per_shard=6,
    images_per_group=2,
    images_per_shard=5,
    images_per_zip=6,
    samples_per_tar=3,
)


def everything(folder: Path) -> Path:
    """Build the release below `folder`; returns its folder."""
    return made(folder).build(folder / "releases", Settings(release=EVERYTHING, splits=GROWN))


def made(folder: Path) -> Corpus:
    """The corpus it is made of: labels that are missing at every rank, one order among them."""
    return corpus(folder / "lake")
