"""What the descriptors of a release state about its files: media types, names, which are described one by one.

Belongs here: what all descriptors share. Loose images are not described one by one: there may be
millions, md5sums.txt lists them, and data_images/ or the archives hold the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioscan_etl.release.diff.changelog import CHANGELOG
from bioscan_etl.release.forms.registry import forms
from bioscan_etl.release.layout import images_name
from bioscan_etl.release.manifest import MANIFEST, MD5SUMS, README, SIGNATURE, Counts, Sums
from bioscan_etl.schema import Column
from bioscan_etl.settings import ReleaseSettings

KEYWORDS = ("biodiversity", "DNA barcodes", "insects", "taxonomy")
# Of the files that every release has; a form defines those of its own files.
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".md": "text/markdown",
    ".parquet": "application/x-parquet",
    ".tsv": "text/tab-separated-values",
}
_LICENSES = {
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC BY-NC-SA 4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
}


@dataclass(frozen=True, slots=True)
class Description:
    """The input of a descriptor.

    Attributes:
        version: such as `v3`.
        found: sums of its files.
        counts: rows and images.
        settings: names, licence, forms.
        inputs: one entry per input file, as the manifest states them.
        provenance: how batches and stages were made (`manifest.Provenance`); None outside the pipeline.
    """

    version: str
    found: Sequence[Sums]
    counts: Counts
    settings: ReleaseSettings
    inputs: Sequence[Mapping[str, Any]] = ()
    provenance: Mapping[str, Any] | None = None


def described(found: Iterable[Sums], settings: ReleaseSettings) -> Iterator[Sums]:
    """The files that the descriptors list, by path: all but loose images and the pages of the report."""
    apart = (f"{images_name(settings)}/", "report/")
    yield from sorted((one for one in found if not one.path.startswith(apart)), key=lambda one: one.path)


def undescribed(settings: ReleaseSettings) -> frozenset[str]:
    """Files that are descriptors, or are written after them."""
    late = [name for form in forms().values() if form.describe is not None for name in form.owns(settings)]
    return frozenset({MANIFEST, MD5SUMS, SIGNATURE, CHANGELOG, README, *late})


def media_type(path: str) -> str:
    """Media type of a file of the release: the longest ending that is known, those of its forms among them."""
    known = _MEDIA_TYPES | {ending: kind for form in forms().values() for ending, kind in form.media_types.items()}
    found = max((ending for ending in known if path.endswith(ending)), key=len, default="")
    return known.get(found, "application/octet-stream")


def license_address(settings: ReleaseSettings) -> str:
    """Address of the images' licence, or its name if the address is not known."""
    return _LICENSES.get(settings.image_license, settings.image_license)


def summary(settings: ReleaseSettings, version: str, specimens: int, images: int) -> str:
    """The release in one sentence."""
    title = settings.title.replace("_", " ")
    return (
        f"{title}, release {version}: {specimens} specimens, each with a DNA barcode (COI-5P), "
        f"a taxonomic label as deep as it is known and a partition; {images} of them with an image."
    )


def semantic_version(version: str) -> str:
    """A release's version in three numbers, as descriptors ask for.

    Example:
        >>> semantic_version("v3")
        '3.0.0'
    """
    return f"{version.removeprefix('v')}.0.0"


def meaning(column: Column) -> str:
    """What a column is, its unit included."""
    return column.meaning + (f" [{column.unit}]" if column.unit else "")
