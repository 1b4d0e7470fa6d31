"""The last release on S3, next to earlier ones."""

from __future__ import annotations

from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.release import versions
from bioscan_etl.release.ship.mirror import publish_to_s3
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Upload missing files; returns the location and what was uploaded.

    Raises:
        LakeError: there is no release.
    """
    target = work.settings.release.publish_to
    if not target:
        return {"published": False, "setting": "release.publish_to"}
    release = versions.latest(work.lake.releases)
    if release is None:
        raise LakeError("there is no release to publish; run release_manifest first")
    done = publish_to_s3(release, target, work.progress)
    return {
        "published": True,
        "location": done.location,
        "files": done.files,
        "sent": done.sent,
        "sent_bytes": done.sent_bytes,
        "latest": done.latest,
    }
