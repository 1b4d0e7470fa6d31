"""The code version of a stage, as stated in fingerprints, in Dagster and in the manifest of a release.

Belongs here: the version of a stage's logic, and its data files and libraries. Does not belong here: how the
digest of the logic is computed (`provenance.closure`).

A stage has a version number, stored in `recorded.json` with the digest of its logic. As long as the logic has that
digest, only the version counts: a refactoring that is proven to change no byte keeps the outputs of millions of
specimens. If the logic has another digest, that digest counts: an unrecorded change always makes outputs stale.
`tools/record_stages.py` records versions: it makes golden corpora again, keeps the version of a stage
whose output is byte-identical, and raises it otherwise. A test fails until that is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import bioscan_etl
from bioscan_etl.errors import LakeError
from bioscan_etl.provenance.closure import closure
from bioscan_etl.stages.registry import STAGES, Stage

RECORDED = Path(__file__).with_name("recorded.json")


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a stage.

    Attributes:
        version: version of its logic; with `+` and a digest if the logic is not the recorded one.
        libraries: versions of distributions that can decide its values.
        data: sha256 by data file, relative to the package.
    """

    version: str
    libraries: Mapping[str, str]
    data: Mapping[str, str]

    @property
    def label(self) -> str:
        """Short form for Dagster: the version, and a digest of libraries and data files."""
        rest = json.dumps([dict(self.libraries), dict(self.data)], sort_keys=True)
        return f"{self.version}-{hashlib.sha256(rest.encode()).hexdigest()[:8]}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def recorded() -> dict[str, dict[str, Any]]:
    """Version, digest of the logic and golden outputs, by stage; empty if nothing is recorded.

    Raises:
        LakeError: the record is damaged, so that it is unknown which outputs are current.
    """
    return dict(_read_record().get("stages", {}))


def recorded_machine() -> dict[str, Any]:
    """The CPU and the libraries with which the golden outputs were made; empty if nothing is recorded."""
    return dict(_read_record().get("machine", {}))


def _read_record() -> dict[str, Any]:
    try:
        found = json.loads(RECORDED.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LakeError(f"{RECORDED} is damaged ({error}); install bioscan-etl again") from None
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise LakeError(f"{RECORDED} is damaged (no record of stages); install bioscan-etl again")
    return found


@cache
def code_of(name: str, root: Path | None = None) -> Code:
    """The code of a stage.

    Args:
        name: of the stage.
        root: folder that holds the package; the installed one by default.
    """
    stage = STAGES[name]
    package = (root or Path(bioscan_etl.__file__).resolve().parents[1]) / "bioscan_etl"
    found = closure(stage.module, root=root, prose=stage.prose).digest
    known = recorded().get(name, {})
    number = str(known.get("version", 0))
    return Code(
        version=number if known.get("closure") == found else f"{number}+{found[:12]}",
        libraries={library: _version(library) for library in stage.libraries},
        data=_data(package, stage),
    )


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _data(package: Path, stage: Stage) -> dict[str, str]:
    found = {}
    for pattern in stage.data:
        paths = [path for path in sorted(package.glob(pattern)) if path.is_file() and not path.name.startswith(".")]
        if not paths:
            raise LakeError(f"stage {stage.name} needs {pattern}, which is missing from {package}; install it again")
        for path in paths:
            found[path.relative_to(package).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
