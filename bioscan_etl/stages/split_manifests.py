"""The release's lists of process IDs by partition."""

from __future__ import annotations

from typing import Any

from bioscan_etl.release.parts import build_splits
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the part, if the settings ask for it."""
    settings = work.settings.release
    build_splits(work.release, settings)
    return {"asked_for": settings.wants("splits")}
