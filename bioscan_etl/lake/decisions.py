"""The files that people write for a corpus, and the copy of them that a corpus run reads.

Belongs here: finding and copying the curators' decisions and the users' reports. Does not belong here: what they say
(`bioscan_etl.decisions`, `bioscan_etl.proposals`).

Curators save decisions at any time. So a pin names a copy of all files, and every stage of a run reads the same lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.lake import small_files
from bioscan_etl.lake.store import Lake, digest
from bioscan_etl.printable import printable

FOLDER = "decisions"
REPORTS = "reports"
"""Folder of the reports from users, whose lines are proposals."""
MOST_BYTES = 256 * 2**20
"""Of one file: a million decisions have about half of it."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a folder.

    Attributes:
        texts: text by name.
        unreadable: why a file cannot be read, by name.
    """

    texts: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Hex sha256 of names and contents; empty if there is no file."""
        sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self.texts.items()}
        return digest([sums, self.unreadable]) if sums or self.unreadable else ""


def folder(lake: Lake, name: str = FOLDER) -> Path:
    """Where curators put their files, or where the reports from users are (`REPORTS`)."""
    return lake.root / name


def find(lake: Lake, name: str = FOLDER) -> Files:
    """The files of a folder as they are now; one that cannot be read hides no other."""
    found = Files()
    place = folder(lake, name)
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        if path.suffix.lower() != ".csv" or path.name.startswith("."):
            continue
        shown = printable(path.name)
        try:
            if not path.is_file():
                raise OSError(0, "it is no file")
            if path.stat().st_size > MOST_BYTES:
                raise OSError(0, f"it has more than {MOST_BYTES:,} bytes")
            found.texts[shown] = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            found.unreadable[shown] = f"is not UTF-8 (byte {error.start + 1:,}); save it as UTF-8 text"
        except OSError as error:
            found.unreadable[shown] = f"cannot be read: {error.strerror or type(error).__name__}"
    return found


def save_copy(lake: Lake, files: Files) -> str:
    """Keep a copy of the files for a run; returns their digest."""
    path = _copy(lake, files.digest)
    if files.digest and not path.exists():
        small_files.write(path, {"texts": files.texts, "unreadable": files.unreadable})
    return files.digest


def load_copy(lake: Lake, files_digest: str) -> Files:
    """The copy of the files with this digest; no files for the empty one.

    Raises:
        LakeError: there is no such copy, or it is damaged.
    """
    if not files_digest:
        return Files()
    path = _copy(lake, files_digest)
    value: dict[str, Any] | None = small_files.read(path)
    if value is None:
        raise LakeError(f"the copy {path} of decisions or reports does not exist; start the run without a pin")
    files = Files(dict(value.get("texts", {})), dict(value.get("unreadable", {})))
    if files.digest != files_digest:
        raise LakeError(
            f"the copy {path} of decisions or reports is damaged; delete it and start the run without a pin"
        )
    return files


def drop_copies(lake: Lake, keep: Collection[str]) -> None:
    """Remove the copies that no pin names."""
    for name in small_files.names(lake.home / FOLDER):
        if name not in keep:
            (lake.home / FOLDER / f"{name}.json").unlink(missing_ok=True)


def _copy(lake: Lake, files_digest: str) -> Path:
    return lake.home / FOLDER / f"{files_digest}.json"
