"""Does a release hold what it says? Needs nothing but its folder.

Belongs here: the order of the checks. They stand in `check_files` (manifests and bytes), `check_csv` and
`check_tables` (values and agreement of the forms), `check_images` (packages and HDF5). Everything in the folder
is taken for damaged or hostile: a fault is a line in the result, never an exception, and nothing outside the
folder is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bioscan_etl.progress import Progress, silent
from bioscan_etl.release import check_files, check_images, check_tables
from bioscan_etl.release.faults import Fault

__all__ = ["Fault", "check"]


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
    rows, faults = check_tables.check(root, manifest)
    yield from faults
    if rows is not None:
        yield from check_images.check(root, manifest, rows, images, progress)
