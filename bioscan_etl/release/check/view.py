"""The input of an output form's check: the release, its settings, and the content of data/.

Belongs here: what the checks of several forms need. Does not belong here: what a form must hold; that is the `check`
of the form's module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.layout import images_name
from bioscan_etl.release.manifest import Manifest
from bioscan_etl.settings import ReleaseSettings


@dataclass(frozen=True, slots=True)
class View:
    """A release as the check of a form sees it. Everything in it may be damaged or hostile.

    Attributes:
        root: its folder.
        manifest: its manifest.
        settings: its names, forms and packages.
        origin: the code that it states to be made with.
        stated: the settings that it states, as far as they are valid.
        known: the content of data/; None if that cannot be read: then only descriptors are checked.
        listed: processid, split and path within the package of every image that is to be there.
        chosen: process IDs whose images are compared byte by byte; of the others only the size is.
    """

    root: Path
    manifest: Manifest
    settings: ReleaseSettings
    origin: Origin
    stated: Stated
    known: Data | None
    listed: pl.DataFrame
    chosen: frozenset[str]

    @property
    def data(self) -> Data:
        """The content of data/, which the forms are compared with."""
        assert self.known is not None
        return self.known

    def files(self, package: str) -> dict[str, Path]:
        """File of each specimen's image in a package, by process ID."""
        folder = f"{images_name(self.settings)}/{package}"
        # A link is a fault already, and is not followed: its place is taken by a file that is not there.
        return {
            processid: self.root / name if is_plain(self.root, name := f"{folder}/{path}") else self.root / "\0absent"
            for processid, path in self.listed.select("processid", "path").iter_rows()
        }
