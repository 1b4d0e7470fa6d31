"""Outputs of the training in the lake: used as long as their inputs are unchanged, else made again.

Belongs here: the fingerprint of such an output, and what of the code counts for it. Does not belong here: what the
outputs hold, and the outputs of the curation, which are made from the stage registry (`bioscan_etl.stages`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bioscan_etl.lake.current import point
from bioscan_etl.lake.store import CORPUS, Draft, Lake, Output, digest
from bioscan_etl.provenance.closure import closure
from bioscan_etl.settings import Settings

SCRIPTS = ("train", "refine", "export", "calibrate")
"""The scripts that make a detector, in their order."""


# Modules of this package that decide no value of an output: how scripts run, and this module.
_PLUMBING = ("bioscan_etl.training.outputs", "bioscan_etl.training.processes", "bioscan_etl.training.script")


def code_digest(module: str, root: Path | None = None) -> str:
    """Hex sha256 over the code of a module of this package, and of all that it imports.

    Prose does not count: a reworded docstring must not cause hours of training.

    Args:
        module: of this package, as `reviewed`.
        root: folder that holds the package `bioscan_etl`; None is the one that runs.
    """
    found = closure(f"bioscan_etl.training.{module}", root=root)
    counted = {name: value for name, value in found.modules.items() if name not in _PLUMBING}
    return digest([counted, dict(found.values)])


def scripts_digest(root: Path | None = None) -> str:
    """Hex sha256 over the code of the scripts that make a detector, and over the plan of its region proposal network.

    Args:
        root: folder that holds the package `bioscan_etl`; None is the one that runs.
    """
    folder = Path(__file__).parent if root is None else root / "bioscan_etl" / "training"
    plans = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.yaml"))}
    return digest([{name: code_digest(name, root) for name in SCRIPTS}, plans])


def make(
    home: Lake,
    settings: Settings,
    name: str,
    *,
    code: str,
    build: Callable[[Draft], None],
    inputs: Mapping[str, Any],
    reads: Sequence[str] = (),
    resumable: bool = False,
) -> tuple[Output, bool]:
    """Use an output if nothing that it is made from has changed, else make it.

    Args:
        home: the lake.
        settings: of the corpus.
        name: of the output.
        code: the module of this package that makes it, as `reviewed`.
        build: writes files and counts into the draft.
        inputs: content of the inputs.
        reads: settings that it reads, by dotted name.
        resumable: keep what a killed attempt has left.

    Returns:
        The output, and whether it was made now.
    """
    made_from = {"code": code_digest(code), "settings": settings.values(reads), "inputs": dict(inputs)}
    fingerprint = digest([name, made_from])
    with home.lock(name):
        output = home.find(name, fingerprint)
        built = output is None or not output.is_whole
        if built:
            with home.writing(name, fingerprint, made_from=made_from, resumable=resumable) as draft:
                build(draft)
            output = home.find(name, fingerprint)
        assert output is not None
        point(home, name, fingerprint)
        home.sweep(name, CORPUS, {fingerprint})
    return output, built
