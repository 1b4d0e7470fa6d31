"""Where a release is put together, part by part.

Belongs here: the staging folder with its parts. Does not belong here: what a part holds (`release.parts`,
`release.forms`), and the versions that are published (`release.versions`).

    releases/.staging-<digest>/release/   the release as it grows
    releases/.staging-<digest>/parts/     one marker per complete part
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bioscan_etl.errors import LakeError
from bioscan_etl.io.write import write_text
from bioscan_etl.release import manifest
from bioscan_etl.release.versions import LATEST, latest, published, versions

__all__ = ["LATEST", "Staging", "discard_stagings", "latest", "remove", "versions"]

_STAGING = ".staging-"


@dataclass(frozen=True, slots=True)
class Staging:
    """A release being built from the inputs of one digest."""

    releases: Path
    digest: str

    @property
    def folder(self) -> Path:
        """Holds the tree and the markers."""
        return self.releases / f"{_STAGING}{self.digest[:16]}"

    @property
    def tree(self) -> Path:
        """The release as it grows."""
        return self.folder / "release"

    def _marker(self, part: str) -> Path:
        return self.folder / "parts" / f"{part}.json"

    def is_complete(self, part: str) -> bool:
        """Whether a part is complete."""
        return self._marker(part).is_file()

    @contextmanager
    def building(self, part: str, owned: Sequence[str], *, resumable: bool = False) -> Iterator[bool]:
        """Build a part, unless it is complete or its release is published already.

        Args:
            part: name of the part.
            owned: files and folders that the part alone writes, relative to `tree`.
            resumable: keep what a killed attempt has left of it.

        Yields:
            Whether there is something to do; the part is marked complete when the block ends without error.
        """
        if self.is_complete(part) or published(self.releases, self.digest) is not None:
            yield False
            return
        if not resumable:
            for name in owned:
                remove(self.tree / name)
        self.tree.mkdir(parents=True, exist_ok=True)
        yield True
        write_text(self._marker(part), json.dumps(self._extent(owned), sort_keys=True))

    def verify(self, part: str, owned: Sequence[str]) -> None:
        """Check a part against its marker: number and bytes of its files.

        Raises:
            LakeError: it is not complete, or files changed since.
        """
        if not self.is_complete(part):
            raise LakeError(f"part {part} of the release is not built yet; materialise it first")
        if json.loads(self._marker(part).read_text(encoding="utf-8")) != self._extent(owned):
            self._marker(part).unlink()
            raise LakeError(f"part {part} of the release changed after it was built; materialise it again")

    def _extent(self, owned: Sequence[str]) -> dict[str, int]:
        sizes = []
        for name in owned:
            path = self.tree / name
            files = [path / inner for inner in manifest.walk(path)] if path.is_dir() else [path]
            sizes += [file.stat().st_size for file in files if file.is_file()]
        return {"files": len(sizes), "bytes": sum(sizes)}


def remove(path: Path) -> None:
    """Remove a file, link or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def discard_stagings(releases: Path) -> None:
    """Remove all staging folders: those of published releases, and those that newer inputs have made obsolete."""
    for folder in releases.glob(f"{_STAGING}*"):
        shutil.rmtree(folder)
