"""The HDF5 files of the release."""

from __future__ import annotations

from typing import Any

from bioscan_etl.release.image_parts import build_hdf5
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the part, if the settings ask for it."""
    settings = work.settings.release
    build_hdf5(work.release, settings, work.progress)
    return {"packages": list(settings.hdf5_packages), "packed_packages": list(settings.packed_packages)}
