"""Where the evaluation of a release lies, and those of the releases before it.

Belongs here: finding and reading scores. Does not belong here: writing them (`files`), and comparing them (`checks`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from bioscan_etl.errors import BioscanError
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.release.versions import versions
from bioscan_etl.schema import EVALUATION

FOLDER = "evaluations"
"""Folder beside the releases of a corpus; it holds a folder per version."""
SCORES = "scores"
"""Name of the files of the scores, without their ending."""
_VERSION = re.compile(r"v[1-9][0-9]*")


class Earlier(NamedTuple):
    """Scores of earlier releases: `schema.EVALUATION` by version, oldest first; and versions that cannot be read."""

    scores: Mapping[str, pl.DataFrame]
    damaged: tuple[str, ...]


NONE_BEFORE = Earlier({}, ())
"""Of a first release."""


def beside(root: Path) -> Path:
    """The folder of the scores: `OUTPUT/evaluations/v3` for `OUTPUT/releases/v3`, else `<folder>-evaluation`."""
    if root.parent.name == "releases":
        return root.parent.parent / FOLDER / root.name
    return root.with_name(f"{root.name}-evaluation")


def read_scores(folder: Path) -> pl.DataFrame | None:
    """The scores of a folder, `schema.EVALUATION`; None if it has none that can be read."""
    try:
        return EVALUATION.conform(read_parquet(folder / f"{SCORES}.parquet"))
    except (OSError, pl.exceptions.PolarsError, BioscanError):
        return None


def earlier(folder: Path) -> Earlier:
    """The evaluations of the releases before that of a folder.

    Args:
        folder: such as `OUTPUT/evaluations/v3`; any other has none before it.
    """
    if folder.parent.name != FOLDER or not _VERSION.fullmatch(folder.name):
        return NONE_BEFORE
    before = [each for each in versions(folder.parent) if int(each.name[1:]) < int(folder.name[1:])]
    found = {each.name: read_scores(each) for each in before if (each / f"{SCORES}.parquet").exists()}
    return Earlier(
        {name: scores for name, scores in found.items() if scores is not None},
        tuple(name for name, scores in found.items() if scores is None),
    )
