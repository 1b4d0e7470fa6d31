"""The data card: README.md of a release.

Belongs here: what fills the template `card.md.j2`. Does not belong here: text (it is in
the template, or for an output form in its module).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.forms.registry import Card, wanted
from bioscan_etl.release.layout import ORIGINALS, csv_name, images_name
from bioscan_etl.release.manifest import SIGNATURE, Counts, Ledger, md5
from bioscan_etl.settings import ReleaseSettings

_MARKUP = re.compile(r"[\\`*<>|\[\]]")
# Licences that the Hugging Face hub knows; any other is given there as `other` with its own name.
_HUB_LICENSES = ("cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-sa-4.0")


def loader_images(
    root: Path, images: pl.DataFrame, settings: ReleaseSettings
) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """The value of the published loader's `image_files`: the first and last image of each split with their md5.

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


def readme(
    root: Path,
    *,
    version: str,
    counts: Counts,
    ledger: Ledger,
    images: pl.DataFrame,
    settings: ReleaseSettings,
    extra: Iterable[str],
    signed: bool = False,
) -> str:
    """The text of README.md of a release that is complete except for the manifests.

    Args:
        root: the release's folder. The CSV, and the first and last image of each split, are read for their md5.
        version: such as `v3`.
        counts: rows and images.
        ledger: numbers of rows read, released, quarantined, set aside and rejected.
        images: split and path of every image, sorted.
        settings: names, packages, licence.
        extra: names of additional files and folders.
        signed: whether the manifest is to be signed.
    """
    chosen = wanted(settings)
    shards = [form.shards for form in chosen if form.shards is not None]
    hub = settings.image_license.lower().replace(" ", "-")
    return _template().render(
        settings=settings,
        version=version,
        counts=counts,
        ledger=ledger,
        splits=vocabulary.SPLITS,
        csv_name=csv_name(settings),
        files=_files(settings),
        last_files=[row for form in chosen if form.describe is not None for row in form.card(settings).rows],
        shards=shards,
        configurations=_configurations([each.configuration for each in shards]),
        readings=[text for form in chosen if (text := form.card(settings).reading)],
        csv_md5=md5(root / csv_name(settings)),
        image_files=loader_images(root, images, settings),
        hub_license=hub if hub in _HUB_LICENSES else None,
        dictionary=schema.data_dictionary(schema.METADATA_EXTENDED),
        extra=sorted(extra),
        signature=SIGNATURE if signed else None,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("bioscan_etl.release", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Markdown, not HTML
    )
    environment.filters["words"] = _words
    return environment.get_template("card.md.j2")


def _words(text: str) -> str:
    """A text of the settings as Markdown that shows it: no markup, HTML, link or column of a table."""
    return _MARKUP.sub(r"\\\g<0>", text)


# Positions of the paths that every release has, among those of the forms (`Form.place`).
_CSV, _DATA, _IMAGES = 0, 20, 50


def _files(settings: ReleaseSettings) -> list[tuple[str, str]]:
    """Paths of the metadata, the images and the forms made of them, and what each is, in order."""
    csv = (f"`{csv_name(settings)}`", "the 23 published columns; missing is the empty field")
    data = ("`data/<split>-NNNNN-of-NNNNN.parquet`", "the same rows, with our further columns after the 23")
    labels = (
        "`labels/<rank>.csv`, `labels/hierarchy.csv`",
        "the classes of each rank: index, parent, specimens per partition; later releases keep the indices",
    )
    placed = [
        (_CSV, Card((csv,))),
        (_DATA, Card((data, labels))),
        (_IMAGES, _images(settings)),
        *((form.place, form.card(settings)) for form in wanted(settings) if form.describe is None),
    ]
    return [row for _, card in sorted(placed, key=lambda each: each[0]) for row in card.rows]


def _images(settings: ReleaseSettings) -> Card:
    rows = []
    if settings.image_packages:
        path = f"`{images_name(settings)}/<package>/<split>/[<chunk>/]<processid>.jpg`"
        rows.append((path, ", ".join(settings.image_packages)))
    if ORIGINALS in settings.image_packages:
        what = "the bytes as they were delivered: among them may be PNG and TIFF under the name `.jpg`"
        rows.append(("", f"{ORIGINALS} holds {what}"))
    return Card(tuple(rows))


def _configurations(names: Sequence[str]) -> str:
    """The text on the configurations that Hugging Face `datasets` finds; the empty text if there is one only."""
    if not names:
        return ""
    every = ["default", *names]
    count = "both" if len(every) == 2 else "the"
    return f" in {count} configurations, {', '.join(f'`{name}`' for name in every[:-1])} and\n`{every[-1]}`"
