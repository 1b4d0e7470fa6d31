"""The data card: README.md of a release.

Belongs here: what fills the template `card.md.j2`. Does not belong here: text (it stands in the template).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.manifest import Counts, Ledger, md5
from bioscan_etl.release.parts import csv_name, images_name, jsonld_name
from bioscan_etl.settings import ReleaseSettings

# Names the Hugging Face hub knows; another licence is given there as `other` with its own name.
_HUB_LICENSES = ("cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-sa-4.0")


def loader_images(
    root: Path, images: pl.DataFrame, settings: ReleaseSettings
) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """What the published loader's `image_files` needs: per split its first and last image with their md5.

    Args:
        root: the release's folder.
        images: split and path of every image, sorted.
        settings: packages.

    Returns:
        Path within the package and md5 by package, by split; a split without images has an empty list.
    """
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for split in vocabulary.SPLITS:
        paths = images.filter(pl.col("split") == split)["path"]
        found[split] = [
            (path, {package: md5(root / images_name(settings) / package / path) for package in settings.image_packages})
            for path in dict.fromkeys([*paths.head(1), *paths.tail(1)])
        ]
    return found


def write_readme(
    root: Path,
    *,
    version: str,
    counts: Counts,
    ledger: Ledger,
    images: pl.DataFrame,
    settings: ReleaseSettings,
    extra: Mapping[str, Path],
) -> None:
    """Write README.md of a release whose other files, but for the manifests, are there.

    Args:
        root: the release's folder.
        version: such as `v3`.
        counts: rows and images.
        ledger: where the rows that were read have gone.
        images: split and path of every image, sorted.
        settings: names, packages, licence.
        extra: files and folders beside the parts, by name.
    """
    environment = Environment(
        loader=PackageLoader("bioscan_etl.release", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Markdown, not HTML
    )
    hub = settings.image_license.lower().replace(" ", "-")
    text = environment.get_template("card.md.j2").render(
        settings=settings,
        version=version,
        counts=counts,
        ledger=ledger,
        splits=vocabulary.SPLITS,
        csv_name=csv_name(settings),
        jsonld_name=jsonld_name(settings),
        csv_md5=md5(root / csv_name(settings)),
        image_files=loader_images(root, images, settings),
        hub_license=hub if hub in _HUB_LICENSES else None,
        dictionary=schema.data_dictionary(schema.METADATA_EXTENDED),
        extra=sorted(extra),
    )
    (root / "README.md").write_text(text, encoding="utf-8", newline="\n")
