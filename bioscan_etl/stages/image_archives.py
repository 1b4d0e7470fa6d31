"""The zips and WebDataset shards of the release."""

from __future__ import annotations

from typing import Any

from bioscan_etl.release.image_parts import build_archives
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the part, if the settings ask for it."""
    settings = work.settings.release
    build_archives(work.release, settings, work.progress)
    return {"zip_packages": list(settings.zip_packages), "webdataset_packages": list(settings.webdataset_packages)}
