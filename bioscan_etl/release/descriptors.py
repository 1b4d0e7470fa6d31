"""What the descriptors of a release say of its files: media types, names, which are described one by one.

Belongs here: what `croissant` and `datapackage` share. Loose images are not described one by one: there may be
millions, md5sums.txt lists them, and data_images/ or the archives hold the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from bioscan_etl.release.manifest import Sums
from bioscan_etl.release.parts import images_name
from bioscan_etl.schema import Column
from bioscan_etl.settings import ReleaseSettings

CROISSANT, DATAPACKAGE = "croissant.json", "datapackage.json"
KEYWORDS = ("biodiversity", "DNA barcodes", "insects", "taxonomy")
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".hdf5": "application/x-hdf5",
    ".html": "text/html",
    ".jsonld": "application/ld+json",
    ".md": "text/markdown",
    ".parquet": "application/x-parquet",
    ".tar": "application/x-tar",
    ".zip": "application/zip",
}
_LICENSES = {
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC BY-NC-SA 4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
}


def described(found: Iterable[Sums], settings: ReleaseSettings) -> Iterator[Sums]:
    """The files that the descriptors list, by path: all but loose images and the pages of the report."""
    apart = (f"{images_name(settings)}/", "report/")
    yield from sorted((one for one in found if not one.path.startswith(apart)), key=lambda one: one.path)


def media_type(path: str, settings: ReleaseSettings) -> str:
    """Media type of a file of the release."""
    if path == f"{settings.title}_bbox.tsv":
        return "text/csv"  # in spite of its name (spec: the release, rule 6)
    if path.endswith(".tsv"):
        return "text/tab-separated-values"
    return _MEDIA_TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")


def license_address(settings: ReleaseSettings) -> str:
    """Address of the images' licence, or its name where the address is not known."""
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
