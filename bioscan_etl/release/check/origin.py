"""Which code made a release?

Belongs here: whether it is the code that is installed. Another version of this package may word texts otherwise, and
compute values by other rules. So only a release of the same code can be held to the letter, and only its values can be
computed again. Does not belong here: what is installed (`installed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioscan_etl.release.manifest import Manifest

MANIFEST_STAGE = "release_manifest"
"""Stage that writes the texts."""
# Libraries whose version decides no value by itself: they store and compute, but hold no facts.
_ENGINES = frozenset({"numpy", "polars", "pyarrow"})
Version = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Origin:
    """The code that made a release, as its manifest states it.

    Attributes:
        stages: codes by stage: of each batch that it was run for, and of the corpus; None outside the pipeline, where
            the installed code is assumed.
        installed: the version of the installed code of a stage; None: there is no such stage.
    """

    stages: Mapping[str, Sequence[Mapping[str, Any]]] | None
    installed: Callable[[str], Version | None]

    @classmethod
    def of(cls, manifest: Manifest, installed: Callable[[str], Version | None]) -> Origin:
        """The origin that a manifest states."""
        made = manifest.provenance
        if made is None:
            return cls(None, installed)
        stages: dict[str, list[Mapping[str, Any]]] = {}
        codes = [(name, stage.code) for batch in made.batches.values() for name, stage in batch.stages.items()]
        codes += [(name, stage.code) for name, stage in made.corpus.items()]
        for name, code in codes:
            stages.setdefault(name, []).append(code)
        return cls(stages, installed)

    def is_ours(self, *stages: str) -> bool:
        """Whether the texts of these stages, and those of the last one, are worded by the installed code."""
        return self.computes(MANIFEST_STAGE, *stages)

    def computes(self, *stages: str) -> bool:
        """Whether the installed code is that of these stages. It takes seconds: ask it last."""
        if self.stages is None:
            return True
        for stage in stages:
            stated = self.stages.get(stage, ())
            ours = self.installed(stage)
            if not stated or any(version_of(code) != ours for code in stated):
                return False
        return True


def version_of(code: Mapping[str, Any]) -> Version:
    """What of the code of a stage decides its results: its logic, its data files, and libraries that hold facts."""
    data, libraries = code.get("data"), code.get("libraries")
    known = libraries.items() if isinstance(libraries, dict) else ()
    deciding = sorted((name, version) for name, version in known if name not in _ENGINES)
    return str(code.get("version")), str(sorted(data.items()) if isinstance(data, dict) else ""), str(deciding)
