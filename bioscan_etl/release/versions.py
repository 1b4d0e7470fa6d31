"""The published versions of a release, and the pointer `latest`.

Belongs here: finding versions, naming the next one, moving the pointer. Does not belong here: a release that is still
being put together (`release.staging`).

    releases/v<N>/      a published version; never written again
    releases/latest     link to the last one
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bioscan_etl.errors import LakeError
from bioscan_etl.lake.locks import hold
from bioscan_etl.release import manifest

_VERSION = re.compile(r"^v([1-9][0-9]*)$")
LATEST = "latest"


def versions(releases: Path) -> list[Path]:
    """Folders of the published versions, oldest first."""
    found = [(int(match.group(1)), path) for path in releases.glob("v*") if (match := _VERSION.match(path.name))]
    return [path for _, path in sorted(found)]


def latest(releases: Path) -> Path | None:
    """Folder of the version that `latest` points to, or None."""
    link = releases / LATEST
    return releases / link.readlink() if link.is_symlink() and link.is_dir() else None


def published(releases: Path, digest: str) -> Path | None:
    """The last version, if it was made from the inputs of this digest.

    A version newer than `latest` counts too: the run that made it was killed before it moved the pointer.

    Raises:
        LakeError: the manifest of the last version is damaged.
    """
    found = versions(releases)
    if not found:
        return None
    try:
        same = manifest.read_head(found[-1]).get("inputs_digest") == digest
    except (OSError, ValueError) as error:
        raise LakeError(f"{found[-1]} has a damaged manifest.json ({error}); move that folder away") from None
    return found[-1] if same else None


def next_version(releases: Path) -> str:
    """Name of the version to come."""
    found = versions(releases)
    return f"v{int(found[-1].name[1:]) + 1}" if found else "v1"


def point_latest(releases: Path, version: Path) -> None:
    """Let `latest` point to a version, in one step; the link is relative."""
    fresh = releases / f".{LATEST}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(version.name)
    fresh.replace(releases / LATEST)


@contextmanager
def publishing(releases: Path) -> Iterator[None]:
    """Lock the releases folder against other publishers; the lock ends with its process.

    Raises:
        BusyError: another process is publishing.
    """
    with hold(releases / ".lock", f"another run publishes to {releases}; wait for it and run again"):
        yield
