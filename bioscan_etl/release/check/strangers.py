"""Does every file of a release belong to one of its parts?

Belongs here: files beside the parts, and files within the folder of a form that the form does not name. Does not belong
here: files that the manifest does not list (`files`), and images that no specimen has (`images`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import names
from bioscan_etl.release.descriptors import undescribed
from bioscan_etl.release.forms.registry import forms, owned
from bioscan_etl.release.labels import label_tables
from bioscan_etl.release.layout import DATA, FIGURES, STATISTICS, images_name
from bioscan_etl.release.manifest import README, Manifest
from bioscan_etl.release.scan import MOVES
from bioscan_etl.settings import ReleaseSettings

MEMORY, REPORT = "partition_memory.parquet", "report"
OF_THE_PIPELINE = frozenset({MEMORY, MOVES, REPORT, f"{REPORT}/desk", STATISTICS, FIGURES})
"""What the pipeline adds to the parts."""

_ADDED = re.compile(r"^\| `(.+)` \| added to this release \|$", re.MULTILINE)
_PARTITION = re.compile(rf"^{DATA}/[a-z_]+-[0-9]{{5}}-of-[0-9]{{5}}\.parquet$")


def added(manifest: Manifest, settings: ReleaseSettings, card: str) -> tuple[list[str], list[Fault]]:
    """The files and folders that were added to the parts.

    Args:
        manifest: of the release.
        settings: its names, forms and packages.
        card: text of README.md, which names what was added.

    Returns:
        Their names, and a fault for each file that is of no part and that the card does not name; and, of a release of
        the pipeline, for whatever the pipeline does not add.
    """
    images = f"{images_name(settings)}/"
    parts = [path for paths in owned(settings).values() for path in paths]
    late = undescribed(settings)
    # A descriptor that the stated settings leave out is compared all the same.
    beside = [
        entry.path
        for entry in manifest.files
        if not (entry.path in late or (settings.image_packages and entry.path.startswith(images)))
        and not any(_is_in(entry.path, part) for part in parts)
    ]
    listed = list(dict.fromkeys(_ADDED.findall(card)))
    found = {name for name in listed if any(_is_in(path, name) for path in beside)}
    alone = [path for path in beside if not any(_is_in(path, name) for name in found)]
    faults = [Fault(path, None, f"is of no part of the release, and {README} does not name it") for path in alone]
    if manifest.provenance is not None:
        more = found - OF_THE_PIPELINE
        faults += [Fault(name, None, "is of no part of the release, and nothing that is added to one") for name in more]
    return sorted(found), list(capped(faults))


def _is_in(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def check(manifest: Manifest) -> Iterator[Fault]:
    """Files in the folders of parts that have files of certain names only."""
    settings = names(manifest)
    tables: Mapping[str, object] = {
        path: table
        for form in forms().values()
        if form.tables is not None
        for path, table in form.tables(settings).items()
    } | label_tables()
    csvs = {path.rsplit("/", 1)[0] for path in tables if "/" in path}
    csvs.add(f"{settings.dataset}/metadata/csv")
    tables = {**tables, f"{settings.dataset}/metadata/csv/{settings.title}_Dataset_metadata.csv": None}
    for entry in manifest.files:
        folder = entry.path.rpartition("/")[0]
        if folder in csvs and entry.path not in tables:
            yield Fault(entry.path, None, f"is none of the files that {folder}/ has")
        elif _is_in(entry.path, DATA) and not _PARTITION.match(entry.path):
            yield Fault(entry.path, None, f"is none of the files that {DATA}/ has")
