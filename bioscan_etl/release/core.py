"""The two parts that every release has, as files: the metadata with the logs, and the images.

Belongs here: which files and folders each of them owns. Does not belong here: writing them (`release.parts`).
"""

from __future__ import annotations

from bioscan_etl import schema
from bioscan_etl.release.layout import DATA, LABELS, images_name
from bioscan_etl.settings import ReleaseSettings

LOGS = {
    "quarantine.parquet": schema.QUARANTINE,
    "set_aside.parquet": schema.SET_ASIDE,
    "rejects.parquet": schema.REJECTS,
    "changes.parquet": schema.CHANGES,
}

DECIDED = "decisions.parquet"
"""The curators' decisions (`schema.DECISION_LOG`); releases of earlier versions have none."""


def metadata_paths(settings: ReleaseSettings) -> tuple[str, ...]:
    """Files and folders of the metadata and the logs, without the forms that are written with them."""
    return (f"{settings.dataset}/metadata/csv", DATA, *LOGS, DECIDED, LABELS)


def image_paths(settings: ReleaseSettings) -> tuple[str, ...]:
    """The folder of the image packages, if there are any."""
    return (images_name(settings),) if settings.image_packages else ()
