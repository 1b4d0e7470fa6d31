"""The last release on S3, beside those before it."""

from pathlib import Path

import dagster as dg

from assets.release import release_manifest
from assets.stage import stage
from bioscan_etl.errors import LakeError
from bioscan_etl.progress import Progress
from bioscan_etl.release import staging
from bioscan_etl.release.upload import publish_to_s3
from bioscan_etl.resources import LakeResource


@stage(group="release", kinds={"s3"}, deps=[release_manifest], pool="corpus")
def release_mirror(lake: LakeResource, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    """The last release below the S3 prefix of `release.publish_to`; nothing where that setting is empty.

    Data first, the manifest last, then the pointer `latest`; what is there already is not sent again.
    """
    target = lake.settings().release.publish_to
    if not target:
        return dg.MaterializeResult(metadata={"published": False, "setting": "release.publish_to"})
    release: Path | None = staging.latest(lake.lake().releases)
    if release is None:
        raise LakeError("there is no release to publish; materialise release_manifest first")
    done = publish_to_s3(release, target, progress)
    return dg.MaterializeResult(
        metadata={
            "published": True,
            "location": done.location,
            "files": done.files,
            "sent": done.sent,
            "sent bytes": done.sent_bytes,
            "latest": done.latest,
        },
        data_version=dg.DataVersion(done.location),
    )
