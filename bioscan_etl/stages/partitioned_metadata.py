"""The release's metadata in Hive folders."""

from __future__ import annotations

from typing import Any

from bioscan_etl.release.parts import build_partitioned
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the part, if the settings ask for it."""
    settings = work.settings.release
    build_partitioned(work.release, settings)
    return {"asked_for": settings.wants("partitioned")}
